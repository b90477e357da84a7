// User and password at a server. They may change while connections are made from them.
#pragma once

#include <string>
#include <summa/mutex.hpp>
#include <utility>

namespace summa::bus_redis {

struct Login {
  std::string user;      // empty: the default user
  std::string password;  // empty: no login. Never printed.
};

// Asked before each connection. Thread-safe.
class RenewableLogin {
 public:
  explicit RenewableLogin(Login login) : login_(std::move(login)) {}
  Login Now() const {
    const MutexLock lock(mutex_);
    return login_;
  }
  void Renew(Login login) {
    const MutexLock lock(mutex_);
    login_ = std::move(login);
  }

 private:
  mutable Mutex mutex_;
  Login login_ SUMMA_GUARDED_BY(mutex_);
};

}  // namespace summa::bus_redis
