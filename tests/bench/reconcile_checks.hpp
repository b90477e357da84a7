// The checks of steps 0 to 2 as one would write them in SQL: what the product is compared with.
// Each gives the number of mismatches.
#pragma once

namespace summa::bench {

inline constexpr const char* kReconcileChecks[] = {
    // 0: every transaction is balanced, in each currency.
    "SELECT count(*) FROM (SELECT FROM entry_record GROUP BY transaction_id, currency HAVING "
    "sum(CASE entry_type WHEN 'CREDIT' THEN amount ELSE -amount END) <> 0) x",
    // 0b: no entry is there twice.
    "SELECT count(*) FROM (SELECT FROM entry_record WHERE NOT is_hot_account GROUP BY "
    "transaction_id, account_id, system_account_id, entry_type HAVING count(*) > 1) x",
    // 0c: along the versions of an account each entry begins with what the one before left.
    "SELECT count(*) FROM (SELECT account_lock_version AS version, balance_before, balance_after, "
    "CASE entry_type WHEN 'CREDIT' THEN amount ELSE -amount END AS signed, "
    "lag(account_lock_version) OVER along AS previous_version, lag(balance_after) OVER along AS "
    "previous_after FROM entry_record WHERE account_id IS NOT NULL WINDOW along AS (PARTITION BY "
    "account_id ORDER BY account_lock_version)) x WHERE version = previous_version OR "
    "balance_before <> previous_after OR balance_after <> balance_before + signed",
    // 1: balances are the sums of the entries, reserved amounts those of the holds.
    "SELECT count(*) FROM account_balance a LEFT JOIN (SELECT account_id, coalesce(sum(amount) "
    "FILTER (WHERE entry_type = 'CREDIT'), 0) AS credits, coalesce(sum(amount) FILTER (WHERE "
    "entry_type = 'DEBIT'), 0) AS debits FROM entry_record WHERE NOT is_hot_account GROUP BY 1) e "
    "ON e.account_id = a.id LEFT JOIN (SELECT source_account_id, sum(amount) AS held FROM "
    "transaction_record WHERE is_hold AND status = 'inflight' GROUP BY 1) h ON h.source_account_id "
    "= a.id WHERE a.balance <> coalesce(credits - debits, 0) OR a.credit_balance <> "
    "coalesce(credits, 0) OR a.debit_balance <> coalesce(debits, 0) OR a.pending_debit <> "
    "coalesce(held, 0)",
    // 2: the entries of a system account are its balance and what is still to be added.
    "SELECT count(*) FROM system_account s LEFT JOIN (SELECT system_account_id, sum(CASE "
    "entry_type "
    "WHEN 'CREDIT' THEN amount ELSE -amount END) AS net FROM entry_record WHERE system_account_id "
    "IS NOT NULL GROUP BY 1) e ON e.system_account_id = s.id LEFT JOIN (SELECT account_id, "
    "sum(amount) AS pending FROM hot_account_entry WHERE status = 'pending' GROUP BY 1) h ON "
    "h.account_id = s.id WHERE coalesce(net, 0) <> s.balance + coalesce(pending, 0)",
};

}  // namespace summa::bench
