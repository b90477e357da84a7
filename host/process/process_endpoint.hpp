// The other end of the link: how the process of a plugin answers its host. One thread reads what
// the host says; requests are handled as those of an HTTP server are.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "host/error.hpp"
#include "host/http/http_limits.hpp"
#include "host/http/http_queue.hpp"
#include "host/http/router.hpp"
#include "host/process/link.hpp"
#include "summa/mutex.hpp"

namespace summa::host {

class ProcessEndpoint {
 public:
  // Waits for what the host says first. Throws std::runtime_error when it says nothing.
  explicit ProcessEndpoint(int descriptor);
  ~ProcessEndpoint();  // StopServing()
  ProcessEndpoint(const ProcessEndpoint&) = delete;
  ProcessEndpoint& operator=(const ProcessEndpoint&) = delete;

  const std::vector<std::string>& set_up() const { return set_up_; }

  struct Orders {
    std::function<void()> stop;    // also when the host is gone
    std::function<void()> reload;  // TakeConfiguration() has what it said
  };
  // From now on the host is listened to. Once.
  void Listen(Orders orders);
  // From now on requests are answered; until then with 503. Once. What handlers refer to outlives
  // those that hang.
  void Serve(std::vector<HttpRoute> routes, const HttpLimits& limits);
  // The configuration that the host has read again, if it has since the last call. Any thread.
  std::optional<std::string> TakeConfiguration();

  void SayHello(const std::string& holder_of_leases);
  void SayRunning();
  // The last words. nullopt: it ends as it was told.
  void SayEnd(const std::optional<Error>& error);

  // No request is answered any more. A handler that hangs is left behind.
  void StopServing();

 private:
  void Read();
  void Handle(Message message);
  void Begin(std::uint64_t id, const std::vector<std::string>& parts);
  void Answer(std::uint64_t id, const HttpResponse& response);
  void Done(std::uint64_t id);

  const std::shared_ptr<Link> link_;
  std::vector<std::string> set_up_;
  std::vector<Message> early_;  // what came with the first message
  Orders orders_;
  std::shared_ptr<const Router> router_;
  std::unique_ptr<HttpQueue> queue_;
  Mutex mutex_;
  bool serving_ SUMMA_GUARDED_BY(mutex_) = false;
  std::atomic<bool> ending_{false};
  std::map<std::uint64_t, std::shared_ptr<HttpCall>> calls_ SUMMA_GUARDED_BY(mutex_);
  std::optional<std::string> configuration_ SUMMA_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace summa::host
