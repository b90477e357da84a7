// The messages that consumers gave up, one stream of them per stream.
//
// One thread at a time, with a connection of its own. Throws summa::Error as Connection does, what
// ThrowRefused() says for what Redis refuses, SUMMA_E_USAGE SH-0900 for an id of the wrong form,
// SUMMA_E_TRY_LATER SH-0610 when others change the same dead letters without a pause.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <summa/bus.hpp>

#include "plugins/bus-redis/key_naming.hpp"
#include "plugins/bus-redis/message_fields.hpp"
#include "plugins/bus-redis/servers.hpp"

namespace summa::bus_redis {

class DeadLetters {
 public:
  DeadLetters(ConnectionOptions connection, KeyNaming names);

  // Of one stream, behind the id `after` (empty: from the oldest). False: enough.
  bool List(std::string_view stream, std::string_view after, const OnDeadLetter& on_letter);
  // Of every stream that has some. A key that cannot be read does not hide those of the others:
  // what is wrong with it is thrown behind them.
  void ListAll(const OnDeadLetter& on_letter);
  // Each goes to the tail of its stream and leaves the dead letters, both or neither.
  void Redrive(std::string_view stream, std::span<const summa_str> ids, std::uint64_t& done);
  void Discard(std::string_view stream, std::span<const summa_str> ids, std::uint64_t& done);

 private:
  // Nothing: somebody else changed the letters meanwhile.
  std::optional<bool> TryRedrive(const std::string& letters, const std::string& target,
                                 const std::string& id);
  std::optional<bool> SentOn(std::initializer_list<std::string_view> command,
                             const redisReply& error, Connection& connection,
                             const std::string& key);
  bool RedriveOne(std::string_view stream, const std::string& id);

  Servers servers_;
  const KeyNaming names_;
};

}  // namespace summa::bus_redis
