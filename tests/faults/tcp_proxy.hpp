// A small proxy between a program under test and a server, which breaks connections on demand.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

struct pollfd;

namespace summa::test {

// Where to listen or to connect.
struct ProxyAddress {
  std::string unix_path;  // a socket's path; empty: TCP on 127.0.0.1
  int port = 0;           // 0 to listen on: any free one

  static ProxyAddress Tcp(int port = 0) { return {{}, port}; }
  static ProxyAddress Unix(std::string path) { return {std::move(path), 0}; }
  // The socket of a PostgreSQL server, or of what plays one, in `directory`.
  static ProxyAddress Postgres(const std::string& directory) {
    return Unix(directory + "/.s.PGSQL.5432");
  }
};

enum class Direction { kToServer = 0, kToClient = 1 };

// What happens to the bytes of one direction. The default is nothing.
struct ProxyFault {
  enum class Flow {
    kPass,
    // Kept here and passed on when the fault ends, as by a network that retransmits: neither side
    // hears that the other has gone.
    kHold,
    // Read and thrown away; the connection is closed when the fault ends, for it misses bytes.
    kSwallow
  };
  Flow flow = Flow::kPass;
  // Both ends are closed after this many bytes more of this direction (0: at once), counted from
  // the setting of the fault, and for a later connection from its beginning.
  std::optional<std::uint64_t> cut_after_bytes{};
  // The same in messages of PostgreSQL's protocol; to the server only.
  std::optional<std::uint64_t> cut_after_messages{};
  bool reset = false;  // cut by RST instead of by a close (TCP only)
  std::chrono::milliseconds delay{0};
  std::size_t slice_bytes = 0;  // most bytes per write; 0: no limit
};

struct ProxyCounts {
  std::uint64_t to_server_bytes = 0, to_client_bytes = 0;  // passed on
  std::uint64_t swallowed_bytes = 0;                       // of both directions
};

// Listens, connects each client to the target and copies in one thread of its own. Every setting
// takes effect at once, for connections that are open and for those to come. Thread-safe. Ends all
// connections when it goes. Errors: std::runtime_error when it cannot listen.
class TcpProxy {
 public:
  TcpProxy(ProxyAddress listen, ProxyAddress target);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  int Port() const { return listen_.port; }

  void Set(Direction direction, const ProxyFault& fault);
  // One connection only, by its number (from 0, in the order in which they came).
  void SetFor(std::size_t connection, Direction direction, const ProxyFault& fault);
  // Connections to come only; the number of the first of them.
  std::size_t SetForLater(Direction direction, const ProxyFault& fault);
  // Both directions, all connections.
  void Clear();
  // New connections find nobody listening.
  void Refuse(bool refuse);
  // Ends every open connection.
  void CutAll(bool reset = false);

  ProxyCounts Counts() const;  // of all connections, past ones too
  ProxyCounts CountsOf(std::size_t connection) const;
  std::size_t Accepted() const;  // also the number of the next one
  std::size_t Open() const;

 private:
  struct Connection;
  class Descriptor;

  void Run();
  void Wake() const;
  void Listen();
  void Accept();
  static void Apply(Connection& connection, Direction direction, const ProxyFault& fault);
  static int Watch(const Connection& connection, std::vector<pollfd>& watched, int timeout_ms);
  static bool Step(Connection& connection);

  ProxyAddress listen_;
  const ProxyAddress target_;
  mutable std::mutex mutex_;  // for all below
  std::unique_ptr<Descriptor> listener_, wake_up_;
  std::map<std::size_t, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<ProxyCounts>> counts_;  // by number
  std::array<ProxyFault, 2> faults_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace summa::test
