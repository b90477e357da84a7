// Whether a connection still leads to the right server, and whether that server still answers
// anybody (decision 0041). Only for host/database.
//
// A frozen server keeps its connections: the kernel of its machine answers for it, so that no
// timeout of TCP ends them. What is asked there waits for ever. A slow statement looks the same
// from here, so the server is asked for another connection before anything is given up.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <summa/backoff.hpp>

#include "host/database/backend_identity.hpp"
#include "host/database/connection_settings.hpp"
#include "host/database/session.hpp"
#include "host/database/wake_up.hpp"

namespace summa::host {

// Of one connection, which owns it.
class ServerWatch {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // address: as KnownServers has it; parameters: those that the connection was opened with.
  ServerWatch(const DatabaseSettings& settings, std::string address,
              ConnectionParameters parameters, ServerLife server);

  // Why the connection is no good any more: its server has fallen silent, or another one is the
  // primary by now. Empty: it is. Never waits.
  std::string Outdated() const;
  // Opens another connection; whatever the server says to that, also that it has none to give, is
  // an answer. A signal of `wake` ends it and says nothing against the server.
  bool Answers(WakeUp& wake) const;
  // From now on the others that are connected to it know, too.
  void ReportSilence() const;
  Microseconds timeout() const { return timeout_; }

 private:
  const std::string url_, address_;
  const bool must_write_;
  const Microseconds timeout_;
  const ConnectionParameters parameters_;
  const ServerLife server_;
  const std::uint64_t silences_;  // of the address, when the connection was opened
};

// One wait for an answer.
class AnswerWait {
 public:
  using TimePoint = ServerWatch::TimePoint;

  explicit AnswerWait(const ServerWatch* watch);  // nullptr: the server is not checked
  std::optional<TimePoint> next_check() const { return next_check_; }
  // Checks the server when it is time to. False: the server is silent.
  bool CheckServer(WakeUp& wake);

 private:
  const ServerWatch* watch_;
  std::optional<Backoff> pauses_;  // between answers, after the first check
  std::optional<TimePoint> next_check_;
  int unanswered_ = 0;
};

}  // namespace summa::host
