#include "plugins/bus-redis/reply_arena.hpp"

#include <cstring>
#include <new>

namespace summa::bus_redis {
namespace {

using Memory = std::pmr::monotonic_buffer_resource;

// hiredis is C: nothing may be thrown through it. It takes null for "no memory".
template <typename Make>
void* Part(const redisReadTask* task, Make make) noexcept {
  try {
    std::pmr::polymorphic_allocator<> allocator(static_cast<Memory*>(task->privdata));
    auto* part = allocator.new_object<redisReply>();
    part->type = task->type;
    make(allocator, *part);
    if (task->parent != nullptr) {
      static_cast<redisReply*>(task->parent->obj)->element[task->idx] = part;
    }
    return part;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void* MakeString(const redisReadTask* task, char* text, std::size_t size) {
  return Part(task, [&](auto& allocator, redisReply& part) {
    part.str = allocator.template allocate_object<char>(size + 1);
    std::memcpy(part.str, text, size);
    part.str[size] = '\0';
    part.len = size;
  });
}

void* MakeArray(const redisReadTask* task, std::size_t elements) {
  return Part(task, [&](auto& allocator, redisReply& part) {
    if (elements == 0) return;
    // Every place is filled before the reply is given to anybody.
    part.element = allocator.template allocate_object<redisReply*>(elements);
    part.elements = elements;
  });
}

void* MakeInteger(const redisReadTask* task, long long value) {
  return Part(task, [&](auto& /*allocator*/, redisReply& part) { part.integer = value; });
}

void* MakeNil(const redisReadTask* task) {
  // A string or an array was announced.
  return Part(task, [](auto& /*allocator*/, redisReply& part) { part.type = REDIS_REPLY_NIL; });
}

// From hiredis 1.0 on. We do not ask for RESP3, and a null function would make no part and no
// error.
template <typename Functions>
void RefuseResp3(Functions& functions) {
  if constexpr (requires { functions.createDouble; }) {
    functions.createDouble = [](const redisReadTask*, double, char*, std::size_t) -> void* {
      return nullptr;
    };
    functions.createBool = [](const redisReadTask*, int) -> void* { return nullptr; };
  }
}

}  // namespace

redisReplyObjectFunctions& ReplyArena::Functions() {
  static redisReplyObjectFunctions functions = [] {
    redisReplyObjectFunctions made{};
    made.createString = MakeString;
    // Counted by an int before hiredis 1.0, by a size_t since.
    made.createArray = [](const redisReadTask* task, auto elements) {
      return MakeArray(task, static_cast<std::size_t>(elements));
    };
    made.createInteger = MakeInteger;
    made.createNil = MakeNil;
    made.freeObject = [](void*) {};  // with the arena
    RefuseResp3(made);
    return made;
  }();
  return functions;
}

void ReplyArena::MakeRepliesOf(redisReader& reader) {
  reader.fn = &Functions();
  reader.privdata = &memory_;
}

}  // namespace summa::bus_redis
