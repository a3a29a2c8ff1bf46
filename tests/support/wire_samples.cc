#include "tests/support/wire_samples.h"

#include <limits>

namespace lrtune::wire::testing {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

Digest digest_from(std::uint8_t first) {
  Digest digest;
  for (std::uint8_t i = 0; i < 32; ++i) digest.bytes[i] = static_cast<std::uint8_t>(first + 7 * i);
  return digest;
}

Numerics sample_numerics() { return {"libtorch 2.15.0", "cpu", "AVX512", 2, "channels_last"}; }

TrainSpec sample_train() {
  TrainSpec train;
  train.dataset = {"mnist", "/data/m\xC3\xBCnchen"};
  train.validation = 0.1;
  train.model.name = "lenet";
  train.optimizer = {"momentum", MomentumStyle::kTorch, 0.9, 5e-4};
  train.batch = 100;
  train.threads = 2;
  return train;
}

DataFacts sample_facts() { return {digest_from(3), 54'000, 6'000, 10'000, 10}; }

MetricPoint sample_point() {
  MetricPoint point;
  point.iteration = 500;
  point.state = digest_from(200);
  point.learning_rate = 0.1;
  point.train = {std::numeric_limits<double>::denorm_min(), 1, 1, {}};
  point.evaluated = {std::numeric_limits<double>::infinity(), 1.0 / 3, 0.5,
                     Confidence{0.75, 0.2, 1.0 / 7, 3}};
  point.train_seconds = 12.000000000000002;
  return point;
}

Policy sample_policy() {
  LrFunction first;
  first.kind = LrFunctionKind::kTri;
  first.k0 = 0.001;
  first.k1 = 0.1 + 0.2;
  first.l = 2'000;
  LrFunction second;
  second.kind = LrFunctionKind::kNstep;
  second.k0 = 1e-300;
  second.gamma = 0.1;
  second.boundaries = {10, 5'000'000'000};
  return Policy{{{first, 60'000, 0}, {second, kNoEnd, 17}}};
}

Policy sample_reactive_policy() {
  Plateau plateau;
  plateau.functions = {{.kind = LrFunctionKind::kTri, .k0 = 0.001, .k1 = 0.3, .l = 2'000},
                       {.kind = LrFunctionKind::kFix, .k0 = 0.001}};
  plateau.start = 1;
  plateau.every = 500;
  plateau.metric = PlateauMetric::kTop1;
  plateau.window = 3;
  plateau.threshold = 0.001;
  plateau.cooldown = 3;
  plateau.length = 46'875;
  return Policy{.segments = {}, .plateau = plateau};
}

}  // namespace

Assign sample_assign() {
  Assign assign;
  assign.job.value = 7;
  assign.attempt = 2;
  assign.identity = {sample_train(), sample_facts(), sample_numerics()};
  assign.policy = sample_policy();
  assign.seed = std::numeric_limits<std::uint64_t>::max();
  assign.plan = {10'000, 500, Part::kTest, 5'000, Target{Measure::kTop1, 0.991}, true};
  return assign;
}

std::vector<Sample<ToCoordinator>> samples_to_coordinator() {
  const JobId job{kMost};
  const Hello hello{"node7/0", "5f2c", 3, sample_numerics(), {{JobId{1}, 1}, {job, kMost}}};
  const Outcome completed{OutcomeKind::kCompleted, 10'000, digest_from(1), ""};
  Outcome realised = completed;
  realised.realised = sample_policy();
  MetricPoint with_m_opt = sample_point();
  with_m_opt.m_opt = {{1, 0.1, 0.3}, {251, 0.1, std::nullopt}};
  const Outcome failed{OutcomeKind::kFailed, 0, {}, "no file \xE2\x80\x9Ctrain\xE2\x80\x9D"};
  const Outcome failed_here{OutcomeKind::kFailedHere, 12, digest_from(2), "out of memory"};
  return {{"hello", hello},
          {"heartbeat", Heartbeat{}},
          {"surveyed", Surveyed{4, sample_facts(), ""}},
          {"surveyed_error", Surveyed{4, std::nullopt, "no such folder"}},
          {"started", Started{job, 1}},
          {"progress", Progress{JobId{1}, 3, 4'294'967'296}},
          {"measured", Measured{JobId{128}, 1, 2, sample_point()}},
          {"finished", Finished{JobId{255}, 1, 3, completed}},
          {"measured_m_opt", Measured{JobId{128}, 1, 2, with_m_opt}},
          {"finished_realised", Finished{JobId{255}, 1, 3, realised}},
          {"finished_failed", Finished{JobId{65'536}, kMost, kMost, failed}},
          {"finished_failed_here", Finished{JobId{7}, 2, 2, failed_here}},
          {"refused", Refused{JobId{9}, 1, "no free slot"}},
          {"goodbye", Goodbye{}},
          {"submit", Submit{1, "m\xC3\xBCnchen.yaml", "name: a\nseed: 1\n", "cuda", -3}},
          {"order", Order{2, OrderKind::kBan, "node7/0", "its memory is broken"}},
          {"extend", Extend{3, "mine", 20'000, 0, 80, "- {function: fix, k0: 0.1}\n"}},
          {"judge", Judge{4, TrialId{12}, JudgementKind::kComposed,
                          FlatJson{{"verdict", "better"}, {"top1", 0.5}, {"others", 3}}}},
          {"inspect", Inspect{kMost, InspectKind::kWorkers, "", "node6"}}};
}

std::vector<Sample<FromCoordinator>> samples_from_coordinator() {
  Assign reactive = sample_assign();
  reactive.policy = sample_reactive_policy();
  reactive.plan.m_opt_every = 250;
  return {{"welcome", Welcome{"a81b", 1'000, 10'000, 500}},
          {"introduce", Introduce{}},
          {"rejected", Rejected{"protocol version 3 is not spoken here"}},
          {"heartbeat", Heartbeat{}},
          {"survey", Survey{4, sample_train()}},
          {"assign", sample_assign()},
          {"assign_reactive", reactive},
          {"acknowledge", Acknowledge{JobId{32}, 1, 3}},
          {"cancel", Cancel{JobId{7}, 1, "the campaign was cancelled"}},
          {"shutdown", Shutdown{"all trials are done"}},
          {"answer", Answer{1, "", {{"campaign", 3}, {"best", {{"top1", 0.5}}}}}},
          {"answer_error", Answer{2, "there is no campaign 'x'", nlohmann::json::object()}}};
}

}  // namespace lrtune::wire::testing
