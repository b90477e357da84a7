-- What the account itself says, its holds, what is posted to it, and what was reversed by that.
SELECT $1::uuid
UNION SELECT id FROM transaction_record WHERE is_hold AND source_account_id = $1
UNION SELECT transaction_id FROM entry_record WHERE account_id = $1
UNION SELECT t.parent_id FROM entry_record e JOIN transaction_record t ON t.id = e.transaction_id
      WHERE e.account_id = $1 AND t.parent_id IS NOT NULL
