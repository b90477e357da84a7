// What the HTTP benchmark does to a host, and the bare responder that it compares it with.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "summa/mutex.hpp"

namespace summa::bench {

// A connection to a port of 127.0.0.1. Errors: std::runtime_error.
class Socket {
 public:
  explicit Socket(int port);
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&& other) noexcept;
  ~Socket();

  // What cannot be sent because the other side has closed is dropped.
  void Send(std::string_view text) const;
  std::string ReadAll() const;     // to the end of the connection
  void ReadHead() const;           // of an answer
  std::string ReadAnswer() const;  // with as much body as its Content-Length says
  bool Answered() const;           // something can be read
  // Drops what can be read.
  bool Closed() const;

 private:
  int descriptor_;
};

struct Reply {
  std::string text;
  double milliseconds = 0;  // from connecting to the end
};
// GET over a connection of its own. Throws unless the status is `expected`.
Reply Ask(int port, const std::string& path, int expected = 200);

// A connection over which one request follows the other.
class KeptConnection {
 public:
  explicit KeptConnection(int port) : socket_(port) {}
  // GET. Throws unless the status is `expected`. The text: head and body.
  std::string Ask(const std::string& path, int expected = 200);

 private:
  const Socket socket_;
};

// Answers each path with its text, one connection after the other, as fast as it goes.
class BareResponder {
 public:
  explicit BareResponder(std::map<std::string, std::string> answers);
  ~BareResponder();
  BareResponder(const BareResponder&) = delete;
  BareResponder& operator=(const BareResponder&) = delete;
  int port() const { return port_; }

 private:
  void Serve() const;

  const std::map<std::string, std::string> answers_;
  int descriptor_ = -1, port_ = 0;
  std::thread thread_;
};

// Calls a function again and again on a thread of its own.
class Repeated {
 public:
  Repeated(std::chrono::milliseconds pause, std::function<void()> turn);
  ~Repeated();
  Repeated(const Repeated&) = delete;
  Repeated& operator=(const Repeated&) = delete;
  // Throws when a turn has thrown; it was the last one then.
  void Check();

 private:
  void Run();

  const std::chrono::milliseconds pause_;
  const std::function<void()> turn_;
  Mutex mutex_;
  ConditionVariable changed_;
  bool stopping_ SUMMA_GUARDED_BY(mutex_) = false;
  std::string error_ SUMMA_GUARDED_BY(mutex_);
  std::thread thread_;
};

// Many connections that are kept open: those that the host closes are opened again.
class Crowd {
 public:
  enum class Kind {
    kIdle,  // each has had its answer
    kSlow,  // each sends a head byte by byte, one in each pause
  };
  Crowd(Kind kind, int port, int connections, std::chrono::milliseconds pause);
  void Check() { keeper_.Check(); }
  long long opened_again() const { return opened_again_; }

 private:
  Socket Open() const;
  void Keep();

  const Kind kind_;
  const int port_;
  std::vector<Socket> sockets_;  // of the keeper, once it runs
  std::atomic<long long> opened_again_{0};
  Repeated keeper_;
};

// A route all of whose places are taken, and which is asked again and again.
class FullRoute {
 public:
  // path: does not answer while this object lives. places: that the host has for the plugin.
  FullRoute(int port, const std::string& path, int places);
  void Check() { asking_.Check(); }
  long long refused() const { return refused_; }  // with 503

 private:
  const std::vector<Socket> held_;
  std::atomic<long long> refused_{0};
  Repeated asking_;
};

}  // namespace summa::bench
