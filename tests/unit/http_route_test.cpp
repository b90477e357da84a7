// Paths, parameters and who may call: the parts of host/http that need no connection.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>

#include "host/error.hpp"
#include "host/http/access.hpp"
#include "host/http/encoding.hpp"
#include "host/http/openapi.hpp"
#include "host/http/parameters.hpp"
#include "host/http/router.hpp"

namespace summa::host {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

RoutePath Path(const std::string& text) {
  const std::optional<RoutePath> path = RoutePath::Parse(text);
  if (!path) throw std::invalid_argument(text);
  return *path;
}

TEST(RoutePath, HasWordsAndParameters) {
  EXPECT_THAT(Path("/v1/accounts/{id}/entries/{entry-no}").names(), ElementsAre("id", "entry-no"));
  for (const char* wrong :
       {"", "/", "v1", "/v1/", "//v1", "/v1/{}", "/v1/{Id}", "/v1/{id}x", "/v1/a b", "/v1/{a}/{a}",
        "/v1/%20", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17"}) {
    EXPECT_FALSE(RoutePath::Parse(wrong)) << wrong;
  }
}

TEST(RoutePath, MatchesSegmentsAndDecodesThem) {
  const RoutePath path = Path("/v1/accounts/{id}/balance");
  EXPECT_THAT(path.Match("/v1/accounts/7/balance"), Optional(ElementsAre("7")));
  EXPECT_THAT(path.Match("/v1/accounts/a%2Fb+c%C3%A9/balance"),
              Optional(ElementsAre("a/b+c\xC3\xA9")));
  EXPECT_THAT(path.Match("/%761/accounts/7/balance"), Optional(ElementsAre("7")));
  for (const char* other :
       {"/v1/accounts//balance", "/v1/accounts/7/balance/", "/v1/accounts/7", "/v1/accounts/7/x",
        "/v1/accounts/%00/balance", "/v1/accounts/%FF/balance", "/v1/accounts/%2/balance",
        "/V1/accounts/7/balance", "", "v1"}) {
    EXPECT_FALSE(path.Match(other)) << other;
  }
}

TEST(RoutePath, OverlapsWhereOnePathMatchesBoth) {
  EXPECT_TRUE(Path("/v1/{a}/x").Overlaps(Path("/v1/y/{b}")));
  EXPECT_TRUE(Path("/v1/{a}").SameShape(Path("/v1/{b}")));
  EXPECT_FALSE(Path("/v1/{a}").SameShape(Path("/v1/b")));
  EXPECT_FALSE(Path("/v1/{a}").Overlaps(Path("/v1/{a}/b")));
  EXPECT_FALSE(Path("/v1/a").Overlaps(Path("/v1/b")));
  EXPECT_TRUE(Path("/v1/b").IsAskedBefore(Path("/v1/{a}")));
  EXPECT_FALSE(Path("/v1/{a}").IsAskedBefore(Path("/v1/b")));
}

TEST(Router, AsksAWordBeforeAParameterAndNamesTheMethods) {
  const auto route = [](const std::string& method, const std::string& path) {
    HttpRoute made = HostRoute(path, "A route.", {}, "pool");
    made.declared.method = method;
    return made;
  };
  const Router router({route("GET", "/v1/{id}"), route("GET", "/v1/me"), route("POST", "/v1/me")});
  EXPECT_EQ(router.Find("GET", "/v1/me").route->declared.path, "/v1/me");
  EXPECT_EQ(router.Find("HEAD", "/v1/7").route->declared.path, "/v1/{id}");
  EXPECT_THAT(router.Find("GET", "/v1/7").values, ElementsAre("7"));
  try {
    router.Find("DELETE", "/v1/me");
    FAIL();
  } catch (const HttpProblem& problem) {
    EXPECT_EQ(problem.response.status, 405);
    EXPECT_EQ(problem.response.headers.front().second, "GET, HEAD, POST");
  }
}

RouteDeclaration Greeting() {
  RouteDeclaration route;
  route.method = "GET";
  route.path = "/v1/hello/{name}";
  route.parsed = Path(route.path);
  Schema name;
  name.type = Schema::Type::kString;
  name.pattern = "[a-z]+";
  Schema times;
  times.type = Schema::Type::kInteger;
  times.default_text = "1";
  times.max_text = "3";
  Schema after;
  after.type = Schema::Type::kDuration;
  after.nullable = true;
  route.parameters = {{"name", name, true}, {"times", times, false}, {"after", after, false}};
  return route;
}

std::string Wrong(const std::string& name, const std::string& query) {
  try {
    ReadParameters(Greeting(), {name}, query);
    return "nothing is wrong";
  } catch (const HttpProblem& problem) {
    EXPECT_EQ(problem.response.status, 400);
    return problem.response.body;
  }
}

TEST(Parameters, AreNormalisedAndHaveDefaults) {
  EXPECT_EQ(ReadParameters(Greeting(), {"you"}, ""),
            (RouteValues{{"name", "you"}, {"times", "1"}}));
  EXPECT_EQ(ReadParameters(Greeting(), {"you"}, "&times=%33&after=2s&"),
            (RouteValues{{"name", "you"}, {"times", "3"}, {"after", "2000000"}}));
  EXPECT_EQ(ReadParameters(Greeting(), {"you"}, "after="),
            (RouteValues{{"name", "you"}, {"times", "1"}}));
}

TEST(Parameters, ThatAreWrongAreNamed) {
  EXPECT_THAT(Wrong("YOU", ""), HasSubstr("right form"));
  EXPECT_THAT(Wrong("you", "times=4"), HasSubstr("above the maximum 3"));
  EXPECT_THAT(Wrong("you", "after=2"), HasSubstr("has no unit"));
  EXPECT_THAT(Wrong("you", "times=1&times=1"), HasSubstr("given twice"));
  EXPECT_THAT(Wrong("you", "name=me"), HasSubstr("unknown parameter"));
  EXPECT_THAT(Wrong("you", "tines=1"), HasSubstr("did you mean"));
  EXPECT_THAT(Wrong("you", "times=%zz"), HasSubstr("not URL-encoded"));
  EXPECT_THAT(Wrong("you", "times=%00"), HasSubstr("not URL-encoded"));
  EXPECT_THAT(Wrong(std::string(100'000, 'a'), ""), HasSubstr("right form"));
}

TEST(OpenApi, DescribesARouteWithItsParameters) {
  HttpRoute route;
  route.declared = Greeting();
  route.declared.summary = "Greets.";
  route.plugin = "greeter";
  const std::string json = OpenApiJson("1.2.3", {route, HostRoute("/livez", "Lives.", {}, "")});
  EXPECT_THAT(json,
              HasSubstr(R"("/v1/hello/{name}":{"get":{"summary":"Greets.","tags":["greeter"])"));
  EXPECT_THAT(json, HasSubstr(R"({"name":"times","in":"query","required":false,)"
                              R"("schema":{"type":"integer","maximum":3,"default":1}})"));
  EXPECT_THAT(json, HasSubstr(R"("security":[{"token":[]}])"));
  EXPECT_THAT(json, HasSubstr(R"("/livez":{"get":{"summary":"Lives.","tags":["summa-host"],)"
                              R"("responses")"));
}

TEST(Encoding, KeepsTheText) {
  HttpRequest request;
  request.method = "GET";
  request.headers["accept-encoding"] = "gzip";
  std::string text;
  for (int i = 0; i < 3000; ++i) text += std::to_string(i * 7919 % 1000) + ",";
  HttpResponse response{200, text};
  Shorten(request, false, response);
  ASSERT_LT(response.body.size(), text.size());
  EXPECT_TRUE(response.etag.empty());
  std::string back(text.size() + 1, '\0');
  z_stream stream{};
  ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(response.body.data());
  stream.avail_in = static_cast<uInt>(response.body.size());
  stream.next_out = reinterpret_cast<Bytef*>(back.data());
  stream.avail_out = static_cast<uInt>(back.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  back.resize(stream.total_out);
  inflateEnd(&stream);
  EXPECT_EQ(back, text);
}

TEST(Encoding, LeavesErrorsAndShortAnswersAlone) {
  HttpRequest request;
  request.method = "GET";
  request.headers["accept-encoding"] = "gzip";
  HttpResponse error{500, std::string(5000, 'x')};
  Shorten(request, true, error);
  EXPECT_EQ(error.body.size(), 5000u);
  EXPECT_TRUE(error.etag.empty());
  HttpResponse shorter{200, "{}"};
  Shorten(request, false, shorter);
  EXPECT_EQ(shorter.body, "{}");
  EXPECT_TRUE(shorter.headers.empty());
}

class TokenFile {
 public:
  explicit TokenFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              ("summa-token-" + std::to_string(reinterpret_cast<std::uintptr_t>(this)))) {
    Write(text);
  }
  ~TokenFile() { std::filesystem::remove(path_); }
  void Write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

int StatusOf(const HttpAccess& access,
             const std::map<std::string, std::string, std::less<>>& headers) {
  HttpRequest request;
  request.headers = headers;
  try {
    access.Check(request);
    return 200;
  } catch (const HttpProblem& problem) {
    return problem.response.status;
  }
}

TEST(Access, NeedsTheTokenOfTheFileAlsoOnLoopback) {
  TokenFile file("0123456789abcdef\n");
  const HttpAccess access(file.path(), true);
  EXPECT_EQ(StatusOf(access, {}), 401);
  EXPECT_EQ(StatusOf(access, {{"authorization", "Bearer 0123456789abcdeg"}}), 401);
  EXPECT_EQ(StatusOf(access, {{"authorization", "Bearer 0123456789abcdef0"}}), 401);
  EXPECT_EQ(StatusOf(access, {{"authorization", "Bearer "}}), 401);
  EXPECT_EQ(StatusOf(access, {{"authorization", "Basic 0123456789abcdef"}}), 401);
  EXPECT_EQ(StatusOf(access, {{"authorization", "Bearer 0123456789abcdef"}}), 200);
}

TEST(Access, TakesANewTokenWhenItIsReadAgainAndKeepsTheOldOneWhenItCannot) {
  TokenFile file("0123456789abcdef\n");
  HttpAccess access(file.path(), false);
  EXPECT_FALSE(access.Reload());
  file.Write("fedcba9876543210");
  EXPECT_TRUE(access.Reload());
  EXPECT_EQ(StatusOf(access, {{"authorization", "Bearer 0123456789abcdef"}}), 401);
  EXPECT_EQ(StatusOf(access, {{"authorization", "Bearer fedcba9876543210"}}), 200);
  file.Write("short");
  EXPECT_THROW(access.Reload(), Failure);
  EXPECT_EQ(StatusOf(access, {{"authorization", "Bearer fedcba9876543210"}}), 200);
}

TEST(Access, WithoutAFileIsForThisMachineAndNotForPagesInItsBrowser) {
  const HttpAccess local("", true), open("", false);
  EXPECT_EQ(StatusOf(local, {}), 200);
  EXPECT_EQ(StatusOf(local, {{"sec-fetch-site", "none"}}), 200) << "typed by a person";
  EXPECT_EQ(StatusOf(local, {{"sec-fetch-site", "cross-site"}}), 403);
  EXPECT_EQ(StatusOf(local, {{"origin", "https://example.com"}}), 403);
  EXPECT_EQ(StatusOf(open, {}), 403);
}

TEST(Access, ATokenFileThatCannotBeUsedIsNamed) {
  for (const std::string text :
       {"", "short\n", "with a blank in it\n", "0123456789abcdef\nmore\n"}) {
    TokenFile file(text);
    try {
      const HttpAccess access(file.path(), true);
      FAIL() << text;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.error().code, "SH-0377");
      EXPECT_THAT(failure.error().message, HasSubstr(file.path()));
    }
  }
  EXPECT_THROW(HttpAccess("/nonexistent/token", true), Failure);
}

TEST(Access, ATokenFileThatIsAPipeBlocksNothing) {
  const TokenFile pipe("");
  std::filesystem::remove(pipe.path());
  ASSERT_EQ(mkfifo(pipe.path().c_str(), 0600), 0);
  try {
    const HttpAccess access(pipe.path(), true);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_THAT(failure.error().message, HasSubstr("it is not a regular file"));
  }
}

TEST(Access, KnowsTheAddressesOfThisMachine) {
  for (const char* own : {"127.0.0.1", "127.1.2.3", "::1", "localhost"}) {
    EXPECT_TRUE(IsLoopback(own)) << own;
  }
  for (const char* other : {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "host.example", ""}) {
    EXPECT_FALSE(IsLoopback(other)) << other;
  }
}

}  // namespace
}  // namespace summa::host
