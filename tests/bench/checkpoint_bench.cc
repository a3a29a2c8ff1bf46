// What a checkpoint of a run costs: ResNet-18 with 1000 classes and its momentum, 94 MB. One pause
// of training copies the tensors, encodes, hashes, writes and syncs them, as TrainingRun does. Then
// its way to a checkpoint service on this machine and back, which no training waits for. The
// checkpoints go where --folder says, so that its disk is measured.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <thread>
#include <vector>

#include "tests/support/temporary_folder.h"
#include "worker/checkpoint_channel/checkpoint_client.h"
#include "worker/checkpoint_channel/service_loop.h"
#include "worker/checkpoints/checkpoint_folder.h"
#include "worker/descriptor.h"
#include "worker/training/device.h"
#include "worker/training/models.h"
#include "worker/training/optimizers.h"
#include "worker/training/run_tensors.h"

namespace lrtune {
namespace {

constexpr double kInterval = 60;  // seconds of training between two checkpoints
constexpr std::int64_t kRoomy = std::int64_t{1} << 40;

struct Run {
  std::unique_ptr<Model> model;
  std::unique_ptr<Optimizer> optimizer;
  std::vector<NamedTensor> tensors;
};

Run resnet18() {
  Run run;
  run.model = make_model({.name = "resnet18"},
                         {.channels = 3, .rows = 224, .columns = 224, .classes = 1000}, 1, at::kCPU)
                  .value();
  run.optimizer =
      make_optimizer({.name = "momentum", .momentum = 0.9}, run.model->parameters()).value();
  run.tensors = run_tensors(*run.model, *run.optimizer);
  for (NamedTensor& tensor : run.tensors) tensor.value.normal_();
  return run;
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Its next reader goes to the disk.
void forget_cached(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
  ::close(descriptor);
}

void write_plain(const std::filesystem::path& file, std::size_t size) {
  const std::string bytes(size, 'x');
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (::write(descriptor, bytes.data(), size) != static_cast<ssize_t>(size) ||
      ::fsync(descriptor) != 0) {
    throw std::runtime_error("cannot write " + file.string());
  }
  ::close(descriptor);
}

// A checkpoint service in this process, and a client of it.
class Channel {
 public:
  Channel(const std::filesystem::path& there, CheckpointFolder& here)
      : folder_(CheckpointFolder::open(there, kRoomy).value()),
        server_(CheckpointServer::listen(
                    "tcp://127.0.0.1:*", *folder_,
                    [](const std::string& text) { fmt::print(stderr, "{}\n", text); })
                    .value()),
        client_(connect_checkpoint_client(here, {.endpoint = server_.endpoint()}).value()),
        thread_([this] { server_.run(stop_.number()); }) {}
  ~Channel() {
    client_.reset();
    eventfd_write(stop_.number(), 1);
    thread_.join();
  }
  RemoteCheckpoints& client() { return *client_; }
  void forget(const Digest& state) {
    for (int use = 0; use < 2; ++use) client_->release(state);  // pushed and fetched
    folder_->remove(state);
  }

 private:
  std::unique_ptr<CheckpointFolder> folder_;
  CheckpointServer server_;
  std::unique_ptr<RemoteCheckpoints> client_;
  Descriptor stop_{eventfd(0, EFD_CLOEXEC)};
  std::thread thread_;
};

void require(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().message);
}

void print(const char* what, std::vector<double> seconds, double megabytes) {
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  fmt::print("{:28} {:8.3f} {:8.3f} {:8.3f} {:8.0f} {:10.2f}\n", what, median, seconds.front(),
             seconds.back(), megabytes / median, 100 * median / (kInterval + median));
}

void measure(const std::filesystem::path& parent, int rounds) {
  const Run run = resnet18();
  const TemporaryFolder disk(parent);
  const auto folder = CheckpointFolder::open(disk.path() / "checkpoints", kRoomy).value();
  Channel channel(disk.path() / "service", *folder);
  const std::atomic<bool> go_on = false;
  std::vector<double> copies, writes, cached, reads, plain, pushes, fetches;
  double megabytes = 0;
  for (int round = 0; round < rounds; ++round) {
    Checkpoint checkpoint{.state = sha256(std::to_string(round)), .iteration = round};
    copies.push_back(seconds_of([&] { checkpoint.tensors = stored(run.tensors); }));
    writes.push_back(copies.back() + seconds_of([&] { folder->save(checkpoint).value(); }));
    const auto file = folder->path() / (checkpoint.state.hex() + ".checkpoint");
    megabytes = static_cast<double>(std::filesystem::file_size(file)) / 1e6;
    const auto read = [&] {
      const auto held = folder->load(checkpoint.state).value();
      require(restore(held.checkpoint.tensors, run.tensors));
    };
    cached.push_back(seconds_of(read));
    forget_cached(file);
    reads.push_back(seconds_of(read));
    pushes.push_back(seconds_of([&] {
      channel.client().push(checkpoint.state, folder->open_file(checkpoint.state).value().hold());
      require(channel.client().wait_until_pushed(checkpoint.state));
    }));
    folder->remove(checkpoint.state);
    fetches.push_back(
        seconds_of([&] { require(channel.client().fetch(checkpoint.state, go_on)); }));
    folder->remove(checkpoint.state);
    channel.forget(checkpoint.state);
    const auto other = disk.path() / "plain";
    plain.push_back(
        seconds_of([&] { write_plain(other, static_cast<std::size_t>(megabytes * 1e6)); }));
    std::filesystem::remove(other);
  }
  fmt::print("{:.1f} MB, {} times\n", megabytes, rounds);
  fmt::print("{:28} {:>8} {:>8} {:>8} {:>8} {:>10}\n", "", "median s", "min", "max", "MB/s",
             "% of a min");
  print("copy of the tensors", copies, megabytes);
  print("save, copy and sync included", writes, megabytes);
  print("plain write and sync", plain, megabytes);
  print("load and restore, cached", cached, megabytes);
  print("load and restore, from disk", reads, megabytes);
  print("push to a service, stored", pushes, megabytes);
  print("fetch from a service", fetches, megabytes);
}

int run(int argc, char** argv) {
  std::filesystem::path folder = std::filesystem::current_path();
  int rounds = 11;
  CLI::App app{"Times checkpoints of ResNet-18"};
  app.add_option("--folder", folder, "on the disk to measure")->check(CLI::ExistingDirectory);
  app.add_option("--rounds", rounds)->check(CLI::Range(1, 10'000))->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  open_device("cpu").value();  // the worker's allocator
  const ThreadScope scope(at::kCPU, 1);
  measure(folder, rounds);
  return 0;
}

}  // namespace
}  // namespace lrtune

int main(int argc, char** argv) { return lrtune::run(argc, argv); }
