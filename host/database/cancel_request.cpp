#include "host/database/cancel_request.hpp"

#include <array>
#include <exception>
#include <future>
#include <memory>
#include <thread>

namespace summa::host {
namespace {

constexpr std::size_t kMessageSize = 256;  // as libpq's documentation recommends

}  // namespace

bool SendCancelRequest(PGconn* connection, std::chrono::milliseconds timeout) noexcept {
  try {
    const std::shared_ptr<PGcancel> cancel(PQgetCancel(connection), &PQfreeCancel);
    if (!cancel) return true;  // the connection is closed: nothing runs
    std::packaged_task<void()> request([cancel] {
      std::array<char, kMessageSize> message{};
      PQcancel(cancel.get(), message.data(), static_cast<int>(message.size()));
    });
    const std::future<void> sent = request.get_future();
    std::thread(std::move(request)).detach();
    return sent.wait_for(timeout) == std::future_status::ready;
  } catch (const std::exception&) {
    return false;  // no thread, or no memory
  }
}

}  // namespace summa::host
