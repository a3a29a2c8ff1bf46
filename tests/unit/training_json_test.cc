#include <gtest/gtest.h>

#include "common/training.h"

namespace lrtune {
namespace {

TrainSpec sample_train() {
  TrainSpec train;
  train.dataset = {"mnist", "/data/mnist"};
  train.validation = 0.1;
  train.model.name = "lenet";
  train.optimizer = {"momentum", MomentumStyle::kTorch, 0.9, 5e-4};
  train.batch = 100;
  train.device = "cuda";
  train.threads = 2;
  return train;
}

TrainingIdentity sample_identity() {
  TrainingIdentity identity;
  identity.train = sample_train();
  identity.data = {sha256("data"), 54000, 6000, 10000, 10};
  identity.numerics = {"libtorch 2.15.0", "cuda", "9.0", 2, "channels_last"};
  return identity;
}

// Through text and through MessagePack, as the store and the wire do.
nlohmann::json carried(const nlohmann::json& json) {
  const auto text = nlohmann::json::parse(json.dump());
  EXPECT_EQ(nlohmann::json::from_msgpack(nlohmann::json::to_msgpack(json)), text);
  return text;
}

template <typename T>
std::string error_of(const Result<T>& result) {
  EXPECT_FALSE(result);
  return result ? "" : result.error().message + " @ " + result.error().path;
}

TEST(TrainingJson, RoundTripsAreExact) {
  const TrainingIdentity identity = sample_identity();
  EXPECT_EQ(training_identity_from_json(carried(to_json(identity))), identity);
  EXPECT_EQ(training_identity_from_json(carried(to_json(identity)))->hash(), identity.hash());

  TrainSpec train = sample_train();
  train.optimizer = {"sgd", MomentumStyle::kPaper, 0, 1.0 / 3};
  train.dataset.path.clear();
  EXPECT_EQ(train_spec_from_json(carried(to_json(train))), train);

  RunPlan plan{10000, 500, Part::kTest, 1000, Target{Measure::kTop1, 0.991}, true};
  EXPECT_EQ(run_plan_from_json(carried(to_json(plan))), plan);
  plan.target = Target{Measure::kLoss, 0.1};
  EXPECT_EQ(run_plan_from_json(carried(to_json(plan))), plan);
  plan.max_seconds = 0.1;
  EXPECT_EQ(run_plan_from_json(carried(to_json(plan))), plan);
  plan.target.reset();
  EXPECT_EQ(run_plan_from_json(carried(to_json(plan))), plan);
}

TEST(TrainingJson, OptimizerSaysOnlyWhatItUses) {
  TrainSpec train = sample_train();
  EXPECT_EQ(to_json(train)["optimizer"].dump(),
            R"({"momentum":0.9,"name":"momentum","style":"torch","weight_decay":0.0005})");
  train.optimizer.name = "sgd";
  EXPECT_EQ(to_json(train)["optimizer"].dump(), R"({"name":"sgd","weight_decay":0.0005})");
}

TEST(TrainingJson, InputIsAlwaysWrittenOut) {
  const auto input_of = [](const char* dataset, const char* model) {
    return to_json(default_input({.name = dataset}, {.name = model})).dump();
  };
  EXPECT_EQ(input_of("mnist", "lenet"), R"({"augment":"none","normalise":"scale"})");
  EXPECT_EQ(input_of("cifar-10", "mlp"), R"({"augment":"none","normalise":"scale"})");
  EXPECT_EQ(input_of("cifar-10", "cnn3"), R"({"augment":"none","normalise":"mean-image"})");
  EXPECT_EQ(input_of("cifar-10", "resnet32"),
            R"({"augment":{"flip":true,"pad":4},"normalise":"channels"})");
  EXPECT_EQ(input_of("imagefolder", "resnet18"),
            R"({"augment":{"area":0.08,"flip":true},"corrupt":"skip",)"
            R"("deviation":[0.229,0.224,0.225],"mean":[0.485,0.456,0.406],)"
            R"("normalise":"channels","resize":256,"size":224})");
}

TEST(TrainingJson, InputReadsBackAsWritten) {
  const DatasetSpec folder{.name = "imagefolder"};
  const DatasetSpec memory{.name = "mnist"};
  const std::vector<std::pair<DatasetSpec, const char*>> cases = {
      {memory, R"({})"},
      {memory, R"({"normalise": "none", "augment": {"flip": true}})"},
      {memory, R"({"normalise": "channels", "mean": [0.1], "deviation": [2]})"},
      {memory, R"({"normalise": "channels", "augment": {"pad": 3}})"},
      {folder, R"({})"},
      {folder, R"({"size": 64, "augment": "none", "corrupt": "stop"})"},
      {folder, R"({"normalise": "scale", "augment": {"area": 0.5}, "resize": 300})"},
  };
  for (const auto& [dataset, text] : cases) {
    const auto input = input_from_json(nlohmann::json::parse(text), "", dataset, {.name = "lenet"});
    ASSERT_TRUE(input) << text << ": " << input.error().message;
    EXPECT_EQ(input_from_json(carried(to_json(*input)), "", dataset, {.name = "lenet"}).value(),
              *input);
  }
}

TEST(TrainingJson, InputRefusesWhatAnImageFolderCannotDo) {
  const auto refusal = [](const char* text) {
    return error_of(input_from_json(nlohmann::json::parse(text), "", {.name = "imagefolder"},
                                    {.name = "resnet18"}));
  };
  EXPECT_EQ(refusal(R"({"normalise": "mean-image"})"),
            "normalise: mean-image of input is not for image folders, whose images are cut anew "
            "each time; take channels @ /normalise");
  EXPECT_EQ(refusal(R"({"augment": {"pad": 4}})"),
            "pad of augment is not for image folders; area is @ /augment/pad");
  EXPECT_EQ(refusal(R"({"size": 64, "resize": 63})"),
            "resize of input must be a whole number from 64 to 4096, not 63 @ /resize");
}

// The hash names states in stores: it must never change while the meaning does not.
TEST(TrainingJson, HashOfAnIdentityIsPinned) {
  EXPECT_EQ(sample_identity().hash().hex(),
            "a47345b35be2d757a10425b873962dbdda0a7a459a16b448cb8e30a513a69dd8");
}

TEST(TrainingJson, HashFollowsEveryFieldButThePath) {
  const Digest before = sample_identity().hash();
  TrainingIdentity moved = sample_identity();
  moved.train.dataset.path = "/elsewhere";
  EXPECT_EQ(moved.hash(), before);
  const std::vector<void (*)(TrainingIdentity&)> changes = {
      [](TrainingIdentity& i) { i.train.dataset.name = "fashion-mnist"; },
      [](TrainingIdentity& i) { i.train.validation = 0.2; },
      [](TrainingIdentity& i) { i.train.model.name = "cnn3"; },
      [](TrainingIdentity& i) { i.train.input.normalise = Normalise::kNone; },
      [](TrainingIdentity& i) { i.train.input.augment.pad = 4; },
      [](TrainingIdentity& i) { i.train.input.augment.flip = true; },
      [](TrainingIdentity& i) { i.train.optimizer.name = "sgd"; },
      [](TrainingIdentity& i) { i.train.optimizer.style = MomentumStyle::kPaper; },
      [](TrainingIdentity& i) { i.train.optimizer.momentum = 0.8; },
      [](TrainingIdentity& i) { i.train.optimizer.weight_decay = 0; },
      [](TrainingIdentity& i) { i.train.batch = 50; },
      [](TrainingIdentity& i) { i.train.device = "cpu"; },
      [](TrainingIdentity& i) { i.train.threads = 1; },
      [](TrainingIdentity& i) { i.data.fingerprint = sha256("other"); },
      [](TrainingIdentity& i) { i.data.train_samples = 1; },
      [](TrainingIdentity& i) { i.data.validation_samples = 1; },
      [](TrainingIdentity& i) { i.data.test_samples = 1; },
      [](TrainingIdentity& i) { i.data.classes = 2; },
      [](TrainingIdentity& i) { i.numerics.backend = "libtorch 2.16.0"; },
      [](TrainingIdentity& i) { i.numerics.device = "cpu"; },
      [](TrainingIdentity& i) { i.numerics.instruction_set = "AVX2"; },
      [](TrainingIdentity& i) { i.numerics.threads = 1; },
      [](TrainingIdentity& i) { i.numerics.memory_format = "contiguous"; },
      [](TrainingIdentity& i) { ++i.numerics.revision; },
  };
  for (std::size_t i = 0; i < changes.size(); ++i) {
    TrainingIdentity changed = sample_identity();
    changes[i](changed);
    EXPECT_NE(changed.hash(), before) << "change " << i;
  }
}

TEST(TrainingJson, AnInexactIdentityHidesWhatMayDifferAndNothingElse) {
  TrainingIdentity inexact = sample_identity();
  inexact.train.inexact = true;
  EXPECT_NE(inexact.hash(), sample_identity().hash());
  EXPECT_EQ(training_identity_from_json(to_json(inexact)), inexact);
  const std::vector<void (*)(TrainingIdentity&)> hidden = {
      [](TrainingIdentity& i) { i.train.threads = 1; },
      [](TrainingIdentity& i) { i.numerics.backend = "libtorch 2.16.0"; },
      [](TrainingIdentity& i) { i.numerics.instruction_set = "AVX2"; },
      [](TrainingIdentity& i) { i.numerics.threads = 1; },
      [](TrainingIdentity& i) { i.numerics.memory_format = "contiguous"; }};
  for (const auto& change : hidden) {
    TrainingIdentity changed = inexact;
    change(changed);
    EXPECT_EQ(changed.hash(), inexact.hash());
    EXPECT_EQ(numerics_mismatch(changed.numerics, inexact.numerics, true), std::nullopt);
  }
  const std::vector<void (*)(TrainingIdentity&)> shown = {
      [](TrainingIdentity& i) { i.train.batch = 50; },
      [](TrainingIdentity& i) { i.numerics.backend = "synthetic 1"; },
      [](TrainingIdentity& i) { i.numerics.device = "cpu"; },
      [](TrainingIdentity& i) { ++i.numerics.revision; }};
  for (const auto& change : shown) {
    TrainingIdentity changed = inexact;
    change(changed);
    EXPECT_NE(changed.hash(), inexact.hash());
    if (changed.numerics != inexact.numerics) {
      EXPECT_NE(numerics_mismatch(changed.numerics, inexact.numerics, true), std::nullopt);
    }
  }
}

TEST(TrainingJson, NamesRoundTrip) {
  for (const Part part : {Part::kTrain, Part::kValidation, Part::kTest}) {
    EXPECT_EQ(part_from_name(name_of(part)), part);
  }
  for (const OutcomeKind kind :
       {OutcomeKind::kCompleted, OutcomeKind::kTargetReached, OutcomeKind::kDiverged,
        OutcomeKind::kFailed, OutcomeKind::kStopped, OutcomeKind::kFailedHere,
        OutcomeKind::kTimeLimit}) {
    EXPECT_EQ(outcome_kind_from_name(name_of(kind)), kind);
  }
  EXPECT_EQ(error_of(part_from_name("tset")),
            "the part of the data must be one of train, validation, test, not 'tset'; did you mean "
            "'test'? @ ");
  EXPECT_EQ(error_of(outcome_kind_from_name("done")),
            "the outcome must be one of completed, target_reached, diverged, failed, stopped, "
            "failed_here, time_limit, not 'done' @ ");
}

TEST(TrainingJson, ErrorsSayWhere) {
  nlohmann::json json = to_json(sample_identity());
  json["train"]["optimizer"]["momentum"] = 1.5;
  EXPECT_EQ(
      error_of(training_identity_from_json(json, "/body")),
      "momentum of optimizer must be from 0 to below 1, not 1.5 @ /body/train/optimizer/momentum");
  json = to_json(sample_identity());
  json["data"]["fingerprint"] = "12";
  EXPECT_EQ(error_of(training_identity_from_json(json)),
            "a SHA-256 name has 64 hexadecimal digits, not '12' @ /data/fingerprint");
  json = to_json(sample_identity());
  json["numerics"].erase("backend");
  EXPECT_EQ(error_of(training_identity_from_json(json)),
            "numerics needs the key 'backend' @ /numerics");
  json = to_json(RunPlan{10, 0, Part::kTest, 1, {}, false});
  EXPECT_EQ(
      error_of(run_plan_from_json(json)),
      "evaluate_every of run plan must be a whole number of at least 1, not 0 @ /evaluate_every");
}

}  // namespace
}  // namespace lrtune
