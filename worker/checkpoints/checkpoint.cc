#include "worker/checkpoints/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace lrtune {
namespace {

constexpr std::string_view kMagic = "lrtune checkpoint 1\n";
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kDigestBytes = 32;

using nlohmann::json;

json to_json(const PartMetrics& metrics) {
  json value = {{"loss", metrics.loss}, {"top1", metrics.top1}, {"top5", metrics.top5}};
  if (const auto& confidence = metrics.confidence) {
    value["confidence"] = {{"mean", confidence->mean},
                           {"deviation", confidence->deviation},
                           {"class_deviation", confidence->class_deviation},
                           {"classes_left_out", confidence->classes_left_out}};
  }
  return value;
}

PartMetrics metrics_from_json(const json& value) {
  PartMetrics metrics{value.at("loss"), value.at("top1"), value.at("top5"), {}};
  if (const auto it = value.find("confidence"); it != value.end()) {
    metrics.confidence = {it->at("mean"), it->at("deviation"), it->at("class_deviation"),
                          it->at("classes_left_out")};
  }
  return metrics;
}

json to_json(const std::vector<MoptValue>& values) {
  json list = json::array();
  for (const MoptValue& value : values) {
    list.push_back(
        {value.iteration, value.learning_rate, value.m_opt ? json(*value.m_opt) : json()});
  }
  return list;
}

std::vector<MoptValue> m_opt_from_json(const json& list) {
  std::vector<MoptValue> values;
  for (const json& entry : list) {
    values.push_back({entry.at(0), entry.at(1), std::nullopt});
    if (!entry.at(2).is_null()) values.back().m_opt = entry.at(2).get<double>();
  }
  return values;
}

json to_json(const MetricPoint& point) {
  json value = {{"iteration", point.iteration},
                {"state", point.state.hex()},
                {"learning_rate", point.learning_rate},
                {"train", to_json(point.train)},
                {"evaluated", to_json(point.evaluated)},
                {"train_seconds", point.train_seconds},
                {"evaluate_seconds", point.evaluate_seconds}};
  if (!point.m_opt.empty()) value["m_opt"] = to_json(point.m_opt);
  return value;
}

MetricPoint point_from_json(const json& value) {
  MetricPoint point = {.iteration = value.at("iteration"),
                       .state = Digest::from_hex(value.at("state").get<std::string>()).value(),
                       .learning_rate = value.at("learning_rate"),
                       .train = metrics_from_json(value.at("train")),
                       .evaluated = metrics_from_json(value.at("evaluated")),
                       .train_seconds = value.at("train_seconds"),
                       .evaluate_seconds = value.at("evaluate_seconds")};
  point.m_opt = m_opt_from_json(value.value("m_opt", json::array()));
  return point;
}

json to_json(const KeptController& controller) {
  json changes = json::array();
  for (const PlateauChange& change : controller.run.changes)
    changes.push_back({change.iteration, change.index});
  return {{"applied", controller.applied.hex()},
          {"history", controller.run.state.history},
          {"index", controller.run.state.index},
          {"counter", controller.run.state.counter},
          {"changes", std::move(changes)}};
}

KeptController controller_from_json(const json& value) {
  KeptController controller;
  controller.applied = Digest::from_hex(value.at("applied").get<std::string>()).value();
  controller.run.state = {value.at("history"), value.at("index"), value.at("counter")};
  for (const json& change : value.at("changes"))
    controller.run.changes.push_back({change.at(0), change.at(1)});
  return controller;
}

json header_of(const Checkpoint& checkpoint) {
  json history = json::array();
  for (const MetricPoint& point : checkpoint.history) history.push_back(to_json(point));
  json tensors = json::array();
  for (const StoredTensor& tensor : checkpoint.tensors) {
    tensors.push_back({{"name", tensor.name},
                       {"type", tensor.type},
                       {"shape", tensor.shape},
                       {"bytes", tensor.bytes.size()}});
  }
  json computed = json::array();
  for (const ComputedPart& part : checkpoint.computed)
    computed.push_back({{"from", part.from}, {"with", part.with}});
  json header = {{"state", checkpoint.state.hex()},
                 {"iteration", checkpoint.iteration},
                 {"ends_run", checkpoint.ends_run},
                 {"computed", std::move(computed)},
                 {"measured",
                  {{"part", std::string(name_of(checkpoint.measured.part))},
                   {"train_subset", checkpoint.measured.train_subset},
                   {"version", checkpoint.measured.version},
                   {"m_opt_every", checkpoint.measured.m_opt_every}}},
                 {"history", std::move(history)},
                 {"train_seconds", checkpoint.train_seconds},
                 {"evaluate_seconds", checkpoint.evaluate_seconds},
                 {"tensors", std::move(tensors)}};
  if (!checkpoint.m_opt.empty()) header["m_opt"] = to_json(checkpoint.m_opt);
  if (checkpoint.controller) header["controller"] = to_json(*checkpoint.controller);
  return header;
}

void append_length(std::string& out, std::uint64_t length) {
  for (std::size_t i = 0; i < kLengthBytes; ++i)
    out.push_back(static_cast<char>(length >> (8 * i) & 0xff));
}

std::uint64_t length_at(std::string_view file, std::size_t position) {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    length |= static_cast<std::uint64_t>(static_cast<unsigned char>(file[position + i])) << (8 * i);
  }
  return length;
}

// The values follow the header in its order; they must fill what is left exactly.
Result<std::vector<StoredTensor>> tensors_from(const json& entries, std::string_view values) {
  std::vector<StoredTensor> tensors;
  for (const json& entry : entries) {
    const auto bytes = entry.at("bytes").get<std::size_t>();
    if (bytes > values.size()) return fail("its tensors are larger than the file");
    tensors.push_back({.name = entry.at("name"),
                       .type = entry.at("type"),
                       .shape = entry.at("shape"),
                       .bytes = std::string(values.substr(0, bytes))});
    values.remove_prefix(bytes);
  }
  if (!values.empty()) return fail("it holds more bytes than its tensors have");
  return tensors;
}

// The SHA-256 was right, so what is wrong here was written so.
Result<Checkpoint> from_header(const json& header, std::string_view values) try {
  Checkpoint checkpoint;
  const json& measured = header.at("measured");
  auto state = Digest::from_hex(header.at("state").get<std::string>());
  auto part = part_from_name(measured.at("part").get<std::string>());
  auto tensors = tensors_from(header.at("tensors"), values);
  if (!state) return tl::unexpected(state.error());
  if (!part) return tl::unexpected(part.error());
  if (!tensors) return tl::unexpected(tensors.error());
  checkpoint.state = *state;
  checkpoint.iteration = header.at("iteration");
  checkpoint.ends_run = header.value("ends_run", false);  // older files have none
  checkpoint.measured = {*part, measured.at("train_subset"), measured.at("version"),
                         measured.value("m_opt_every", std::int64_t{0})};
  for (const json& point : header.at("history"))
    checkpoint.history.push_back(point_from_json(point));
  checkpoint.train_seconds = header.at("train_seconds");
  checkpoint.evaluate_seconds = header.at("evaluate_seconds");
  if (const auto computed = header.find("computed");
      computed != header.end()) {  // older files have none
    for (const json& steps : *computed)
      checkpoint.computed.push_back({steps.at("from"), steps.at("with")});
  }
  if (const auto controller = header.find("controller"); controller != header.end())
    checkpoint.controller = controller_from_json(*controller);
  checkpoint.m_opt = m_opt_from_json(header.value("m_opt", json::array()));
  checkpoint.tensors = *std::move(tensors);
  return checkpoint;
} catch (const json::exception& error) {
  return fail(fmt::format("its header is wrong: {}", error.what()));
}

}  // namespace

std::string encode(const Checkpoint& checkpoint) {
  const std::string header = header_of(checkpoint).dump();
  std::size_t size = kMagic.size() + kLengthBytes + header.size() + kDigestBytes;
  for (const StoredTensor& tensor : checkpoint.tensors) size += tensor.bytes.size();
  std::string file;
  file.reserve(size);
  file += kMagic;
  append_length(file, header.size());
  file += header;
  for (const StoredTensor& tensor : checkpoint.tensors) file += tensor.bytes;
  const Digest digest = sha256(file);
  file.append(digest.bytes.begin(), digest.bytes.end());
  return file;
}

Result<Checkpoint> decode_checkpoint(std::string_view file) {
  if (!file.starts_with(kMagic.substr(0, file.size())) || file.empty())
    return fail("it is no checkpoint of version 1");
  if (file.size() < kMagic.size() + kLengthBytes + kDigestBytes) return fail("it is cut off");
  const std::string_view content = file.substr(0, file.size() - kDigestBytes);
  const Digest digest = sha256(content);
  if (!std::equal(digest.bytes.begin(), digest.bytes.end(), file.end() - kDigestBytes,
                  [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); })) {
    return fail("it is cut off or damaged: its SHA-256 does not fit");
  }
  const std::uint64_t length = length_at(file, kMagic.size());
  const std::string_view rest = content.substr(kMagic.size() + kLengthBytes);
  if (length > rest.size()) return fail("its header is longer than the file");
  const json header = json::parse(rest.substr(0, length), nullptr, /*allow_exceptions=*/false);
  if (header.is_discarded()) return fail("its header is no JSON");
  return from_header(header, rest.substr(length));
}

}  // namespace lrtune
