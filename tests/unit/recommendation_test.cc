// What is published, how alike trainings are, and what is recommended out of both.
#include "coordinator/ranking/recommendation.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

#include "common/policy/policy_json.h"
#include "coordinator/ranking/similarity.h"
#include "coordinator/ranking/stretch.h"

namespace lrtune {
namespace {

using testing::HasSubstr;

Policy policy(const std::string& json) {
  return policy_from_json(nlohmann::json::parse(json), {}).value();
}

PublishedContent published() {
  auto content = published_content();
  if (!content) throw std::runtime_error(content.error().message);
  return *std::move(content);
}

const PublishedPolicy& find(const PublishedContent& content, const std::string& source,
                            const std::string& name) {
  for (const PublishedPolicy& one : content.policies)
    if (one.source == source && one.name == name) return one;
  throw std::runtime_error("nothing published is " + name + " of " + source);
}

TEST(Published, HasThePapersFigures) {
  const PublishedContent content = published();
  // 16 + 13 + 5 of MNIST, 19 + 13 + 13 + 1 + 4 of CNN3, 16 + 1 + 4 of ResNet-32, 3 of SVHN, 3 of
  // ImageNet.
  EXPECT_EQ(content.policies.size(), 111U);
  EXPECT_EQ(content.ranges.size(), 2U);
  const PublishedPolicy& sinexp = find(content, "Table 6", "SINEXP");
  EXPECT_EQ(sinexp.policy,
            policy(R"({"function":"sinexp","k0":0.0001,"k1":0.9,"gamma":0.99994,"l":2000})"));
  EXPECT_EQ(sinexp.top1, 0.9281);
  EXPECT_EQ(sinexp.deviation, 0.0008);
  EXPECT_EQ(sinexp.at, 64000);
  EXPECT_EQ(sinexp.keys, (TrainingKeys{"image-classification", "cifar-10", "resnet32", "caffe",
                                       "momentum", 128}));
  EXPECT_EQ(find(content, "Table 9", "composite").top5, 0.8876);
  EXPECT_EQ(find(content, "Table 10", "COS").target_iteration, 1500);
  EXPECT_EQ(for_training(content, {.dataset = "svhn"}).policies.size(), 3U);
  EXPECT_EQ(for_training(content, {.model = "cnn3", .optimizer = "adam"}).policies.size(), 13U);
  for (const PublishedPolicy& one : for_training(content, {.framework = "pytorch"}).policies)
    EXPECT_EQ(one.keys.dataset, "imagenet");
  EXPECT_EQ(for_training(content, {.framework = "pytorch"}).policies.size(),
            for_training(content, {.dataset = "imagenet"}).policies.size());
  EXPECT_EQ(for_training(content, {.task = "image-classification"}).policies.size(),
            content.policies.size());
  EXPECT_TRUE(for_training(content, {.task = "speech"}).policies.empty());
}

TEST(Published, BadContentNamesThePlace) {
  const auto error = [](const std::string& text) {
    const auto content = published_from_yaml(text, "p.yaml");
    return content ? std::string("accepted") : content.error().message;
  };
  EXPECT_THAT(error("ranges: []\n"), HasSubstr("tables"));
  const std::string head =
      "ranges: []\ntables:\n  - source: T\n    iterations: 10\n    train: {task: a, dataset: b, "
      "model: "
      "c, framework: d, optimizer: e, batch: 1}\n    policies:\n";
  EXPECT_EQ(error(head + "      - {name: x, policy: {function: fix, k0: 1}}\n"), "accepted");
  EXPECT_THAT(error(head + "      - {name: x, policy: {function: fix, k0: 1}, top1: 98}\n"),
              HasSubstr("p.yaml:7"));
  EXPECT_THAT(error(head + "      - {name: x, policy: {function: fox, k0: 1}}\n"),
              HasSubstr("fox"));
  EXPECT_THAT(
      error("tables: []\nranges: [{dataset: a, model: b, optimizer: c, batch: 1, low: 2, high: "
            "1, found: d}]\n"),
      HasSubstr("low is above high"));
}

// (1 + 1 + 32/32 + 10/10 + 50000/73257 + p) / 6 and (0 + 0 + 28/32 + 10/10 + 60000/73257 + q) / 6,
// with p = 1 - |0.47337 - 0.45143| - |0.25070 - 0.19867| and q = 1 - |0.1307 - 0.45143| -
// |0.3081 - 0.19867|.
TEST(Similarity, OfDataSetsIsTheMeanOfSix) {
  EXPECT_NEAR(dataset_similarity("cifar-10", "svhn"), 0.93476, 1e-5);
  EXPECT_NEAR(dataset_similarity("mnist", "svhn"), 0.54398, 1e-5);
  EXPECT_EQ(dataset_similarity("svhn", "mnist"), dataset_similarity("mnist", "svhn"));
  EXPECT_EQ(dataset_similarity("mnist", "mnist"), 1);
  EXPECT_EQ(network_similarity("lenet", "cnn3"), 0.5);
  EXPECT_EQ(network_similarity("resnet18", "resnet32"), 0.5);
  EXPECT_EQ(network_similarity("mlp", "cnn3"), 0);
}

DataFacts facts(std::int64_t train, std::int64_t validation, int classes,
                const std::string& contents) {
  DataFacts facts;
  facts.train_samples = train;
  facts.validation_samples = validation;
  facts.classes = classes;
  if (!contents.empty()) facts.fingerprint = sha256(contents);
  return facts;
}

// Two folders are not one data set because both are folders.
TEST(Similarity, OfFoldersIsWhatIsKnownOfThem) {
  EXPECT_LT(dataset_similarity("imagefolder", "imagefolder"), kLeastSimilarity);
  EXPECT_LT(dataset_similarity("imagefolder", "mnist"), kLeastSimilarity);
  const DataProfile one = data_profile("imagefolder", facts(900, 100, 10, "one"), 224);
  EXPECT_EQ(similarity(one, data_profile("imagefolder", facts(500, 500, 10, "one"), 224)), 1);
  // Content is not known: (0.5 + 1 + 112/224 + 10/20 + 1000/4000) / 5.
  const DataProfile other = data_profile("imagefolder", facts(4000, 0, 20, "other"), 112);
  EXPECT_NEAR(similarity(one, other), 0.55, 1e-9);
  EXPECT_EQ(
      similarity_words(one, other),
      "? and ?, 3 and 3 channels, side 224 and 112, 10 and 20 classes, 1000 and 4000 samples");
  // A folder with ImageNet's numbers, without a fingerprint: (0.5 + 1 + 1 + 1 + 1) / 5.
  const DataProfile folder = data_profile("imagefolder", facts(1'281'167, 0, 1000, ""), 224);
  EXPECT_NEAR(similarity(folder, data_profile("imagenet")), 0.9, 1e-9);
}

// Data of one's own in MNIST's form have MNIST's name, but are not MNIST.
TEST(Similarity, OfOtherDataUnderAKnownName) {
  const DataProfile mnist = data_profile("mnist", facts(54'000, 6'000, 10, "mnist"));
  EXPECT_EQ(similarity(mnist, data_profile("mnist")), 1);
  EXPECT_TRUE(mnist.pixels);
  const DataProfile own = data_profile("mnist", facts(3'000, 0, 10, "own"));
  EXPECT_FALSE(own.content);
  EXPECT_FALSE(own.pixels);
  EXPECT_NEAR(similarity(own, mnist), (0.5 + 1 + 1 + 1 + 0.05) / 5, 1e-9);
  EXPECT_NEAR(similarity(own, data_profile("mnist")), (0.5 + 1 + 1 + 1 + 0.05) / 5, 1e-9);
  EXPECT_THAT(similarity_words(data_profile("cifar-10"), data_profile("svhn")),
              testing::EndsWith("pixels of mean 0.47 and 0.45, deviation 0.25 and 0.20"));
}

// Twice as long a run: the rate at 2t is what it was at t.
TEST(Stretch, KeepsTheCurve) {
  for (const LrFunctionKind kind : all_lr_functions()) {
    Policy old{{Segment{
        .function = {.kind = kind, .k0 = 0.01, .k1 = 0.06, .gamma = 0.999, .p = 1.2, .l = 300}}}};
    if (kind == LrFunctionKind::kNstep) old.segments[0].function.boundaries = {100, 250};
    const Policy twice = stretched(old, 2);
    for (std::int64_t t = 0; t < 1000; t += 7) {
      const double before = learning_rate(old, t);
      EXPECT_NEAR(learning_rate(twice, 2 * t), before, 1e-9 * before)
          << describe(old) << " at " << t;
    }
  }
}

TEST(Stretch, SegmentsAndBoundariesStayInOrder) {
  const Policy old = policy(
      R"({"segments":[{"until":2,"from_t":5,"function":"nstep","k0":1,"gamma":0.5,"l":[1,2,3]},)"
      R"({"until":3,"function":"tri","k0":0,"k1":1,"l":1},{"function":"fix","k0":0.1}]})");
  const Policy short_run = stretched(old, 0.1);
  EXPECT_EQ(short_run.segments[0].function.boundaries, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(short_run.segments[0].until, 1);
  EXPECT_EQ(short_run.segments[1].until, 2);
  EXPECT_EQ(short_run.segments[1].function.l, 1);
  EXPECT_EQ(short_run.segments[2].until, kNoEnd);
  EXPECT_TRUE(policy_from_json(to_json(short_run), {}));
  EXPECT_EQ(stretched(old, 1), old);
}

// The paper's case (section 5, Table 8), as if nothing were known of SVHN itself.
TEST(Recommend, SvhnTakesCnn3PoliciesOfCifar10AndNoneOfMnist) {
  std::vector<KnownPolicy> known = known_policies(published());
  std::erase_if(known, [](const KnownPolicy& one) { return one.dataset == "svhn"; });
  const auto made = recommend(known, {"svhn", "cnn3", "momentum", 70000}, 1000);
  ASSERT_GE(made.size(), 5U);
  for (const Recommendation& one : made) {
    EXPECT_EQ(one.from.dataset, "cifar-10");
    EXPECT_EQ(one.from.model, "cnn3");
    EXPECT_EQ(one.from.optimizer, "momentum");
    EXPECT_EQ(one.policy, one.from.policy);  // the run is as long
  }
  // The composite A, which is the best on SVHN too.
  EXPECT_EQ(made[0].policy.segments.size(), 3U);
  EXPECT_EQ(made[0].from.top1, 0.8253);
  EXPECT_THAT(made[0].evidence,
              HasSubstr("reached top-1 0.8253 (published, not measured, Table 7) "
                        "with cnn3 on cifar-10 under momentum in 70000 iterations"));
  EXPECT_THAT(made[0].evidence, HasSubstr("similarity 0.93 to cnn3 on svhn"));
}

// The policies of the paper's Table 9 for a folder that holds as much as ImageNet; of two folders
// in the store the one that is alike.
TEST(Recommend, FoldersTakePoliciesOfFoldersThatAreAlike) {
  const NewTraining run{
      "imagefolder", "resnet18", "momentum", 300'300, facts(1'281'167, 0, 1000, ""), 224};
  const auto made = recommend(known_policies(published()), run, 1);
  ASSERT_EQ(made.size(), 1U);
  EXPECT_EQ(made[0].from.source, "Table 9");
  EXPECT_NEAR(made[0].similarity, 0.9, 1e-9);
  const auto folder = [](double k0, const DataFacts& facts) {
    Policy fix{{Segment{.function = {.k0 = k0}}}};
    return KnownPolicy{fix, "imagefolder", "resnet18", "momentum", 1000,
                       0.9, true,          "here",     facts,      224};
  };
  const std::vector<KnownPolicy> known = {folder(0.1, facts(900, 0, 2, "few")),
                                          folder(0.2, facts(9'000, 1'000, 100, "many"))};
  const auto near = recommend(
      known, {"imagefolder", "resnet18", "momentum", 1000, facts(9'000, 0, 90, "new"), 224}, 10);
  ASSERT_EQ(near.size(), 1U);
  EXPECT_EQ(near[0].policy, known[1].policy);
}

TEST(Recommend, MeasuredOnesComeFirstAndPoliciesOnce) {
  const Policy fix = policy(R"({"function":"fix","k0":0.01})");
  const Policy step = policy(R"({"function":"step","k0":0.01,"gamma":0.5,"l":100})");
  const auto known = [](const Policy& policy, double top1, bool measured) {
    return KnownPolicy{policy, "mnist", "lenet", "sgd", 1000, top1, measured, "here"};
  };
  const std::vector<KnownPolicy> all = {known(step, 0.99, false), known(fix, 0.98, true),
                                        known(step, 0.97, true), known(fix, 0.5, false)};
  const auto made = recommend(all, {"mnist", "lenet", "sgd", 500}, 10);
  ASSERT_EQ(made.size(), 2U);
  EXPECT_EQ(made[0].policy, fix);
  EXPECT_TRUE(made[0].from.measured);
  EXPECT_EQ(made[1].policy.segments[0].function.l, 50);
  EXPECT_TRUE(made[1].from.measured);
  EXPECT_EQ(recommend(all, {"mnist", "lenet", "sgd", 500}, 1).size(), 1U);
  EXPECT_TRUE(recommend(all, {"imagefolder", "lenet", "sgd", 500}, 1).empty());
}

}  // namespace
}  // namespace lrtune
