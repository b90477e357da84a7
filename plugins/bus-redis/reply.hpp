// One reply of Redis, owned. Views into it live as long as it does.
#pragma once

#include <hiredis/hiredis.h>

#include <memory>
#include <string_view>

#include "plugins/bus-redis/reply_arena.hpp"

namespace summa::bus_redis {

struct ReplyDeleter {
  void operator()(redisReply* /*reply*/) { arena.reset(); }
  std::unique_ptr<ReplyArena> arena;  // the whole reply lies in it
};
using Reply = std::unique_ptr<redisReply, ReplyDeleter>;

inline bool IsError(const redisReply& reply) { return reply.type == REDIS_REPLY_ERROR; }
inline bool IsNil(const redisReply& reply) { return reply.type == REDIS_REPLY_NIL; }
inline bool IsArray(const redisReply& reply) { return reply.type == REDIS_REPLY_ARRAY; }
inline bool IsString(const redisReply& reply) { return reply.type == REDIS_REPLY_STRING; }
// The bytes of a string, status or error; empty for the other types.
inline std::string_view Text(const redisReply& reply) {
  return reply.str == nullptr ? std::string_view{} : std::string_view{reply.str, reply.len};
}

}  // namespace summa::bus_redis
