#include "partition/statement.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace summa::maintenance {
namespace {

std::string Quoted(std::string_view text, char quote) {
  std::string result(1, quote);
  for (const char c : text) {
    if (c == quote) result += c;
    result += c;
  }
  return result + quote;
}

}  // namespace

std::string QuoteName(std::string_view identifier) { return Quoted(identifier, '"'); }

std::string QuoteWhereNeeded(const std::string& identifier) {
  const bool plain = std::all_of(identifier.begin(), identifier.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  const bool digit_first = !identifier.empty() && identifier[0] >= '0' && identifier[0] <= '9';
  return plain && !digit_first ? identifier : QuoteName(identifier);
}

std::string QuoteName(std::string_view schema, std::string_view name) {
  return QuoteName(schema) + "." + QuoteName(name);
}

std::string QuoteText(std::string_view text) { return Quoted(text, '\''); }

std::string QuoteTime(DatabaseTime time) { return "timestamptz '" + IsoText(time) + "'"; }

std::string WithinRange(const std::string& key, const Range& range) {
  std::string text;
  if (range.from != DatabaseTime::min()) text = key + " >= " + QuoteTime(range.from);
  if (range.to != DatabaseTime::max()) {
    text += (text.empty() ? "" : " AND ") + key + " < " + QuoteTime(range.to);
  }
  return text.empty() ? "true" : text;
}

std::string WithNames(std::string_view statement,
                      const std::vector<std::pair<std::string, std::string>>& names) {
  std::string text(statement);
  for (const auto& [name, value] : names) {
    const std::string wanted = "{" + name + "}";
    for (std::size_t at = text.find(wanted); at != std::string::npos;
         at = text.find(wanted, at + value.size())) {
      text.replace(at, wanted.size(), value);
    }
  }
  return text;
}

std::string Joined(const std::vector<std::string>& names, std::string_view before) {
  std::string list;
  for (const std::string& name : names) {
    list.append(list.empty() ? "" : ", ").append(before).append(name);
  }
  return list;
}

void RunTogether(Session& session, const std::vector<std::string>& statements) {
  if (statements.empty()) return;
  std::string body = "BEGIN ";
  for (const std::string& statement : statements) body += "EXECUTE " + QuoteText(statement) + "; ";
  session.Exec("DO " + QuoteText(body + "END"));
}

std::string ColumnsOf(Session& session, const std::string& quoted_table) {
  return session
      .Exec(
          "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM "
          "pg_catalog.pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT "
          "attisdropped AND attgenerated = ''",
          {quoted_table})
      .Value<std::string>();
}

void LiftStatementTimeout(Session& session) { session.Exec("SET LOCAL statement_timeout = 0"); }

Result ReadLong(Session& session, const std::string& statement,
                std::initializer_list<Parameter> parameters) {
  session.Begin(SUMMA_SQL_READ_ONLY);
  try {
    LiftStatementTimeout(session);
    Result result = session.Exec(statement, parameters);
    session.Rollback();
    return result;
  } catch (const Error& error) {
    // Callers go on with the session after some errors; a lost connection cannot roll back.
    if (error.status() != SUMMA_E_UNAVAILABLE) session.Rollback();
    throw;
  }
}

std::int64_t CountRows(Session& session, const std::string& quoted_table) {
  return ReadLong(session, "SELECT count(*) FROM " + quoted_table).Value<std::int64_t>();
}

}  // namespace summa::maintenance
