#include "plugins/bus-redis/servers.hpp"

#include <algorithm>
#include <array>
#include <summa/error.hpp>
#include <utility>

#include "plugins/bus-redis/key_naming.hpp"
#include "plugins/bus-redis/server_error.hpp"

namespace summa::bus_redis {
namespace {

constexpr std::array<std::string_view, 1> kMulti = {"MULTI"};
constexpr std::array<std::string_view, 1> kExec = {"EXEC"};
constexpr std::array<std::string_view, 1> kAsking = {"ASKING"};

// Keys of a slot that is being moved are on both sides for milliseconds.
constexpr std::chrono::milliseconds kWhileMoving{10};

[[noreturn]] void ThrowMoving(const Connection& connection, std::string_view server_text) {
  throw Error(SUMMA_E_UNAVAILABLE, "SH-0624",
              "Redis at " + connection.address() +
                  ": the keys are being moved between nodes: " + std::string(server_text),
              "let the resharding end; redis-cli --cluster check HOST:PORT names a slot that was "
              "left open");
}

}  // namespace

void RefuseTransactions(Connection& connection, std::string_view reason) {
  const std::string text = "MULTI and EXEC do not work: " + std::string(reason);
  connection.Drop(text);
  throw Error(SUMMA_E_UNAVAILABLE, "SH-0609", "Redis at " + connection.address() + ": " + text,
              "allow the login +multi +exec +xadd, and connect to Redis itself, not to a proxy "
              "without transactions");
}

Servers::Servers(ConnectionOptions options) : options_(std::move(options)) {}

void Servers::Report(ConnectionEvent event, const std::string& reason) {
  if (options_.on_event) options_.on_event(event, options_.url.ForPeople(), reason);
}

Endpoint Servers::Locate(std::string_view key) {
  if (!cluster()) return {};
  try {
    Endpoint master = options_.cluster->MasterOf(HashSlot(key));
    if (std::exchange(lost_, false)) Report(ConnectionEvent::kRetired, "");
    return master;
  } catch (const Error& error) {
    lost_ = error.status() != SUMMA_E_CANCELLED;
    if (lost_) Report(ConnectionEvent::kConnectFailed, error.what());
    throw;
  }
}

Connection& Servers::At(const Endpoint& endpoint) {
  std::unique_ptr<Connection>& connection = connections_[endpoint];
  if (!connection) {
    ConnectionOptions options = options_;
    if (cluster()) {
      options.url = options.url.At(endpoint);
      options.on_event = [map = options_.cluster, then = options_.on_event](
                             ConnectionEvent event, const std::string& address,
                             const std::string& reason) {
        if (event != ConnectionEvent::kConnected) map->Suspect(address);
        if (then) then(event, address, reason);
      };
    }
    connection = std::make_unique<Connection>(std::move(options));
  }
  return *connection;
}

Connection& Servers::Of(std::string_view key) {
  Connection& connection = At(Locate(key));
  connection.Ensure();
  return connection;
}

void Servers::Tidy() {
  if (!cluster() || connections_.empty()) return;
  const std::uint64_t version = options_.cluster->version();
  if (version == tidied_version_) return;
  tidied_version_ = version;
  const std::vector<Endpoint> masters = options_.cluster->Masters();
  std::erase_if(connections_, [&](const auto& entry) {
    if (std::binary_search(masters.begin(), masters.end(), entry.first)) return false;
    if (options_.on_event) {
      options_.on_event(ConnectionEvent::kRetired, options_.url.At(entry.first).ForPeople(), "");
    }
    return true;
  });
}

Connection* Servers::Follow(std::string_view server_text, Connection& from, bool& asking) {
  asking = false;
  if (!cluster()) return nullptr;
  const Redirection redirection = ReadRedirection(server_text, from.options().url.host);
  if (redirection.kind == Redirection::Kind::kNone) return nullptr;
  asking = redirection.kind == Redirection::Kind::kAsk;
  if (!asking) options_.cluster->Moved(redirection.slot, redirection.to);
  Connection& to = At(redirection.to);
  to.Ensure();
  return &to;
}

// Uses the server of the key, and those that it names instead. The use gives back an error of the
// server when nothing was carried out.
Reply Servers::Try(std::string_view key, Connection::Deadline deadline,
                   const std::function<Reply(Connection&, bool asking)>& use) {
  Tidy();
  Connection* to = &Of(key);
  bool asking = false;
  for (int redirections = 0;;) {
    Reply reply = use(*to, asking);
    if (!IsError(*reply)) {
      to->Succeeded();
      return reply;
    }
    const std::string text(Text(*reply));
    bool ask_next = false;
    if (Connection* next = Follow(text, *to, ask_next)) {
      if (++redirections > kMaximumRedirections) {
        options_.cluster->Suspect(to->address());
        ThrowMoving(*to, text);
      }
      // Two nodes that redirect to each other do not know of a change yet.
      if (redirections > 2) to->Pause(kWhileMoving);
      to = next;
      asking = ask_next;
    } else if (cluster() && ServerErrorWord(text) == "TRYAGAIN") {
      if (Connection::Clock::now() >= deadline) ThrowMoving(*to, text);
      to->Pause(kWhileMoving);
      to = &Of(key);
      asking = false;
    } else if (ClassifyServerError(text) == ServerErrorKind::kServer) {
      to->ThrowServerError(text);
    } else {
      to->Succeeded();
      return reply;
    }
  }
}

Reply Servers::Command(std::string_view key, std::initializer_list<std::string_view> words) {
  return Command(key, {words.begin(), words.size()}, CommandDeadline());
}

Reply Servers::Command(std::string_view key, Words words, Connection::Deadline deadline) {
  return Try(key, deadline, [&](Connection& connection, bool asking) {
    if (asking) connection.Append(kAsking);
    connection.Append(words);
    if (asking) connection.Next(deadline);
    return connection.Next(deadline);
  });
}

Reply Servers::Transaction(std::string_view key,
                           std::span<const std::vector<std::string_view>> commands) {
  const Connection::Deadline deadline = CommandDeadline();
  return Try(key, deadline, [&](Connection& connection, bool asking) {
    // Answered before the rest is sent: without it each command would be carried out at once.
    if (asking) connection.Append(kAsking);
    connection.Append(kMulti);
    if (asking) connection.Next(deadline);
    if (const Reply multi = connection.Next(deadline); IsError(*multi)) {
      if (ClassifyServerError(Text(*multi)) == ServerErrorKind::kServer) {
        connection.ThrowServerError(Text(*multi));
      }
      RefuseTransactions(connection, Text(*multi));
    }
    for (const auto& command : commands) connection.Append(command);
    connection.Append(kExec);
    Reply error;
    for (std::size_t i = 0; i < commands.size(); ++i) {
      Reply queued = connection.Next(deadline);
      if (IsError(*queued) && !error) error = std::move(queued);
    }
    Reply results = connection.Next(deadline);
    return error ? std::move(error) : std::move(results);
  });
}

bool Servers::AnyAnswers() {
  try {
    for (const Endpoint& master : options_.cluster->Masters()) {
      try {
        At(master).Ensure();
        return true;
      } catch (const Error& error) {
        if (error.status() == SUMMA_E_CANCELLED) return false;
      }
    }
  } catch (const Error&) {
    return false;  // no node says who the masters are
  }
  return false;
}

void Servers::ForEach(const std::function<void(Connection&)>& use) {
  Tidy();
  if (!cluster()) {
    use(Of(""));
    return;
  }
  Locate("");
  for (const Endpoint& master : options_.cluster->Masters()) {
    Connection& connection = At(master);
    connection.Ensure();
    use(connection);
  }
}

}  // namespace summa::bus_redis
