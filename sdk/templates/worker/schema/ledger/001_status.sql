CREATE SCHEMA account_census;
CREATE TABLE account_census.status (
  status text PRIMARY KEY,
  accounts bigint NOT NULL,
  counted_at timestamptz NOT NULL
);
