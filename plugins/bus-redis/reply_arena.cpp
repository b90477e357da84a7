#include "plugins/bus-redis/reply_arena.hpp"

#include <cstring>
#include <memory>
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
    part.element = allocator.template allocate_object<redisReply*>(elements);
    std::uninitialized_fill_n(part.element, elements, nullptr);
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
    return made;
  }();
  return functions;
}

void ReplyArena::MakeRepliesOf(redisReader& reader) {
  reader.fn = &Functions();
  reader.privdata = &memory_;
}

}  // namespace summa::bus_redis
