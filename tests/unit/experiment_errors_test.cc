#include <gtest/gtest.h>

#include "common/config/experiment.h"
#include "tests/support/experiment_text.h"

namespace lrtune {
namespace {

using test::base_experiment;
using test::replaced;

TEST(ExperimentErrors, BaseIsAccepted) {
  const auto experiment = experiment_from_yaml(base_experiment(), "e.yaml");
  ASSERT_TRUE(experiment) << experiment.error().message;
}

TEST(ExperimentErrors, EachNamesFileLineKeyAndWhatIsAllowed) {
  const auto bad = test::bad_experiments();
  ASSERT_GE(bad.size(), 100u);
  for (const auto& [part, with, error, schema] : bad) {
    const auto experiment = experiment_from_yaml(replaced(base_experiment(), part, with), "e.yaml");
    ASSERT_FALSE(experiment) << with;
    EXPECT_EQ(experiment.error().message, error) << with;
  }
}

// The store's copy has no lines; the key alone must do.
TEST(ExperimentErrors, JsonIsRefusedWithItsKey) {
  auto json = experiment_from_yaml(base_experiment(), "e.yaml")->normalised;
  json["search"]["policies"][0]["k0"] = -1;
  const auto experiment = experiment_from_json(json);
  ASSERT_FALSE(experiment);
  EXPECT_EQ(experiment.error().message,
            "k0 of fix must be at least 0, not -1 (search.policies[0].k0)");
  EXPECT_EQ(experiment.error().path, "/search/policies/0/k0");
}

TEST(ExperimentErrors, EveryPairOfChoicesIsTried) {
  // Each choice is right beside the other hole's first value; 800 and 700 together are not in
  // order.
  const std::string text = replaced(base_experiment(), "{function: fix, k0: 0.01}",
                                    "{segments: [{until: [500, 800], function: fix, k0: 0.1}, "
                                    "{until: [900, 700], function: fix, k0: "
                                    "0.01}, {function: fix, k0: 1}]}");
  const auto experiment = experiment_from_yaml(text, "e.yaml");
  ASSERT_FALSE(experiment);
  EXPECT_NE(experiment.error().message.find("until must be above 800"), std::string::npos)
      << experiment.error().message;
}

// How many iterations an epoch has is not known when the file is read.
TEST(ExperimentErrors, MixedUnitsAreAcceptedIfSomeDataFitThem) {
  for (const char* segments : {"[{until: 5 epochs, function: fix, k0: 1}, {until: 20, function: "
                               "fix, k0: 1}, {function: fix, k0: 1}]",
                               "[{until: 20000, function: fix, k0: 1}, {until: 2 epochs, function: "
                               "fix, k0: 1}, {function: fix, k0: "
                               "1}]"}) {
    const std::string text = replaced(base_experiment(), "function: fix, k0: 0.01",
                                      std::string("segments: ") + segments);
    const auto experiment = experiment_from_yaml(text, "e.yaml");
    EXPECT_TRUE(experiment) << experiment.error().message;
  }
}

}  // namespace
}  // namespace lrtune
