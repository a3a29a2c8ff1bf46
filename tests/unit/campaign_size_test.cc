// What bounds an experiment: at each bound it is accepted, one above it is refused with the place
// and with what is allowed.
#include "common/config/campaign_size.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "common/config/located_json.h"
#include "common/policy/policy_json.h"
#include "tests/support/experiment_text.h"

namespace lrtune {
namespace {

using ::testing::HasSubstr;

const std::string kPolicy = "{function: fix, k0: 0.01}";

std::string with(const std::string& part, const std::string& text) {
  return test::replaced(test::base_experiment(), part, text);
}

void expect_accepted(const std::string& text) {
  const auto experiment = experiment_from_yaml(text, "e.yaml");
  EXPECT_TRUE(experiment) << experiment.error().message;
}

void expect_refused(const std::string& text, const std::string& error) {
  const auto experiment = experiment_from_yaml(text, "e.yaml");
  ASSERT_FALSE(experiment);
  EXPECT_EQ(experiment.error().message, error);
}

// `count` of `one`, the i-th with its number in place of a '#'.
std::string list_of(std::size_t count, const std::string& one) {
  std::string list = "[";
  for (std::size_t i = 0; i < count; ++i) {
    std::string item = one;
    if (const auto at = item.find('#'); at != std::string::npos)
      item.replace(at, 1, std::to_string(i + 1));
    list += (i == 0 ? "" : ", ") + item;
  }
  return list + "]";
}

TEST(CampaignSize, BoundsTheCandidatesOfARandomSearch) {
  expect_accepted(with("count: 10", "count: 1000000"));
  expect_refused(with("count: 10", "count: 1000001"),
                 "e.yaml:13: count of search must be a whole number from 1 to 1000000, not 1000001 "
                 "(search.count)");
}

TEST(CampaignSize, BoundsWhatVerificationAdds) {
  const std::string count = with("count: 10", "count: 999000");
  expect_accepted(count + "verify: {top: 100, repeats: 10}\n");
  expect_refused(count + "verify: {top: 77, repeats: 13}\n",
                 "e.yaml:20: verification adds 1001 trials to the 999000 of the search; a campaign "
                 "may have at most 1000000 (verify)");
  // No more than there are can be verified.
  expect_accepted(test::base_experiment() + "verify: {top: 1000, repeats: 1000}\n");
}

TEST(CampaignSize, BoundsWhatToleranceAdds) {
  const std::string count = with("count: 10", "count: 999000") + "verify: {top: 10, repeats: 50}\n";
  expect_accepted(count + "tolerance: {top: 250, scales: [1, 2]}\n");
  expect_refused(count + "tolerance: {top: 251, scales: [1, 2]}\n",
                 "e.yaml:21: tolerance adds 502 trials to the 999500 of search and verification; a "
                 "campaign may have at most 1000000 (tolerance)");
}

TEST(CampaignSize, BoundsTheListOfPolicies) {
  const auto listed = [](std::size_t count) {
    std::string text = test::base_experiment();
    text = text.substr(0, text.find("search:"));
    return text + "search:\n  method: list\n  policies: " + list_of(count, kPolicy) + "\n";
  };
  expect_accepted(listed(kMostPolicies));
  expect_refused(listed(kMostPolicies + 1),
                 "e.yaml:13: policies of search must be a list of 1 to 10000 policies "
                 "(search.policies)");
}

TEST(CampaignSize, BoundsAPolicysLabel) {
  const auto labelled = [](std::size_t bytes) {
    return with(kPolicy, "{name: " + std::string(bytes, 'n') + ", function: fix, k0: 0.01}");
  };
  expect_accepted(labelled(kMostLabelBytes));
  expect_refused(labelled(kMostLabelBytes + 1),
                 "e.yaml:15: name of policy has 201 bytes; at most 200 are allowed "
                 "(search.policies[0].name)");
}

TEST(CampaignSize, BoundsAPolicysBoundariesAndSegments) {
  const auto steps = [](std::size_t count) {
    return with(kPolicy, "{function: nstep, k0: 1, gamma: 0.5, l: " + list_of(count, "#") + "}");
  };
  expect_accepted(steps(kMostBoundaries));
  expect_refused(steps(kMostBoundaries + 1),
                 "e.yaml:15: l of nstep has 2001 iterations; at most 2000 are allowed "
                 "(search.policies[0].l)");
  const auto segments = [](std::size_t count) {
    return with(kPolicy, "{segments: " + list_of(count, "{until: #, function: fix, k0: 1}") + "}");
  };
  expect_accepted(segments(kMostSegments));
  expect_refused(segments(kMostSegments + 1),
                 "e.yaml:15: the policy has 257 segments; at most 256 are allowed "
                 "(search.policies[0].segments)");
}

TEST(CampaignSize, BoundsAListOfValues) {
  const auto values = [](std::size_t count) {
    return with(kPolicy, "{function: fix, k0: " + list_of(count, "#") + "}");
  };
  expect_accepted(values(10'000));
  expect_refused(values(10'001),
                 "e.yaml:15: the list of k0 has 10001 values; at most 10000 are allowed "
                 "(search.policies[0].k0)");
}

// Bug: 60 kB of segments with a domain at each number kept the coordinator busy for hours, since
// every pair of domains is tried.
TEST(CampaignSize, BoundsTheWorkOfTryingDomains) {
  const auto domains = [](std::size_t segments) {
    return with(
        kPolicy,
        "{segments: " + list_of(segments, "{until: #, function: fix, k0: {log: [1e-4, 1]}}") + "}");
  };
  expect_accepted(domains(20));
  const auto experiment = experiment_from_yaml(domains(200), "e.yaml");
  ASSERT_FALSE(experiment);
  EXPECT_EQ(experiment.error().message,
            "e.yaml:15: the domains of search.policies and train have too many combinations to try "
            "them in pairs: more than 3000000 values; use fewer domains, or shorter lists "
            "(search.policies[0])");
}

TEST(CampaignSize, BoundsTheNormalForm) {
  const auto experiment = experiment_from_yaml(
      with(kPolicy,
           "{function: nstep, k0: 1, gamma: 0.5, l: " + list_of(kMostBoundaries, "#") + "}"),
      "e.yaml");
  ASSERT_TRUE(experiment) << experiment.error().message;
  nlohmann::json normal = experiment->normalised;
  nlohmann::json& policies = normal["search"]["policies"];
  const nlohmann::json policy = policies[0];
  const std::size_t bytes = policy.dump().size() + 1;  // with its comma
  std::size_t left = kMostNormalBytes - normal.dump().size();
  for (; left > 2 * bytes; left -= bytes) policies.push_back(policy);
  // Labels fill the rest up to the last byte.
  nlohmann::json filler = {{"function", "fix"}, {"k0", 1}, {"name", ""}};
  const std::size_t frame = filler.dump().size() + 1;
  while (left > 0) {
    // What is left behind it has room for another one.
    const std::size_t label =
        left <= frame + kMostLabelBytes ? left - frame : kMostLabelBytes - frame;
    filler["name"] = std::string(label, 'n');
    policies.push_back(filler);
    left -= frame + label;
  }
  ASSERT_EQ(normal.dump().size(), kMostNormalBytes);
  const auto accepted = experiment_from_json(normal);
  EXPECT_TRUE(accepted) << accepted.error().message;
  normal["name"] = normal["name"].get<std::string>() + "x";
  const auto refused = experiment_from_json(normal);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "the experiment has 4194305 bytes in its normal form; at most 4194304 are allowed");
}

TEST(CampaignSize, BoundsTheBytesOfAFile) {
  std::string text = test::base_experiment();
  text += "#" + std::string(kMaxYamlBytes - text.size() - 2, 'x') + "\n";
  ASSERT_EQ(text.size(), kMaxYamlBytes);
  expect_accepted(text);
  expect_refused(text + "\n", "e.yaml: 1048577 bytes are more than the 1048576 that are read");
}

// An alias is refused where it stands, so none is ever followed: the ten lines that would be 10^9
// values cost nothing.
TEST(CampaignSize, BoundsKeysAndDepthAndTakesNoAliases) {
  std::string laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char name = 'b'; name < 'k'; ++name)
    laughs += fmt::format("{0}: &{0} [*{1}, *{1}, *{1}]\n", name, static_cast<char>(name - 1));
  expect_refused(laughs,
                 "e.yaml:1: anchors and aliases (&name, *name) are not read; write the "
                 "value out");
  // Bug: a quote that was closed lines later made a key of a thousand characters, which no YAML
  // reader, ours included, takes back.
  EXPECT_TRUE(yaml_to_json(std::string(kMaxYamlKeyBytes, 'k') + ": 1", "e.yaml"));
  const auto long_key = yaml_to_json(std::string(kMaxYamlKeyBytes + 1, 'k') + ": 1", "e.yaml");
  ASSERT_FALSE(long_key);
  EXPECT_EQ(long_key.error().message,
            "e.yaml:1: a key has 201 bytes; at most 200 are allowed; is a quote missing?");
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + "1" + std::string(depth, ']');
  };
  EXPECT_TRUE(yaml_to_json(nested(kMaxYamlDepth), "e.yaml"));
  const auto deep = yaml_to_json(nested(kMaxYamlDepth + 1), "e.yaml");
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().message, "e.yaml:1: maps and lists are nested deeper than 16");
}

}  // namespace
}  // namespace lrtune
