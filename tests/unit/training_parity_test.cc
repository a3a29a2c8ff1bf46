// The networks and optimizers against Python's PyTorch: tests/fixtures/parity/make_parity.py
// trained the same from the same weights on the same batches.
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "common/training/model_spec.h"
#include "common/training/optimizer_spec.h"
#include "worker/training/models.h"
#include "worker/training/optimizers.h"

namespace lrtune {
namespace {

using nlohmann::json;

constexpr std::int64_t kBatch = 6;
constexpr double kDoubleTolerance = 1e-9;  // relative
constexpr double kFloatTolerance = 1e-4;

// make_parity.py: pattern.
at::Tensor pattern(std::uint64_t stream, std::int64_t count) {
  constexpr std::uint64_t k32 = std::uint64_t{1} << 32U;
  at::Tensor values = at::empty(count, at::kDouble);
  auto* value = values.mutable_data_ptr<double>();
  for (std::uint64_t place = 0; place < static_cast<std::uint64_t>(count); ++place) {
    std::uint64_t mixed =
        ((place + 1) * 2654435761U + (stream + 1) * 40503U * std::uint64_t{65537}) % k32;
    mixed = ((mixed ^ (mixed >> 15U)) * 2246822519U) % k32;
    mixed ^= mixed >> 13U;
    value[place] = static_cast<double>(mixed) / static_cast<double>(k32) - 0.5;
  }
  return values;
}

double rate_at(double base, std::int64_t step) {
  return base * static_cast<double>(1 + step * 7 % 10) / 8;
}

struct Batch {
  at::Tensor images;
  at::Tensor labels;
};

// One line of the fixture.
class ParityRun {
 public:
  explicit ParityRun(const json& line) : line_(line) {
    const json& sizes = line.at("shape");
    shape_ = {sizes[0], sizes[1], sizes[2], sizes[3]};
  }

  std::string name() const {
    return line_["model"].get<std::string>() + ", " + line_["optimizer"].dump();
  }

  // The losses before each step.
  std::vector<double> train(at::ScalarType type, std::size_t steps) {
    const auto spec = model_from_json(line_.at("model")).value();
    model_ = make_model(spec, shape_, 1, at::kCPU, {type, line_.at("width")}).value();
    set_weights();
    const auto optimizer =
        make_optimizer(optimizer_from_json(line_.at("optimizer")).value(), model_->parameters())
            .value();
    std::vector<at::Tensor> values;
    for (const Parameter& parameter : model_->parameters()) values.push_back(parameter.value);
    std::vector<double> losses;
    for (std::int64_t step = 0; step < static_cast<std::int64_t>(steps); ++step) {
      const Batch batch = batch_of(step, type);
      const ForwardPass pass{.training = true, .seed = 1, .iteration = step};
      const at::Tensor loss =
          at::cross_entropy_loss(model_->logits(batch.images, pass), batch.labels);
      losses.push_back(loss.item<double>());
      optimizer->step(torch::autograd::grad({loss}, values), rate_at(line_.at("rate"), step), step);
    }
    return losses;
  }

  std::map<std::string, double> norms() const {
    std::map<std::string, double> found;
    const auto add = [&](const std::string& name, const at::Tensor& value) {
      found[name] = value.detach().norm().item<double>();
    };
    for (const Parameter& parameter : model_->parameters()) add(parameter.name, parameter.value);
    for (const NamedTensor& buffer : model_->buffers()) add(buffer.name, buffer.value);
    return found;
  }

 private:
  void set_weights() {
    const at::NoGradGuard no_graph;
    std::uint64_t number = 0;
    for (const Parameter& parameter : model_->parameters()) {
      const at::Tensor& value = parameter.value;
      at::Tensor values = pattern(number++, value.numel()).reshape(value.sizes());
      if (value.dim() > 1) {
        const auto fan_in = static_cast<double>(value.numel() / value.size(0));
        values = values * 2 * std::sqrt(3 / fan_in);
      } else {
        values = values * 0.2 + 1;
      }
      value.copy_(values);
    }
  }

  Batch batch_of(std::int64_t step, at::ScalarType type) const {
    const auto stream = static_cast<std::uint64_t>(step);
    const std::int64_t count = kBatch * shape_.channels * shape_.rows * shape_.columns;
    const at::Tensor images = pattern(1000 + stream, count)
                                  .mul_(2)
                                  .reshape({kBatch, shape_.channels, shape_.rows, shape_.columns});
    const at::Tensor labels = pattern(2000 + stream, kBatch).add_(0.5).mul_(shape_.classes).floor();
    return {images.to(type).contiguous(at::MemoryFormat::ChannelsLast), labels.to(at::kLong)};
  }

  const json& line_;
  ImageShape shape_;
  std::unique_ptr<Model> model_;
};

double difference(double one, double other) {
  return std::abs(one - other) / std::max(std::abs(other), 1e-30);
}

std::vector<json> fixture_of(const std::string& model) {
  std::vector<json> lines;
  std::ifstream file(LRTUNE_FIXTURES "/parity/parity.jsonl");
  for (std::string line; std::getline(file, line);) {
    json parsed = json::parse(line);
    if (parsed.at("model") == model) lines.push_back(std::move(parsed));
  }
  return lines;
}

class ParityTest : public testing::TestWithParam<std::string> {
 protected:
  static void SetUpTestSuite() { at::set_num_threads(1); }  // threads that wait would spin
};

TEST_P(ParityTest, TrainsAsPyTorchDoesWithEveryOptimizer) {
  std::set<std::string> optimizers;
  for (const json& line : fixture_of(GetParam())) {
    ParityRun run(line);
    SCOPED_TRACE(run.name());
    optimizers.insert(line["optimizer"]["name"]);
    const std::vector<double> wanted = line.at("losses");
    ASSERT_EQ(wanted.size(), 50U);
    const std::vector<double> losses = run.train(at::kDouble, wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      ASSERT_LT(difference(losses[i], wanted[i]), kDoubleTolerance) << "loss of step " << i;
    }
    const std::map<std::string, double> norms = run.norms();
    ASSERT_EQ(norms.size(), line.at("norms").size());
    for (const auto& [name, norm] : norms) {
      ASSERT_TRUE(line["norms"].contains(name)) << name;
      EXPECT_LT(difference(norm, line["norms"][name]), kDoubleTolerance) << name;
    }
    const std::vector<double> in_float = line.at("float32");
    const std::vector<double> found = run.train(at::kFloat, in_float.size());
    for (std::size_t i = 0; i < in_float.size(); ++i) {
      EXPECT_LT(difference(found[i], in_float[i]), kFloatTolerance) << "float32, step " << i;
    }
  }
  const auto known = known_optimizers();
  EXPECT_EQ(optimizers, std::set<std::string>(known.begin(), known.end()));
}

INSTANTIATE_TEST_SUITE_P(Model, ParityTest,
                         testing::ValuesIn(built_in_models().begin(), built_in_models().end()),
                         [](const auto& model) { return model.param; });

}  // namespace
}  // namespace lrtune
