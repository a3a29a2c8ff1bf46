// Ten million learning rates of each kind of function; the aim is well under a second.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/policy/policy.h"

namespace lrtune {
namespace {

constexpr std::size_t kRates = 10'000'000;
constexpr std::size_t kChunk = 8192;  // as `lrtune schedule` asks for them

Policy policy_of(LrFunctionKind kind) {
  LrFunction f{.kind = kind, .k0 = 0.01, .k1 = 0.06, .gamma = 0.99994, .p = 1.2, .l = 2000};
  if (kind == LrFunctionKind::kNstep) f.boundaries = {5000, 7000, 8000, 9000, 9500};
  if (kind == LrFunctionKind::kPoly) f.l = kRates;
  if (kind == LrFunctionKind::kSig) f.gamma = -1e-6;
  return Policy{{Segment{.function = f}}};
}

void rates(benchmark::State& state, LrFunctionKind kind) {
  const Policy policy = policy_of(kind);
  std::vector<double> chunk(kChunk);
  for (auto _ : state) {
    for (std::size_t first = 0; first < kRates; first += kChunk) {
      learning_rates(policy, static_cast<std::int64_t>(first), chunk);
      benchmark::DoNotOptimize(chunk.data());
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kRates));
}

const bool kRegistered = [] {
  for (const LrFunctionKind kind : all_lr_functions()) {
    benchmark::RegisterBenchmark(std::string(name_of(kind)).c_str(), rates, kind)
        ->Unit(benchmark::kMillisecond);
  }
  return true;
}();

}  // namespace
}  // namespace lrtune
