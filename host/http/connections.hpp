// The open connections. A new one always finds room: the one that idles longest gives way. A
// request that does not get on is given up. Thread-safe.
#pragma once

#include <list>
#include <memory>
#include <thread>

#include "host/clock.hpp"
#include "host/http/http_call.hpp"
#include "host/observe/http_metrics.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class Connections {
 public:
  class Entry;
  // most: above it, one is closed for each that comes. time: how long a request may take to arrive,
  // to be answered and to be read, each.
  Connections(std::size_t most, Microseconds time);
  ~Connections();  // Stop()
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // What the server says of each. The descriptor is open from Add() to Remove().
  Entry* Add(int descriptor);
  void Remove(Entry* entry);
  void Idle(Entry* entry);  // between two requests
  void Busy(Entry* entry);  // a request arrives, or is read
  void Handled(Entry* entry, const std::shared_ptr<HttpCall>& call);  // until it is answered

  // Nothing is given up any more.
  void Stop();

 private:
  using Time = std::chrono::steady_clock::time_point;

  void Move(Entry& entry, bool idle, std::shared_ptr<HttpCall> call) SUMMA_REQUIRES(mutex_);
  static void Close(Entry& entry);
  void CloseOne() SUMMA_REQUIRES(mutex_);
  void Watch();
  void GiveUp() SUMMA_REQUIRES(mutex_);

  const std::size_t most_;
  const std::chrono::microseconds time_;
  HttpMetrics metrics_;
  Mutex mutex_;
  ConditionVariable changed_;
  // The one whose state changed longest ago stands first.
  std::list<Entry> entries_ SUMMA_GUARDED_BY(mutex_);
  std::size_t open_ SUMMA_GUARDED_BY(mutex_) = 0;  // that are not being closed
  bool stopping_ SUMMA_GUARDED_BY(mutex_) = false;
  std::thread watch_;
};

class Connections::Entry {
  friend class Connections;
  int descriptor_ = -1;
  bool idle_ = true;
  bool closing_ = false;            // its end is on the way
  std::shared_ptr<HttpCall> call_;  // while it is handled
  Time since_;                      // of its state
  std::list<Entry>::iterator self_;
};

}  // namespace summa::host
