// Which keys a stream has, and where a Redis Cluster keeps a key.
//
// A plain name is {prefix}:stream:{topic}; a tagged one has the topic in braces, as in
// summa:stream:{credited}. A cluster keeps keys with the same text in braces in the same slot, and
// takes a transaction only when all of its keys are in one: a stream and its dead letters must be.
#pragma once

#include <string>
#include <string_view>

namespace summa::bus_redis {

inline constexpr int kHashSlots = 16384;

// 0 to 16383: CRC16 of the key, or of what stands in its first braces when that is not empty.
int HashSlot(std::string_view key);

class KeyNaming {
 public:
  explicit KeyNaming(std::string prefix, bool tagged = false)
      : prefix_(std::move(prefix)), tagged_(tagged) {}

  const std::string& prefix() const { return prefix_; }
  bool tagged() const { return tagged_; }
  std::string Stream(std::string_view topic) const { return Start("stream") + Topic(topic); }
  std::string DeadLetter(std::string_view topic) const { return Start("dlq") + Topic(topic); }
  // What stands before and behind the topic.
  std::string StreamStart() const { return Start("stream") + (tagged_ ? "{" : ""); }
  std::string DeadLetterStart() const { return Start("dlq") + (tagged_ ? "{" : ""); }
  std::string_view End() const { return tagged_ ? "}" : ""; }
  // A stream and its dead letters are in one slot of a cluster.
  bool FitsCluster() const;
  // The same names with or without braces.
  KeyNaming Other() const { return KeyNaming(prefix_, !tagged_); }

 private:
  std::string Start(std::string_view kind) const { return prefix_ + ":" + std::string(kind) + ":"; }
  std::string Topic(std::string_view topic) const {
    return tagged_ ? "{" + std::string(topic) + "}" : std::string(topic);
  }

  std::string prefix_;
  bool tagged_;
};

}  // namespace summa::bus_redis
