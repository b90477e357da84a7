 WHERE (SELECT true FROM @table t WHERE t.id = n.id) IS NULL
