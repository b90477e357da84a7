CREATE SCHEMA keeper;
CREATE TABLE keeper.page (number bigint PRIMARY KEY);
