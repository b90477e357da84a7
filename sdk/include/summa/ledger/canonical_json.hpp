// The canonical text of a JSON document, which Summa hashes: members sorted at every depth by the
// UTF-16 code units of their names, no blanks, numbers as ECMAScript prints the double they stand
// for.
//
//   summa::ledger::Canonicalizer canonicalizer;
//   canonicalizer.Canonical(R"({"b": 1.50, "a": "x"})");  // {"a":"x","b":1.5}
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace summa::ledger {

// Nesting above this is refused (SH-0801): events are flat, and every level costs stack.
inline constexpr int kMaxJsonLevels = 1000;

// Reads any JSON text (RFC 8259, UTF-8), also what PostgreSQL prints for jsonb. Reuses its buffers:
// create one and use it for many documents. One thread at a time.
class Canonicalizer {
 public:
  Canonicalizer();
  ~Canonicalizer();
  Canonicalizer(Canonicalizer&&) noexcept;
  Canonicalizer& operator=(Canonicalizer&&) noexcept;

  // Borrowed until the next call. Of several members with the same name, the last one is used, as
  // in jsonb; a number beyond the range of a double is null, as in JavaScript. Throws summa::Error,
  // code SH-0801, when the text is not valid JSON.
  std::string_view Canonical(std::string_view json);

  // The same for the content of event_data: a document that some drivers stored as JSON in a JSON
  // string is taken out of it first, once, as Summa does.
  std::string_view EventData(std::string_view json);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace summa::ledger
