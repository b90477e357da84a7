CREATE SCHEMA plain_rust;
CREATE TABLE plain_rust.beat (worker text PRIMARY KEY, beats bigint NOT NULL, fence bigint NOT NULL);
CREATE TABLE plain_rust.message (id text PRIMARY KEY, key text NOT NULL, type text NOT NULL);
