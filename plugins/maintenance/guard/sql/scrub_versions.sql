SELECT CASE WHEN e.last - e.first + 1 <> e.count
            THEN format('versions of %s %s are not contiguous: %s events from %s to %s', e.aggregate_type,
                        e.aggregate_id, e.count, e.first, e.last)
            WHEN h.version IS NULL THEN format('%s %s has no head', e.aggregate_type, e.aggregate_id)
            ELSE format('the head of %s %s is at version %s, but there is an event %s', e.aggregate_type,
                        e.aggregate_id, h.version, e.last) END AS what
  FROM (SELECT aggregate_type, aggregate_id, count(*), min({version}) AS first, max({version}) AS last
          FROM {partition} GROUP BY aggregate_type, aggregate_id) e
  LEFT JOIN summa_host.ledger_event_head h USING (aggregate_type, aggregate_id)
 WHERE e.last - e.first + 1 <> e.count OR h.version IS NULL OR h.version < e.last LIMIT $1
