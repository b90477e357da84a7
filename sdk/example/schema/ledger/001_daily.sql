-- IF NOT EXISTS: the first release of the plugin made the table in its worker.
CREATE SCHEMA IF NOT EXISTS turnover;
CREATE TABLE IF NOT EXISTS turnover.daily (
  day date,
  currency text,
  amount bigint NOT NULL,
  entries bigint NOT NULL,
  PRIMARY KEY (day, currency)
);
