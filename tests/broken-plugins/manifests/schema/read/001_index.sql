CREATE TABLE keeper_index (word text PRIMARY KEY, made_in text DEFAULT current_schema());
