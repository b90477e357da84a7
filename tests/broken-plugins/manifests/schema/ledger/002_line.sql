-- The script of a dump leaves settings behind; the next step must not see them.
SELECT set_config('search_path', '', false);
CREATE TABLE keeper.line (page bigint REFERENCES keeper.page, line text);
