// Conditions that must hold whatever the environment does: if one does not, the code is wrong, and
// continuing would make things worse. Not for input, errors or the state of a server: those are
// reported.
//
//   SUMMA_ASSERT(open == idle + in_use);
//
// Checked when SUMMA_ASSERTS is defined, as in the builds that tests run on: the process then
// prints the place and the condition on stderr and aborts. Otherwise the condition is compiled and
// never evaluated, so it must have no effect. Thread-safe; needs no memory.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace summa::detail {

[[noreturn, gnu::cold]] inline void AssertionFailed(const char* condition, const char* file,
                                                    int line) noexcept {
  std::fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace summa::detail

#ifdef SUMMA_ASSERTS
#define SUMMA_ASSERT(condition) \
  ((condition) ? void() : ::summa::detail::AssertionFailed(#condition, __FILE__, __LINE__))
#else
#define SUMMA_ASSERT(condition) void(sizeof((condition) ? true : false))
#endif
