CREATE SCHEMA account_greeter;
CREATE TABLE account_greeter.greeting (
  message_id text PRIMARY KEY,
  account text NOT NULL
);
