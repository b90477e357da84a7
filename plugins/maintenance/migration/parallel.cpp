#include "migration/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>

namespace summa::maintenance {

void InParallel(std::size_t count, int threads, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::vector<std::exception_ptr> thrown(count);
  const auto take = [&] {
    for (std::size_t i = next++; i < count && !failed; i = next++) {
      try {
        work(i);
      } catch (...) {
        thrown[i] = std::current_exception();
        failed = true;
      }
    }
  };
  std::vector<std::thread> running;
  const std::size_t most = std::min(count, static_cast<std::size_t>(std::max(threads, 1)));
  for (std::size_t i = 0; i < most; ++i) running.emplace_back(take);
  for (std::thread& thread : running) thread.join();
  for (const std::exception_ptr& exception : thrown) {
    if (exception) std::rethrow_exception(exception);
  }
}

void VacuumEach(const summa_sql_v1* sql, const std::vector<Partition>& partitions,
                const std::string& options, int workers) {
  InParallel(partitions.size(), workers, [&](std::size_t i) {
    Session session(sql);
    session.ExecAutocommit("VACUUM (" + options + ") " + partitions[i].quoted);
  });
}

}  // namespace summa::maintenance
