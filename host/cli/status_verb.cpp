#include "host/abi/foreign_text.hpp"
#include "host/application/settings.hpp"
#include "host/cli/http_get.hpp"
#include "host/cli/render.hpp"
#include "host/cli/verbs.hpp"

namespace summa::host {
namespace {

// A status comes from memory; a host that needs longer is not healthy.
constexpr std::chrono::seconds kTimeout{5};

// "0.0.0.0:9464" is where a host listens, not where it can be asked.
std::string UrlOf(const std::string& listen) {
  const std::size_t colon = listen.rfind(':');
  std::string host = listen.substr(0, colon);
  const std::string port = colon == std::string::npos ? "" : listen.substr(colon + 1);
  if (port == "0") {
    throw Failure("SH-0905", "host.listen has port 0: the host chose a free one when it started",
                  "Take the address from the host's log and give it with --url.", listen);
  }
  if (host.empty() || host == "0.0.0.0" || host == "*") host = "127.0.0.1";
  if (host == "[::]" || host == "::") host = "[::1]";
  return "http://" + host + ":" + port;
}

VerbResult Status(const Invocation& call) {
  std::string url = call.options.String("url");
  if (url.empty()) url = UrlOf(call.Load().settings.listen);
  while (!url.empty() && url.back() == '/') url.pop_back();
  if (!url.ends_with("/status")) url += "/status";
  const HttpAnswer answer = HttpGet(url, kTimeout);
  if (answer.status != 200 || ProblemOfObject(answer.body)) {
    throw Failure("SH-0905",
                  "answered with HTTP status " + std::to_string(answer.status) +
                      (answer.status == 200 ? " and something that is not a status" : ""),
                  "Check that the address is that of summa-host.", url);
  }
  return {.json = answer.body};
}

}  // namespace

void AddStatusVerbs(std::vector<Verb>& verbs) {
  Verb verb;
  verb.words = "status";
  verb.summary = "show the status of the running host";
  verb.description =
      "Asks the host at the configured host.listen for the state of its plugins and workers. "
      "`workers list` reads the database instead and needs no running host.";
  verb.options = {MakeOption("url", Schema::Type::kString, "address of the host", {}, "URL")};
  verb.exit_codes = {{0, "printed"}, {69, "no host answers"}, {78, "configuration"}};
  verb.example = "summa-host status --url http://127.0.0.1:9464";
  verb.run = Status;
  verbs.push_back(std::move(verb));
}

}  // namespace summa::host
