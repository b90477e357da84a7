// Where the parts of one reply lie. A reply of a thousand entries has tens of thousands of parts:
// hiredis would ask the heap for each of them, and give each back; an arena asks for a few blocks,
// and gives them back at once.
#pragma once

#include <hiredis/hiredis.h>

#include <array>
#include <cstddef>
#include <memory_resource>

namespace summa::bus_redis {

class ReplyArena {
 public:
  // The reader makes the parts of its next reply in this arena, which outlives them.
  void MakeRepliesOf(redisReader& reader);

 private:
  static constexpr std::size_t kSmallBytes = 512;  // a reply that is a word or two needs no block

  static redisReplyObjectFunctions& Functions();

  std::array<std::byte, kSmallBytes> small_;
  std::pmr::monotonic_buffer_resource memory_{small_.data(), small_.size()};
};

}  // namespace summa::bus_redis
