#include "coordinator/greeting_budget.h"

#include <algorithm>
#include <chrono>

namespace lrtune {
namespace {

constexpr std::size_t kMostAccounts = 65'536;

}  // namespace

double GreetingBudget::with_income(const Account& account, SteadyTime now) const {
  const double seconds = std::chrono::duration<double>(now - account.at).count();
  return std::min(most_, account.left + seconds * kASecond);
}

bool GreetingBudget::pays(const PeerId& peer, std::size_t held, SteadyTime now) {
  if (accounts_.size() >= kMostAccounts && !accounts_.contains(peer)) {
    std::erase_if(accounts_,
                  [&](const auto& entry) { return with_income(entry.second, now) >= most_; });
    if (accounts_.size() >= kMostAccounts) accounts_.clear();
  }
  Account& account = accounts_.try_emplace(peer, Account{most_, now}).first->second;
  account.left = with_income(account, now);
  account.at = now;
  const double price = kGreeting + static_cast<double>(held);
  if (account.left < price) return false;
  account.left -= price;
  return true;
}

}  // namespace lrtune
