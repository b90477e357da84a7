CREATE SCHEMA plain_c;
CREATE TABLE plain_c.beat (worker text PRIMARY KEY, beats bigint NOT NULL, fence bigint NOT NULL);
CREATE TABLE plain_c.message (id text PRIMARY KEY, key text NOT NULL, type text NOT NULL);
