-- IF NOT EXISTS: whoever installed the first release made the table.
CREATE SCHEMA IF NOT EXISTS greeter;
CREATE TABLE IF NOT EXISTS greeter.greeting (
  number bigint GENERATED ALWAYS AS IDENTITY,
  message_id text NOT NULL,
  account text NOT NULL
);
