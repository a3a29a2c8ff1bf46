// Files that people write: YAML, experiments, keys.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "common/config/experiment.h"
#include "common/config/located_json.h"
#include "common/policy/policy_json.h"
#include "common/wire/security/key_files.h"
#include "coordinator/search/search.h"
#include "tests/fuzz/target.h"

namespace lrtune::fuzz {
namespace {

// JSON has no spelling for NaN and infinities.
bool has_json_form(const nlohmann::json& json) {
  if (json.is_structured()) return std::all_of(json.begin(), json.end(), has_json_form);
  return !json.is_number_float() || std::isfinite(json.get<double>());
}

bool has_text(const nlohmann::json& json, const std::string& part) {
  if (json.is_structured()) {
    return std::any_of(json.begin(), json.end(),
                       [&](const nlohmann::json& inner) { return has_text(inner, part); });
  }
  return json.is_string() && json.get_ref<const std::string&>().find(part) != std::string::npos;
}

// "Every value that a domain can take is checked here, so that no trial meets a bad one." Lengths
// in epochs depend on the data.
void check_candidate(const Experiment& experiment, std::int64_t index) {
  const Candidate drawn = candidate(experiment, index);
  require(drawn.train == candidate(experiment, index).train, "a candidate is drawn the same again");
  const auto train = train_spec_from_json(drawn.train);
  require(train.has_value(), train ? "" : train.error().message);
  if (experiment.length.iterations == 0 || has_text(drawn.policy, "epoch")) return;
  PolicyContext context;
  context.run_iterations = experiment.length.iterations;
  const auto policy = policy_from_json(drawn.policy, context);
  require(policy.has_value(), policy ? "" : policy.error().message);
}

// A file in memory, gone with its descriptor.
class MemoryFile {
 public:
  explicit MemoryFile(Bytes bytes) : descriptor_(memfd_create("key", MFD_CLOEXEC)) {
    const bool made = descriptor_ >= 0 && fchmod(descriptor_, 0600) == 0 &&
                      write(descriptor_, bytes.data(), bytes.size()) == std::ssize(bytes);
    require(made, "a file in memory can be made");
  }
  ~MemoryFile() { close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

}  // namespace

void yaml(Bytes bytes) {
  const auto first = located_json_from_yaml(text_of(bytes), "f");
  if (!first) return require(first.error().message.starts_with("f:"), "a refusal names the file");
  require(first->places.size() <= bytes.size() + 1, "there is a byte for every value");
  if (!has_json_form(first->json)) return;
  const auto again = yaml_to_json(first->json.dump(), "f");
  require(again.has_value(), again ? "" : again.error().message);
  require(*again == first->json, "JSON is YAML");
}

void experiment(Bytes bytes) {
  const auto first = experiment_from_yaml(text_of(bytes), "f");
  if (!first) return require(first.error().message.starts_with("f:"), "a refusal names the file");
  const auto again = experiment_from_json(nlohmann::json::parse(first->normalised.dump()));
  require(again.has_value(), again ? "" : again.error().message);
  require(again->hash == first->hash, "an experiment in its normal form is the same experiment");
  const auto count = candidate_count(*first);
  if (!count) return;
  for (const std::int64_t index : {std::int64_t{0}, *count / 2, *count - 1})
    check_candidate(*again, index);
}

void key_file(Bytes bytes) {
  const MemoryFile file(bytes);
  const auto key = wire::read_public_key(file.path());
  if (!key) return require(!key.error().message.empty(), "a refusal says why");
  const std::string line = *key + '\n';
  const MemoryFile written({reinterpret_cast<const std::uint8_t*>(line.data()), line.size()});
  const auto again = wire::read_public_key(written.path());
  require(again && *again == *key, "a key is read back");
}

}  // namespace lrtune::fuzz
