#include "horizon.hpp"

#include <algorithm>

namespace summa::outbox {

void Horizon::Update(OpenTransactions open) {
  std::sort(open.names.begin(), open.names.end());
  if (earlier_) {
    std::erase_if(earlier_->names, [&](const std::string& name) {
      return !std::binary_search(open.names.begin(), open.names.end(), name);
    });
    if (!earlier_->names.empty()) return;
    time_ = earlier_->server_time - kStartMargin;
  }
  earlier_ = std::move(open);
}

}  // namespace summa::outbox
