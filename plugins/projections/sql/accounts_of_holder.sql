-- All accounts of the holder of the account $1 in its currency.
SELECT a.id FROM account_balance k
JOIN account_balance a ON (a.holder_id, a.holder_type, a.currency) = (k.holder_id, k.holder_type, k.currency)
WHERE k.id = $1
