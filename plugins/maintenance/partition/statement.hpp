// Texts of statements that name a table or a time, which cannot be parameters.
#pragma once

#include <summa/sql.hpp>
#include <summa/time.hpp>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "partition/catalog.hpp"

namespace summa::maintenance {

std::string QuoteName(std::string_view identifier);
// Without quotes where SQL reads the same name without them.
std::string QuoteWhereNeeded(const std::string& identifier);
// "schema"."name"
std::string QuoteName(std::string_view schema, std::string_view name);
std::string QuoteText(std::string_view text);
// A literal of type timestamptz.
std::string QuoteTime(DatabaseTime time);
// "key >= from AND key < to"; "true" without bounds.
std::string WithinRange(const std::string& key, const Range& range);
// Replaces {name} by its value, everywhere.
std::string WithNames(std::string_view statement,
                      const std::vector<std::pair<std::string, std::string>>& names);
// "a, b", each with `before` in front of it.
std::string Joined(const std::vector<std::string>& names, std::string_view before = "");
// Runs them in this order in one message: under a lock each round trip is a wait for others. Inside
// the caller's transaction.
void RunTogether(Session& session, const std::vector<std::string>& statements);
// The columns of a table that hold data of their own, quoted, by position, with commas.
std::string ColumnsOf(Session& session, const std::string& quoted_table);

// Lifts the limits of a statement until the end of the transaction: for one that reads a whole
// partition.
void LiftStatementTimeout(Session& session);
// One statement that may read a whole partition, in a transaction of its own, without a limit.
Result ReadLong(Session& session, const std::string& statement,
                std::initializer_list<Parameter> parameters = {});
std::int64_t CountRows(Session& session, const std::string& quoted_table);  // the same way

}  // namespace summa::maintenance
