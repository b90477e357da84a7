#include "plugins/bus-kafka/login.hpp"

namespace summa::bus_kafka {

Login::Words Login::words() const {
  const MutexLock lock(mutex_);
  return words_;
}

void Login::Replace(std::string user, std::string password) {
  const MutexLock lock(mutex_);
  words_ = {std::move(user), std::move(password)};
  for (rd_kafka_t* client : clients_) Give(client);
}

// A client that was made with what has been replaced meanwhile has it from here on.
void Login::Add(rd_kafka_t* client) {
  const MutexLock lock(mutex_);
  clients_.insert(client);
  if (!words_.first.empty()) Give(client);
}

void Login::Remove(rd_kafka_t* client) {
  const MutexLock lock(mutex_);
  clients_.erase(client);
}

void Login::WakeBrokers(rd_kafka_t* client) const {
  const MutexLock lock(mutex_);
  Give(client);
}

// It fails only where there are no words at all.
void Login::Give(rd_kafka_t* client) const {
  rd_kafka_error_t* error =
      rd_kafka_sasl_set_credentials(client, words_.first.c_str(), words_.second.c_str());
  if (error != nullptr) rd_kafka_error_destroy(error);
}

}  // namespace summa::bus_kafka
