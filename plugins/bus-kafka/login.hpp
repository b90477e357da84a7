// User and password of every client of a bus. A reload replaces them: connections that exist stay,
// those to come use the new ones.
//
// Thread-safe.
#pragma once

#include <librdkafka/rdkafka.h>

#include <set>
#include <string>
#include <summa/mutex.hpp>
#include <utility>

namespace summa::bus_kafka {

class Login {
 public:
  using Words = std::pair<std::string, std::string>;  // user and password

  Login() = default;
  Login(std::string user, std::string password) : words_(std::move(user), std::move(password)) {}

  // Empty: there is no login.
  Words words() const;
  // Of every client, also of those that live.
  void Replace(std::string user, std::string password);

  // A client lives from Add() to Remove().
  void Add(rd_kafka_t* client);
  void Remove(rd_kafka_t* client);
  // Sets again what the client has. librdkafka wakes the threads of its brokers for that, and has
  // no other function that does.
  void WakeBrokers(rd_kafka_t* client) const;

 private:
  void Give(rd_kafka_t* client) const SUMMA_REQUIRES(mutex_);

  mutable Mutex mutex_;
  Words words_ SUMMA_GUARDED_BY(mutex_);
  std::set<rd_kafka_t*> clients_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::bus_kafka
