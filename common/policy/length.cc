#include "common/policy/length.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

namespace lrtune {
namespace {

// Up to here every whole number is a double.
constexpr std::int64_t kMostIterations = std::int64_t{1} << 53;

std::string shown(const nlohmann::json& json) {
  std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

std::optional<std::int64_t> whole_number(const nlohmann::json& json) {
  if (json.is_number_unsigned()) {
    const auto value = json.get<std::uint64_t>();
    return value <= kMostIterations ? std::optional(static_cast<std::int64_t>(value))
                                    : std::nullopt;
  }
  if (json.is_number_integer()) return json.get<std::int64_t>();
  const double real = json.get<double>();  // 1e4 is a whole number too
  if (!(std::abs(real) <= static_cast<double>(kMostIterations)) || std::floor(real) != real)
    return std::nullopt;
  return static_cast<std::int64_t>(real);
}

// The number in "15 epochs" or "1 epoch"; none if the text has another form.
std::optional<double> epochs_in(std::string_view text) {
  double epochs = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), epochs);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  const std::size_t spaces = std::min(text.find_first_not_of(' '), text.size());
  text.remove_prefix(spaces);
  if (text != "epochs" && text != "epoch") return std::nullopt;
  return epochs;
}

}  // namespace

std::optional<std::int64_t> iterations_of_epochs(double epochs, double samples_per_epoch,
                                                 std::int64_t batch) {
  const double exact = epochs * samples_per_epoch / static_cast<double>(batch);
  if (!(exact >= 0 && exact <= static_cast<double>(kMostIterations))) return std::nullopt;
  // 0.07 * 60000 / 100 is a little above 42 in doubles and means 42.
  const double nearest = std::round(exact);
  const bool whole = std::abs(exact - nearest) <= 1e-12 * nearest;
  return static_cast<std::int64_t>(whole ? nearest : std::ceil(exact));
}

std::optional<std::int64_t> plain_iterations(const nlohmann::json& json, std::int64_t least) {
  if (!json.is_number()) return std::nullopt;
  const auto iterations = whole_number(json);
  if (!iterations || *iterations < least || *iterations > kMostIterations) return std::nullopt;
  return iterations;
}

Result<std::int64_t> read_length_from(const nlohmann::json& json, const PolicyContext& context,
                                      const std::string& what, const std::string& path,
                                      std::int64_t least) {
  const auto bad = [&] {
    return fail(
        fmt::format("{} must be a whole number of iterations from {} to 2^53, or a text such as "
                    "\"15 epochs\", not {}",
                    what, least, shown(json)),
        path);
  };
  std::optional<std::int64_t> iterations;
  if (json.is_number()) {
    iterations = whole_number(json);
  } else if (json.is_string()) {
    const auto epochs = epochs_in(json.get_ref<const std::string&>());
    if (!epochs) return bad();
    if (!context.samples_per_epoch || context.batch < 1) {
      return fail(
          fmt::format(
              "{} is in epochs ({}), but the samples of an epoch and the batch are not known "
              "here; write iterations",
              what, shown(json)),
          path);
    }
    iterations = iterations_of_epochs(*epochs, *context.samples_per_epoch, context.batch);
  }
  if (!iterations || *iterations < least || *iterations > kMostIterations) return bad();
  return *iterations;
}

Result<std::int64_t> length_from_json(const nlohmann::json& json, const PolicyContext& context,
                                      const std::string& what, const std::string& path) {
  return read_length_from(json, context, what, path, 1);
}

}  // namespace lrtune
