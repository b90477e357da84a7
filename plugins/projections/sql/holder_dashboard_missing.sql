 WHERE (SELECT true FROM @table t
        WHERE (t.holder_id, t.holder_type, t.currency) = (n.holder_id, n.holder_type, n.currency)) IS NULL
