// What is fuzzed: each target takes bytes as a stranger may send or a person may write them. It
// must neither crash nor take long, and what it accepts must keep its meaning when written and read
// again. libFuzzer runs the targets in the preset `fuzz` (deploy/fuzz.sh); every build runs them
// over the corpus, tests/fixtures/fuzz/TARGET (corpus_test.cc).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lrtune::fuzz {

using Bytes = std::span<const std::uint8_t>;

struct Target {
  std::string_view name;  // of its folder in the corpus
  // Throws std::logic_error if a property does not hold.
  void (*run)(Bytes);
};

std::span<const Target> targets();

// Throws std::logic_error with the property's words unless it holds.
void require(bool holds, const std::string& property);

inline std::string text_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

// Frames of the protocol between coordinator, workers and clients.
void to_coordinator(Bytes bytes);
void to_worker(Bytes bytes);
// Frames of the checkpoint service and its clients.
void to_checkpoint_service(Bytes bytes);
void to_checkpoint_client(Bytes bytes);
// Files that people write.
void yaml(Bytes bytes);
void experiment(Bytes bytes);
void key_file(Bytes bytes);
// JSON texts, as the store keeps them.
void policy(Bytes bytes);
void store_document(Bytes bytes);

}  // namespace lrtune::fuzz
