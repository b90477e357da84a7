#include "lanes.hpp"

#include <algorithm>

namespace summa::outbox {

void Lanes::HoldUntil(const Lane& lane, BootTime until) { held_[LaneName(lane)] = until; }
void Lanes::Block(const Lane& lane) { blocked_.insert(LaneName(lane)); }
void Lanes::SetBlocked(const std::vector<Lane>& lanes) {
  blocked_.clear();
  for (const Lane& lane : lanes) blocked_.insert(LaneName(lane));
}
void Lanes::BackUp(const Lane& lane) { backed_up_.try_emplace(LaneName(lane), lane); }
void Lanes::SetBackedUp(const std::vector<Lane>& lanes) {
  backed_up_.clear();
  for (const Lane& lane : lanes) BackUp(lane);
}
void Lanes::Emptied(const Lane& lane) { backed_up_.erase(LaneName(lane)); }
void Lanes::PauseStream(const std::string& stream, BootTime until) { paused_[stream] = until; }
void Lanes::Succeeded(const std::string& stream) { faults_.erase(stream); }
std::int64_t Lanes::StreamFaults(const std::string& stream) { return ++faults_[stream]; }

bool Lanes::Expire(BootTime now) {
  const auto due = [now](const auto& entry) { return entry.second <= now; };
  std::erase_if(held_, due);
  return std::erase_if(paused_, due) > 0;
}

bool Lanes::Held(const std::string& lane) const {
  return held_.contains(lane) || blocked_.contains(lane);
}
bool Lanes::BackedUp(const std::string& lane) const { return backed_up_.contains(lane); }
bool Lanes::Paused(std::string_view stream) const { return paused_.find(stream) != paused_.end(); }

std::vector<std::string> Lanes::PausedStreams() const {
  std::vector<std::string> streams;
  streams.reserve(paused_.size());
  for (const auto& [stream, until] : paused_) streams.push_back(stream);
  return streams;
}

std::vector<Lane> Lanes::Released(std::size_t limit) const {
  std::vector<Lane> lanes;
  for (const auto& [name, lane] : backed_up_) {
    if (lanes.size() == limit) break;
    if (!Held(name) && !Paused(lane.stream)) lanes.push_back(lane);
  }
  return lanes;
}

std::optional<BootTime> Lanes::NextDue() const {
  std::optional<BootTime> next;
  for (const auto* entries : {&held_, &paused_}) {
    for (const auto& [name, until] : *entries) next = next ? std::min(*next, until) : until;
  }
  return next;
}

}  // namespace summa::outbox
