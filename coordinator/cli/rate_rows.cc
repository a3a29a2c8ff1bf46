#include "coordinator/cli/rate_rows.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <deque>
#include <future>
#include <memory>
#include <thread>
#include <vector>

#include "common/policy/policy_json.h"

namespace lrtune {
namespace {

constexpr std::int64_t kChunk = 8192;       // rows
constexpr std::size_t kLongestNumber = 26;  // characters of an integer or a double, and a separator
enum class Columns { kCsv, kIterations, kRates };

// Memory for a chunk's text, used again for a later one: fresh memory would cost a page fault every
// 4096 characters.
using Buffer = std::unique_ptr<char[]>;
struct Text {
  Buffer buffer;
  std::size_t size = 0;
};

Buffer buffer_of_a_chunk() {
  return std::make_unique_for_overwrite<char[]>(2 * kChunk * kLongestNumber);
}

// Appends numbers to a buffer that is large enough.
class NumberText {
 public:
  explicit NumberText(Buffer buffer) : buffer_(std::move(buffer)), at_(buffer_.get()) {}

  void iteration(std::int64_t t, char after) {
    at_ = std::to_chars(at_, at_ + kLongestNumber, t).ptr;
    *at_++ = after;
  }

  // A rate that is that of the row before (fix, step) is copied.
  void rate(double rate, char after) {
    const auto bits = std::bit_cast<std::uint64_t>(rate);
    if (last_ != nullptr && bits == last_bits_) {
      std::memcpy(at_, last_, last_length_);
      last_ = at_;
      at_ += last_length_;
    } else {
      last_ = at_;
      at_ = std::to_chars(at_, at_ + kLongestNumber, rate).ptr;
      last_length_ = static_cast<std::size_t>(at_ - last_);
      last_bits_ = bits;
    }
    *at_++ = after;
  }

  Text take() {
    const auto size = static_cast<std::size_t>(at_ - buffer_.get());
    return {std::move(buffer_), size};
  }

 private:
  Buffer buffer_;
  char* at_;
  const char* last_ = nullptr;
  std::size_t last_length_ = 0;
  std::uint64_t last_bits_ = 0;
};

// The iterations to print: a list, or all below `count`.
struct Iterations {
  std::span<const std::int64_t> list;
  std::int64_t count = 0;
  bool listed = false;

  std::int64_t at(std::int64_t row) const {
    return listed ? list[static_cast<std::size_t>(row)] : row;
  }
};

Text format_chunk(const Policy& policy, const Iterations& rows, std::int64_t first,
                  std::int64_t past, Columns columns, Buffer buffer) {
  const auto count = static_cast<std::size_t>(past - first);
  std::vector<double> rates(columns == Columns::kIterations ? 0 : count);
  if (rows.listed) {
    for (std::size_t i = 0; i < rates.size(); ++i) {
      rates[i] = learning_rate(policy, rows.at(first + static_cast<std::int64_t>(i)));
    }
  } else {
    learning_rates(policy, first, rates);
  }
  NumberText text(std::move(buffer));
  for (std::int64_t row = first; row < past; ++row) {
    const char json_after = row + 1 == rows.count ? ']' : ',';
    if (columns == Columns::kIterations) text.iteration(rows.at(row), json_after);
    if (columns == Columns::kIterations) continue;
    if (columns == Columns::kCsv) text.iteration(rows.at(row), ',');
    text.rate(rates[static_cast<std::size_t>(row - first)],
              columns == Columns::kCsv ? '\n' : json_after);
  }
  return text.take();
}

// Chunks are formatted ahead, one a core, while the oldest is written.
bool write_columns(const Policy& policy, const Iterations& rows, Columns columns,
                   const TextSink& sink) {
  const std::size_t threads = std::clamp(std::thread::hardware_concurrency(), 1U, 8U);
  std::deque<std::future<Text>> ahead;
  std::vector<Buffer> spare;
  const auto write_oldest = [&] {
    Text text = ahead.front().get();
    ahead.pop_front();
    const bool written = sink({text.buffer.get(), text.size});
    spare.push_back(std::move(text.buffer));
    return written;
  };
  for (std::int64_t first = 0; first < rows.count; first += kChunk) {
    if (ahead.size() > threads && !write_oldest()) return false;
    const std::int64_t past = first + std::min(kChunk, rows.count - first);
    const auto policy_of_launch = rows.count <= kChunk ? std::launch::deferred : std::launch::async;
    if (spare.empty()) spare.push_back(buffer_of_a_chunk());
    ahead.push_back(std::async(
        policy_of_launch,
        [&policy, &rows, first, past, columns](Buffer buffer) {
          return format_chunk(policy, rows, first, past, columns, std::move(buffer));
        },
        std::move(spare.back())));
    spare.pop_back();
  }
  while (!ahead.empty()) {
    if (!write_oldest()) return false;
  }
  return true;
}

bool write_csv(const Policy& policy, const Iterations& rows, const TextSink& sink) {
  return sink("t,lr\n") && write_columns(policy, rows, Columns::kCsv, sink);
}

bool write_json(const Policy& policy, const Iterations& rows, const TextSink& sink) {
  const std::string end = rows.count == 0 ? "]" : "";
  return sink("{\"policy\":" + to_json(policy).dump() + ",\"t\":[" + end) &&
         write_columns(policy, rows, Columns::kIterations, sink) && sink(",\"lr\":[" + end) &&
         write_columns(policy, rows, Columns::kRates, sink) && sink("}\n");
}

Iterations listed(std::span<const std::int64_t> list) {
  return {list, static_cast<std::int64_t>(list.size()), true};
}

Iterations all_below(std::int64_t count) { return {{}, count, false}; }

}  // namespace

bool write_csv(const Policy& policy, std::span<const std::int64_t> iterations,
               const TextSink& sink) {
  return write_csv(policy, listed(iterations), sink);
}
bool write_csv(const Policy& policy, std::int64_t iterations, const TextSink& sink) {
  return write_csv(policy, all_below(iterations), sink);
}
bool write_json(const Policy& policy, std::span<const std::int64_t> iterations,
                const TextSink& sink) {
  return write_json(policy, listed(iterations), sink);
}
bool write_json(const Policy& policy, std::int64_t iterations, const TextSink& sink) {
  return write_json(policy, all_below(iterations), sink);
}

}  // namespace lrtune
