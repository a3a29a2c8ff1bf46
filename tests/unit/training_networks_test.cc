#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "worker/training/initial_weights.h"
#include "worker/training/models.h"
#include "worker/training/within_channel_norm.h"

namespace lrtune {
namespace {

using ::testing::HasSubstr;

constexpr ImageShape kMnist{.channels = 1, .rows = 28, .columns = 28, .classes = 10};
constexpr ImageShape kCifar{.channels = 3, .rows = 32, .columns = 32, .classes = 10};
constexpr ImageShape kImagenet{.channels = 3, .rows = 224, .columns = 224, .classes = 1000};

std::unique_ptr<Model> made(const ModelSpec& spec, const ImageShape& shape, std::uint64_t seed = 5,
                            const ModelVariant& variant = {}) {
  return std::move(make_model(spec, shape, seed, at::kCPU, variant).value());
}

ModelSpec mlp(std::int64_t hidden, double dropout) {
  return {.name = "mlp", .hidden = hidden, .dropout = dropout};
}

// Every model, small: what each is made with.
std::vector<ModelSpec> all_models() {
  std::vector<ModelSpec> specs;
  for (const std::string& name : built_in_models())
    specs.push_back(model_from_json(nlohmann::json(name)).value());
  return specs;
}

at::Tensor inputs_of(const ImageShape& shape, std::int64_t samples,
                     at::ScalarType type = at::kFloat) {
  const std::int64_t count = samples * shape.channels * shape.rows * shape.columns;
  return at::arange(count, at::kDouble)
      .mul_(0.37)
      .sin_()
      .to(type)
      .reshape({samples, shape.channels, shape.rows, shape.columns})
      .contiguous(at::MemoryFormat::ChannelsLast);
}

std::map<std::string, Parameter> by_name(const Model& model) {
  std::map<std::string, Parameter> parameters;
  for (const Parameter& parameter : model.parameters()) parameters[parameter.name] = parameter;
  return parameters;
}

std::int64_t count_of(const Model& model) {
  std::int64_t count = 0;
  for (const Parameter& parameter : model.parameters()) count += parameter.value.numel();
  return count;
}

double deviation_of(const at::Tensor& values) { return values.std().item<double>(); }

using Sizes = std::vector<std::int64_t>;

TEST(NetworksTest, Cnn3HasCaffesParameters) {
  const auto model = made({.name = "cnn3"}, kCifar);
  struct Row {
    const char* name;
    Sizes sizes;
    double rate, decay, deviation;
  };
  const std::vector<Row> rows{
      {"conv1.weight", {32, 3, 5, 5}, 1, 1, 1e-4}, {"conv1.bias", {32}, 2, 1, 0},
      {"conv2.weight", {32, 32, 5, 5}, 1, 1, .01}, {"conv2.bias", {32}, 2, 1, 0},
      {"conv3.weight", {64, 32, 5, 5}, 1, 1, .01}, {"conv3.bias", {64}, 1, 1, 0},
      {"ip1.weight", {10, 1024}, 1, 250, .01},     {"ip1.bias", {10}, 2, 0, 0}};
  ASSERT_EQ(model->parameters().size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Parameter& parameter = model->parameters()[i];
    EXPECT_EQ(parameter.name, rows[i].name);
    EXPECT_EQ(parameter.value.sizes().vec(), rows[i].sizes);
    EXPECT_EQ(parameter.rate, rows[i].rate) << parameter.name;
    EXPECT_EQ(parameter.decay, rows[i].decay) << parameter.name;
    EXPECT_NEAR(deviation_of(parameter.value), rows[i].deviation, 0.05 * rows[i].deviation)
        << parameter.name;
  }
  EXPECT_TRUE(model->buffers().empty());
}

// Caffe's pooling layers round up and average over what lies in the image.
TEST(NetworksTest, Cnn3ComputesCaffesNetwork) {
  const ImageShape shape{.channels = 2, .rows = 11, .columns = 8, .classes = 3};
  const auto model = made({.name = "cnn3"}, shape, 3, {.type = at::kDouble, .width = 0.1});
  const at::NoGradGuard no_graph;
  for (const Parameter& parameter : model->parameters()) {
    const std::int64_t count = parameter.value.numel();
    parameter.value.copy_(
        at::arange(count, at::kDouble).mul_(1.7).cos_().mul_(0.3).reshape(parameter.value.sizes()));
  }
  const auto p = by_name(*model);
  const auto convolved = [&](const at::Tensor& x, const std::string& name) {
    return at::conv2d(x, p.at(name + ".weight").value, p.at(name + ".bias").value, 1, 2);
  };
  const auto pooled = [](const at::Tensor& x, bool average) {
    const std::int64_t rows = (x.size(2) - 2) / 2 + 1;  // ceil((n - 3) / 2) + 1
    const std::int64_t columns = (x.size(3) - 2) / 2 + 1;
    at::Tensor y = at::empty({x.size(0), x.size(1), rows, columns}, x.options());
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        const at::Tensor window = x.slice(2, 2 * r, std::min(2 * r + 3, x.size(2)))
                                      .slice(3, 2 * c, std::min(2 * c + 3, x.size(3)));
        y.select(3, c).select(2, r).copy_(average ? window.mean({2, 3}) : window.amax({2, 3}));
      }
    }
    return y;
  };
  const auto normed = [](const at::Tensor& x) {
    const at::Tensor sums = at::conv2d((x * x).reshape({-1, 1, x.size(2), x.size(3)}),
                                       at::ones({1, 1, 3, 3}, x.options()), {}, 1, 1)
                                .reshape(x.sizes());
    return x / (1 + sums * (5e-5 / 9)).pow(0.75);
  };
  const at::Tensor inputs = inputs_of(shape, 4, at::kDouble) * 100;
  at::Tensor x = normed(pooled(convolved(inputs, "conv1"), false).clamp_min(0));
  x = normed(pooled(convolved(x, "conv2").clamp_min(0), true));
  x = pooled(convolved(x, "conv3").clamp_min(0), true);
  x = at::matmul(x.reshape({4, -1}), p.at("ip1.weight").value.t()) + p.at("ip1.bias").value;
  const at::Tensor logits = model->logits(inputs, {});
  EXPECT_EQ(logits.sizes().vec(), (Sizes{4, 3}));
  EXPECT_LT(((logits - x).abs() / (1 + x.abs())).max().item<double>(), 1e-12);
}

TEST(NetworksTest, WithinChannelNormHasTheGradientOfItsFormula) {
  at::Tensor x = inputs_of({.channels = 2, .rows = 4, .columns = 5}, 2, at::kDouble) * 2;
  const at::Tensor weights = at::arange(x.numel(), at::kDouble).mul_(0.9).sin_().reshape(x.sizes());
  const double alpha = 0.3;
  const auto value = [&](const at::Tensor& at_x) {
    return (within_channel_norm(at_x, alpha) * weights).sum();
  };
  const at::Tensor leaf = x.clone().set_requires_grad(true);
  const at::Tensor gradient = torch::autograd::grad({value(leaf)}, {leaf})[0];
  const double step = 1e-6;
  for (std::int64_t i = 0; i < x.numel(); i += 7) {
    const at::Tensor change = at::zeros(x.numel(), at::kDouble);
    change[i] = step;
    const at::Tensor shift = change.reshape(x.sizes());
    const double slope = (value(x + shift) - value(x - shift)).item<double>() / (2 * step);
    EXPECT_NEAR(gradient.reshape(-1)[i].item<double>(), slope, 1e-8) << i;
  }
}

TEST(NetworksTest, Resnet32IsThatOfThePaper) {
  const auto model = made({.name = "resnet32"}, kCifar);
  EXPECT_EQ(count_of(*model), 464154);  // He et al., table 6: 0.46 million
  EXPECT_EQ(model->parameters().size(), 31u * 3 + 2);
  EXPECT_EQ(model->buffers().size(), 31u * 2);
  const auto parameters = by_name(*model);
  EXPECT_EQ(parameters.at("layer3.4.conv2.weight").value.sizes().vec(), (Sizes{64, 64, 3, 3}));
  EXPECT_NEAR(deviation_of(parameters.at("layer3.0.conv1.weight").value), std::sqrt(2.0 / (32 * 9)),
              0.002);
  EXPECT_NEAR(deviation_of(parameters.at("fc.weight").value), std::sqrt(2.0 / 64), 0.02);
  EXPECT_EQ(parameters.at("bn1.weight").value.min().item<float>(), 1);
  EXPECT_EQ(parameters.at("fc.bias").value.abs().max().item<float>(), 0);
}

TEST(NetworksTest, Resnet18IsTorchvisions) {
  const auto model = made({.name = "resnet18"}, kImagenet);
  EXPECT_EQ(count_of(*model), 11689512);
  EXPECT_EQ(model->parameters().size(), 62u);
  EXPECT_EQ(model->buffers().size(), 40u);
  const auto parameters = by_name(*model);
  EXPECT_EQ(parameters.at("conv1.weight").value.sizes().vec(), (Sizes{64, 3, 7, 7}));
  EXPECT_EQ(parameters.at("layer2.0.downsample.0.weight").value.sizes().vec(),
            (Sizes{128, 64, 1, 1}));
  EXPECT_NEAR(deviation_of(parameters.at("layer4.1.conv2.weight").value),
              std::sqrt(2.0 / (512 * 9)), 2e-4);
  const at::Tensor full = parameters.at("fc.weight").value;
  EXPECT_LE(full.abs().max().item<double>(), std::sqrt(1.0 / 512) * (1 + 1e-7));
}

// A shortcut of option A: every second pixel, and zeros for the new maps.
TEST(NetworksTest, Resnet32SkipsWithoutParameters) {
  const auto model = made({.name = "resnet32"}, kCifar, 1, {.type = at::kDouble, .width = 0.25});
  const at::NoGradGuard no_graph;
  for (const Parameter& parameter : model->parameters()) {
    if (parameter.name.starts_with("layer")) parameter.value.zero_();
  }
  const auto p = by_name(*model);
  const at::Tensor inputs = inputs_of(kCifar, 2, at::kDouble);
  at::Tensor x = at::conv2d(inputs, p.at("conv1.weight").value, {}, 1, 1).div_(std::sqrt(1 + 1e-5));
  x = x.clamp_min(0);
  x = x.slice(2, 0, 32, 4).slice(3, 0, 32, 4).mean({2, 3});
  const at::Tensor expected = at::matmul(x, p.at("fc.weight").value.slice(1, 0, 4).t());
  const at::Tensor logits = model->logits(inputs, {});
  EXPECT_LT((logits - expected).abs().max().item<double>(), 1e-12);
}

TEST(NetworksTest, OnlyTrainingMovesRunningStatistics) {
  for (const ModelSpec& spec : all_models()) {
    const auto model = made(spec, kCifar, 2, {.width = 0.25});
    const auto copies = [&] {
      std::vector<at::Tensor> all;
      for (const NamedTensor& buffer : model->buffers()) all.push_back(buffer.value.clone());
      return all;
    };
    const auto before = copies();
    const at::Tensor inputs = inputs_of(kCifar, 4);
    model->logits(inputs, {.training = false});
    for (std::size_t i = 0; i < before.size(); ++i)
      EXPECT_TRUE(before[i].equal(model->buffers()[i].value)) << model->buffers()[i].name;
    model->logits(inputs, {.training = true});
    for (std::size_t i = 0; i < before.size(); ++i)
      EXPECT_FALSE(before[i].equal(model->buffers()[i].value)) << model->buffers()[i].name;
  }
}

TEST(NetworksTest, DropoutIsAFunctionOfSeedAndIteration) {
  const auto model = made(mlp(400, 0.25), kMnist, 3, {.type = at::kDouble});
  const at::NoGradGuard no_graph;
  // The logits count the units that are left: their factors, as each unit's output is 1.
  for (const Parameter& parameter : model->parameters()) parameter.value.zero_();
  model->parameters()[1].value.fill_(1);
  model->parameters()[2].value.fill_(1);
  const at::Tensor inputs = inputs_of(kMnist, 50, at::kDouble);
  const auto counts = [&](bool training, std::uint64_t seed, std::int64_t iteration) {
    return model->logits(inputs, {training, seed, iteration}).select(1, 0).clone();
  };
  EXPECT_TRUE(counts(false, 1, 1).equal(at::full({50}, 400, at::kDouble)));
  const at::Tensor first = counts(true, 1, 1);
  EXPECT_NEAR(first.mean().item<double>(), 400, 5);  // standard error 1.6
  // Deviation of a sum of 400 factors: sqrt(400 * 0.25 / 0.75) = 11.5.
  EXPECT_NEAR(deviation_of(first), 11.5, 4);
  EXPECT_TRUE(first.equal(counts(true, 1, 1)));
  EXPECT_FALSE(first.equal(counts(true, 1, 2)));
  EXPECT_FALSE(first.equal(counts(true, 2, 1)));
}

TEST(NetworksTest, EveryModelTrainsInBothTypesAndChannelsLast) {
  for (const ModelSpec& spec : all_models()) {
    for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
      const auto model = made(spec, kCifar, 1, {.type = type, .width = 0.25});
      for (const Parameter& parameter : model->parameters()) {
        EXPECT_EQ(parameter.value.scalar_type(), type);
        if (parameter.value.dim() == 4) {
          EXPECT_TRUE(parameter.value.is_contiguous(at::MemoryFormat::ChannelsLast))
              << spec.name << " " << parameter.name;
        }
      }
      const at::Tensor logits = model->logits(inputs_of(kCifar, 4, type), {.training = true});
      EXPECT_EQ(logits.sizes().vec(), (Sizes{4, 10})) << spec.name;
      EXPECT_EQ(logits.scalar_type(), type) << spec.name;
      std::vector<at::Tensor> values;
      for (const Parameter& parameter : model->parameters()) values.push_back(parameter.value);
      for (const at::Tensor& gradient : torch::autograd::grad({logits.pow(2).sum()}, values))
        EXPECT_GT(gradient.abs().max().item<double>(), 0) << spec.name;
    }
  }
}

TEST(NetworksTest, EqualSeedsGiveEqualWeightsWhateverTheType) {
  for (const ModelSpec& spec : all_models()) {
    const auto one = made(spec, kCifar, 4, {.width = 0.25});
    const auto same = made(spec, kCifar, 4, {.type = at::kDouble, .width = 0.25});
    const auto other = made(spec, kCifar, 5, {.width = 0.25});
    EXPECT_TRUE(one->parameters()[0].value.equal(same->parameters()[0].value.to(at::kFloat)));
    EXPECT_FALSE(one->parameters()[0].value.equal(other->parameters()[0].value)) << spec.name;
  }
}

// Computed by an independent program from the definitions in draws.h and initial_weights.h.
TEST(NetworksTest, NormalDrawsHaveNotChanged) {
  NormalDraws draws(Draws("weights", 5, 0));
  EXPECT_DOUBLE_EQ(draws.next(), 0.525954180515855);
  EXPECT_DOUBLE_EQ(draws.next(), 0.1305129444667836);
  EXPECT_DOUBLE_EQ(draws.next(), 0.20581446475586923);
}

TEST(NetworksTest, NormalDrawsAreNormal) {
  NormalDraws draws(Draws("weights", 1, 0));
  constexpr int kCount = 100000;
  int beyond_one = 0;
  int beyond_two = 0;
  int positive = 0;
  double sum = 0;
  for (int i = 0; i < kCount; ++i) {
    const double value = draws.next();
    sum += value;
    positive += value > 0 ? 1 : 0;
    beyond_one += std::abs(value) > 1 ? 1 : 0;
    beyond_two += std::abs(value) > 2 ? 1 : 0;
  }
  EXPECT_NEAR(sum / kCount, 0, 0.013);  // four standard errors
  EXPECT_NEAR(positive / double{kCount}, 0.5, 0.007);
  EXPECT_NEAR(beyond_one / double{kCount}, 0.317311, 0.006);
  EXPECT_NEAR(beyond_two / double{kCount}, 0.045500, 0.003);
}

TEST(NetworksTest, ImagesAndBatchesThatDoNotFitAreRefused) {
  const auto refusal = [](const char* name, std::int64_t rows, std::int64_t columns,
                          std::int64_t batch) {
    const auto error = check_model(
        {.name = name}, {.channels = 3, .rows = rows, .columns = columns, .classes = 10}, batch);
    return error ? error->message : "";
  };
  EXPECT_THAT(refusal("cnn3", 7, 32, 10), HasSubstr("cnn3 needs images of at least 8x8 pixels"));
  EXPECT_EQ(refusal("cnn3", 8, 8, 1), "");
  EXPECT_THAT(refusal("resnet18", 32, 32, 1), HasSubstr("the batch must have at least 2 samples"));
  EXPECT_EQ(refusal("resnet18", 32, 32, 2), "");
  EXPECT_EQ(refusal("resnet18", 33, 32, 1), "");
  EXPECT_EQ(refusal("resnet32", 32, 32, 1), "");
  EXPECT_THAT(refusal("resnet32", 4, 4, 1), HasSubstr("resnet32 has maps of one pixel"));
  EXPECT_THAT(refusal("resnet23", 32, 32, 1), HasSubstr("did you mean 'resnet32'?"));
}

TEST(NetworksTest, EveryNameOfAnExperimentIsAModel) {
  for (const ModelSpec& spec : all_models()) EXPECT_FALSE(check_model(spec, kMnist, 100));
}

}  // namespace
}  // namespace lrtune
