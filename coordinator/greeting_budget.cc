#include "coordinator/greeting_budget.h"

#include <algorithm>
#include <chrono>

namespace lrtune {
namespace {

constexpr std::size_t kMostAccounts = 65'536;

double with_income(double left, SteadyTime since, SteadyTime now) {
  const double seconds = std::chrono::duration<double>(now - since).count();
  return std::min(GreetingBudget::kMost, left + seconds * GreetingBudget::kASecond);
}

}  // namespace

bool GreetingBudget::pays(const PeerId& peer, std::size_t held, SteadyTime now) {
  if (accounts_.size() >= kMostAccounts && !accounts_.contains(peer)) {
    std::erase_if(accounts_, [&](const auto& entry) {
      return with_income(entry.second.left, entry.second.at, now) >= kMost;
    });
    if (accounts_.size() >= kMostAccounts) accounts_.clear();
  }
  Account& account = accounts_.try_emplace(peer, Account{kMost, now}).first->second;
  account.left = with_income(account.left, account.at, now);
  account.at = now;
  const double price = kGreeting + static_cast<double>(held);
  if (account.left < price) return false;
  account.left -= price;
  return true;
}

}  // namespace lrtune
