#include "tests/demo/host_watch.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <simdjson.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string_view>

namespace summa::demo {
namespace {

constexpr timeval kTimeout{1, 0};

std::string TextOf(simdjson::dom::object object, const char* name) {
  std::string_view text;
  if (object[name].get(text)) return {};
  return std::string(text);
}

// Seconds from now to "2026-01-31T12:00:00.000Z"; -1 when it is no such time.
double SecondsUntil(const std::string& time) {
  std::tm parts{};
  double seconds = 0;
  if (std::sscanf(time.c_str(), "%4d-%2d-%2dT%2d:%2d:%lfZ", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &seconds) != 6) {
    return -1;
  }
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const double left = static_cast<double>(timegm(&parts) - now.tv_sec) + seconds -
                      static_cast<double>(now.tv_nsec) / 1e9;
  return left < 0 ? 0 : left;
}

PluginView ReadPlugin(simdjson::dom::object object, long long& delivered) {
  PluginView plugin{TextOf(object, "id"), TextOf(object, "version"), TextOf(object, "state"), {}};
  simdjson::dom::object part;
  if (!object["error"].get(part)) {
    plugin.error = TextOf(part, "code") + " " + TextOf(part, "message");
  }
  std::int64_t count = 0;
  if (plugin.id == "outbox" && !object["details"].get(part) && !part["delivered"].get(count)) {
    delivered = count;
  }
  return plugin;
}

WorkerView ReadWorker(simdjson::dom::object object) {
  WorkerView worker;
  worker.id = TextOf(object, "id");
  worker.state = TextOf(object, "state");
  worker.holder = TextOf(object, "holder");
  worker.last_error = TextOf(object, "lastError");
  std::int64_t fence = 0;
  if (!object["fence"].get(fence)) worker.fence = fence;
  worker.lease_seconds = SecondsUntil(TextOf(object, "leaseUntil"));
  return worker;
}

}  // namespace

HttpAnswer HttpGet(int port, const std::string& path) {
  const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &kTimeout, sizeof kTimeout);
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &kTimeout, sizeof kTimeout);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string text;
  if (connect(connection, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (send(connection, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
      char buffer[4096];
      for (ssize_t size; (size = recv(connection, buffer, sizeof buffer, 0)) > 0;) {
        text.append(buffer, static_cast<std::size_t>(size));
      }
    }
  }
  close(connection);
  constexpr std::size_t kStatusAt = 9, kStatusEnd = 12;  // after "HTTP/1.1 "
  HttpAnswer answer;
  const std::size_t body = text.find("\r\n\r\n");
  if (text.size() < kStatusEnd || body == std::string::npos) return answer;
  answer.status = std::atoi(text.c_str() + kStatusAt);
  answer.body = text.substr(body + 4);
  return answer;
}

HostView WatchHost(int port) {
  HostView view;
  const HttpAnswer answer = HttpGet(port, "/status");
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(answer.body);
  simdjson::dom::object status;
  if (answer.status != 200 || parser.parse(padded).get(status)) return view;
  view.state = TextOf(status, "state");
  simdjson::dom::array list;
  simdjson::dom::object item;
  if (!status["plugins"].get(list)) {
    for (const simdjson::dom::element each : list) {
      if (!each.get(item)) view.plugins.push_back(ReadPlugin(item, view.delivered));
    }
  }
  if (!status["workers"].get(list)) {
    for (const simdjson::dom::element each : list) {
      if (!each.get(item)) view.workers.push_back(ReadWorker(item));
    }
  }
  return view;
}

}  // namespace summa::demo
