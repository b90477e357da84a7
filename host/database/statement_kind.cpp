#include "host/database/statement_kind.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

namespace summa::host {
namespace {

bool Blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }  // \v from PostgreSQL 16 on
char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
bool Letter(char c) { return (Upper(c) >= 'A' && Upper(c) <= 'Z') || c == '_'; }

// Blanks, comments and opening parentheses before a word.
void SkipFiller(std::string_view& sql) {
  for (;;) {
    if (sql.empty()) return;
    if (Blank(sql[0]) || sql[0] == '(' || sql[0] == ';') {
      sql.remove_prefix(1);
    } else if (sql.substr(0, 2) == "--") {
      sql.remove_prefix(std::min(sql.find_first_of("\r\n"), sql.size()));
    } else if (sql.substr(0, 2) == "/*") {
      int depth = 0;  // comments nest
      do {
        if (sql.substr(0, 2) == "/*") {
          ++depth;
          sql.remove_prefix(2);
        } else if (sql.substr(0, 2) == "*/") {
          --depth;
          sql.remove_prefix(2);
        } else {
          sql.remove_prefix(1);
        }
      } while (depth > 0 && !sql.empty());
    } else {
      return;
    }
  }
}

std::string NextWord(std::string_view& sql) {
  SkipFiller(sql);
  std::string word;
  while (!sql.empty() && Letter(sql[0])) {
    word += Upper(sql[0]);
    sql.remove_prefix(1);
  }
  return word;
}

// A name, quoted or not; nullopt: it is written with U&, and could be any.
std::optional<std::string> NextName(std::string_view& sql) {
  std::string name = NextWord(sql);
  if (name == "U" && sql.starts_with('&')) return std::nullopt;
  if (!name.empty() || !sql.starts_with('"')) return name;
  for (sql.remove_prefix(1); !sql.empty() && sql[0] != '"'; sql.remove_prefix(1)) {
    name += Upper(sql[0]);
  }
  return name;
}

template <std::size_t kCount>
bool OneOf(const std::string& word, const std::array<std::string_view, kCount>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

constexpr std::array<std::string_view, 8> kPreparableWords = {
    "SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "WITH", "TABLE"};
constexpr std::array<std::string_view, 5> kTransactionWords = {"BEGIN", "COMMIT", "END", "START",
                                                               "ABORT"};
constexpr std::array<std::string_view, 8> kSessionWords = {
    "PREPARE", "DEALLOCATE", "DISCARD", "LISTEN", "UNLISTEN", "RESET", "EXECUTE", "LOAD"};

// SET LOCAL and SET CONSTRAINTS end with the transaction; the first must not make it writable.
StatementKind KindOfSet(std::string_view rest) {
  const std::string word = NextWord(rest);
  if (word == "CONSTRAINTS") return StatementKind::kOther;
  if (word == "TRANSACTION") return StatementKind::kTransaction;
  if (word != "LOCAL") return StatementKind::kSessionState;
  const std::optional<std::string> name = NextName(rest);
  const bool mode =
      !name || name->starts_with("TRANSACTION") || name->starts_with("DEFAULT_TRANSACTION_");
  return mode ? StatementKind::kTransaction : StatementKind::kOther;
}

bool Contains(std::string_view text, std::string_view lower) {
  const auto same = [](char a, char b) { return Upper(a) == Upper(b); };
  return std::search(text.begin(), text.end(), lower.begin(), lower.end(), same) != text.end();
}

// CREATE [UNIQUE] INDEX, DROP INDEX, REINDEX and ALTER TABLE .. DETACH PARTITION, CONCURRENTLY.
bool IsConcurrent(const std::string& word, std::string_view rest) {
  constexpr std::string_view kConcurrently = "concurrently";
  if (word == "REINDEX") return Contains(rest, kConcurrently);
  if (word == "ALTER") {
    while (!rest.empty() && (Blank(rest.back()) || rest.back() == ';')) rest.remove_suffix(1);
    return rest.size() > kConcurrently.size() && Contains(rest, "detach") &&
           Contains(rest.substr(rest.size() - kConcurrently.size()), kConcurrently);
  }
  if (word != "CREATE" && word != "DROP") return false;
  std::string next = NextWord(rest);
  if (next == "UNIQUE") next = NextWord(rest);
  return next == "INDEX" && NextWord(rest) == "CONCURRENTLY";
}

}  // namespace

StatementKind KindOf(std::string_view sql) {
  std::string_view rest = sql;
  const std::string word = NextWord(rest);
  if (OneOf(word, kPreparableWords)) return StatementKind::kPreparable;
  if (word == "DECLARE") return StatementKind::kCursor;
  if (word == "COPY") return StatementKind::kCopy;
  if (word == "DO" || word == "CALL") return StatementKind::kBlock;
  if (word == "SET") return KindOfSet(rest);
  if (word == "VACUUM") return StatementKind::kVacuum;
  if (IsConcurrent(word, rest)) return StatementKind::kConcurrently;
  if (word == "ROLLBACK") {
    const std::string next = NextWord(rest);
    const std::string after = next == "WORK" || next == "TRANSACTION" ? NextWord(rest) : next;
    return after == "TO" ? StatementKind::kOther : StatementKind::kTransaction;
  }
  if (OneOf(word, kTransactionWords)) return StatementKind::kTransaction;
  if (OneOf(word, kSessionWords)) return StatementKind::kSessionState;
  return StatementKind::kOther;
}

bool LeavesTraces(std::string_view sql) {
  return Contains(sql, "set_config") || Contains(sql, "advisory_lock");
}

bool MayChangeTimeout(std::string_view sql) {
  return Contains(sql, "set_config") || Contains(sql, "statement_timeout");
}

}  // namespace summa::host
