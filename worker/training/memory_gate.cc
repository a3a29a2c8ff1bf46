#include "worker/training/memory_gate.h"

#include <algorithm>
#include <chrono>

namespace lrtune {
namespace {

std::int64_t with_margin(std::int64_t bytes) { return bytes + bytes / 10; }

}  // namespace

MemoryAdmission::Ticket MemoryAdmission::ask(const Digest& key) {
  waiting_.emplace_back(++next_ticket_, key);
  return next_ticket_;
}

bool MemoryAdmission::enter(Ticket ticket, std::optional<std::int64_t> free) {
  if (waiting_.empty() || waiting_.front().first != ticket) return false;
  Need& need = needs_[waiting_.front().second];
  if (inside_ == 0) {
    room_ = free;
  } else if (room_ && !fits_beside(need)) {
    return false;
  }
  waiting_.pop_front();
  ++need.inside;
  ++inside_;
  return true;
}

bool MemoryAdmission::fits_beside(const Need& own) const {
  if (!own.bytes || own.ran_out) return false;
  std::int64_t all = with_margin(*own.bytes);
  for (const auto& [key, need] : needs_) {
    if (need.inside == 0) continue;
    if (!need.bytes || need.ran_out) return false;
    all += need.inside * with_margin(*need.bytes);
  }
  return all <= *room_ - kReserve;
}

void MemoryAdmission::withdraw(Ticket ticket) {
  std::erase_if(waiting_, [&](const auto& entry) { return entry.first == ticket; });
}

void MemoryAdmission::leave(const Digest& key) {
  --needs_[key].inside;
  --inside_;
}

bool MemoryAdmission::unmeasured(const Digest& key) const {
  const auto need = needs_.find(key);
  return room_ && (need == needs_.end() || !need->second.bytes);
}

void MemoryAdmission::measured(const Digest& key, std::int64_t bytes) {
  auto& known = needs_[key].bytes;
  known = std::max(known.value_or(0), bytes);
}

std::optional<MemoryGate::Place> MemoryGate::enter(const Digest& key,
                                                   const std::atomic<bool>& stop) {
  // Nobody tells when `stop` is set, so it is looked at.
  constexpr std::chrono::milliseconds kLook{100};
  std::unique_lock lock(mutex_);
  const auto ticket = admission_.ask(key);
  while (!admission_.enter(ticket, free_())) {
    if (stop) {
      admission_.withdraw(ticket);
      changed_.notify_all();  // another may be the first now
      return std::nullopt;
    }
    changed_.wait_for(lock, kLook);
  }
  changed_.notify_all();
  return Place(*this, key);
}

MemoryGate::Place::~Place() {
  if (gate_ == nullptr) return;
  const std::lock_guard lock(gate_->mutex_);
  gate_->admission_.leave(key_);
  gate_->changed_.notify_all();
}

bool MemoryGate::Place::unmeasured() const {
  const std::lock_guard lock(gate_->mutex_);
  return gate_->admission_.unmeasured(key_);
}

void MemoryGate::Place::measured(std::int64_t bytes) {
  const std::lock_guard lock(gate_->mutex_);
  gate_->admission_.measured(key_, bytes);
  gate_->changed_.notify_all();
}

void MemoryGate::Place::ran_out() {
  const std::lock_guard lock(gate_->mutex_);
  gate_->admission_.ran_out(key_);
}

void MemoryGate::Place::ended_well() {
  const std::lock_guard lock(gate_->mutex_);
  gate_->admission_.ended_well(key_);
  gate_->changed_.notify_all();
}

}  // namespace lrtune
