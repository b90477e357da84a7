// The conformance suite, linked into the test of a plugin. What it finds in files is tested with
// the broken plugins; here is what the parts say.
#include <gmock/gmock.h>

#include <array>
#include <cstring>
#include <summa/conformance.hpp>
#include <summa/plugin.hpp>
#include <vector>

#include "sdk/src/conformance/foreign_table.hpp"
#include "sdk/src/conformance/json_text.hpp"
#include "sdk/src/conformance/lent_memory.hpp"

// The manifest is a section of the shared object; here is none.
extern "C" const char summa_manifest_begin[] = "";
extern "C" const char summa_manifest_end[] = "";

namespace {

class Pages final : public summa::Worker {
 public:
  bool leaks = false;
  summa::TickResult Run(const summa::Tick& tick) override {
    // Reachable for ever, or the sanitizer of the test finds it, too.
    static auto& left_open = *new std::vector<summa::Session*>;
    if (leaks) left_open.push_back(new summa::Session(tick.sql()));
    summa::Session session(tick.sql());
    session.Begin();
    session.Exec("UPDATE example.page SET number = number + 1");
    session.Commit();
    return {1, false, std::nullopt};
  }
};

bool leaks = false;

class Example final : public summa::Plugin {
 public:
  explicit Example(summa::Host host) : Plugin(host) {}
  void Configure(const summa::Config&) override { pages_.leaks = leaks; }
  std::vector<summa::WorkerBinding> Workers() override { return {{"pages", &pages_}}; }

 private:
  Pages pages_;
};

}  // namespace

SUMMA_PLUGIN(Example)

namespace summa::conformance {
namespace {

using testing::Contains;
using testing::Each;
using testing::Field;
using testing::HasSubstr;

TEST(Conformance, FindsNothingInAPluginThatIsLinked) {
  leaks = false;
  const std::vector<Result> results = RunChecks(SubjectOf(summa_plugin_v1));
  EXPECT_EQ(results.size(), Checks().size());
  for (const Result& result : results) {
    EXPECT_TRUE(result.outcome == Outcome::kPassed || result.outcome == Outcome::kSkipped)
        << result.Text();
  }
}

TEST(Conformance, NamesTheCheckAndTheCall) {
  leaks = true;
  const std::vector<Result> results = RunChecks(SubjectOf(summa_plugin_v1));
  EXPECT_THAT(results, Contains(Field(&Result::found,
                                      HasSubstr("the worker \"pages\": left a session open"))));
  leaks = false;
}

TEST(Conformance, KnowsOneJsonObjectFromOtherTexts) {
  for (const char* good : {R"({})", R"( {"a":[1,-2.5e3,"x\u00e9",true,null,{}]} )"}) {
    EXPECT_EQ(ProblemOfObject(good), std::nullopt) << good;
  }
  for (const char* bad : {"", "[]", "{}{}", R"({"a":})", R"({"a":01})", R"({a:1})", R"({"a":1,})",
                          "{\"a\":\"\n\"}", "{\"a\":\"\xE9\"}", R"({"a":"\x"})", "{"}) {
    EXPECT_NE(ProblemOfObject(bad), std::nullopt) << bad;
  }
  EXPECT_TRUE(IsUtf8("caf\xC3\xA9 \xF0\x9F\x98\x80"));
  for (const char* bad : {"\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82", "\xFF"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
  EXPECT_TRUE(IsCode("SH-0501"));
  for (const char* bad : {"", "SH", "-1", "SH-", "sh-1", "SH-05-1", "SH 1"}) {
    EXPECT_FALSE(IsCode(bad)) << bad;
  }
}

TEST(Conformance, LooksAtWhatStandsBehindATable) {
  struct Large {
    summa_worker_v1 table;
    std::array<std::uint64_t, 2> behind;
  };
  Large large{{sizeof large, 0, nullptr}, {}};
  EXPECT_EQ(ProblemBehind(&large, sizeof(summa_worker_v1)), "") << "zeroes";
  large.behind = {3, reinterpret_cast<std::uint64_t>(&summa_plugin_v1)};
  EXPECT_EQ(ProblemBehind(&large, sizeof(summa_worker_v1)), "") << "what a later header may add";
  large.behind[1] = 0xDEADBEEFDEADBEEF;
  EXPECT_THAT(ProblemBehind(&large, sizeof(summa_worker_v1)), HasSubstr("rubbish"));
  large.table.struct_size = 1 << 30;
  EXPECT_THAT(ProblemBehind(&large, sizeof(summa_worker_v1)), HasSubstr("not there"));
}

TEST(Conformance, KnowsWhatItHasLent) {
  LentMemory memory("a text, for a while", Sizes::kExact);
  const summa_str text = memory.Text("hello");
  EXPECT_EQ(std::string(text.data, text.size), "hello");
  EXPECT_STREQ(LentAt(text.data), "a text, for a while");
  EXPECT_STREQ(LentAt(text.data + text.size), "a text, for a while") << "behind its end";
  EXPECT_EQ(LentAt(&memory), nullptr);
  EXPECT_DEATH(std::memset(const_cast<char*>(text.data), 'x', text.size + 1), "");
  memory.Revoke();
  EXPECT_DEATH(static_cast<void>(*static_cast<const volatile char*>(text.data)), "");
}

}  // namespace
}  // namespace summa::conformance
