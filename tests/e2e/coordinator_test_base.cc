#include "tests/e2e/coordinator_test_base.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <random>
#include <sstream>
#include <stdexcept>

namespace lrtune {
namespace {

bool is_free(int port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool bound = bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(descriptor);
  return bound;
}

// Not one of those that the kernel gives to connecting sockets: while nobody listens there, a
// worker's socket could meet itself.
int free_port() {
  std::random_device random;
  std::uniform_int_distribution<int> ports(20'000, 32'000);
  for (int tries = 0; tries < 100; ++tries) {
    if (const int port = ports(random); is_free(port)) return port;
  }
  throw std::runtime_error("no port is free");
}

// The program with its standard error at the end of a file, so that nobody has to read it.
Process logged(const std::string& program, const std::string& log,
               std::vector<std::string> arguments, const std::string& folder) {
  std::vector<std::string> shell{"-c", "exec \"$0\" \"$@\" 2>>" + log, program};
  shell.insert(shell.end(), arguments.begin(), arguments.end());
  return Process("/bin/sh", shell, folder);
}

}  // namespace

CoordinatorTest::CoordinatorTest() {
  const ProcessResult made = lrtune({"keygen", "keys"}).wait(kPatience);
  EXPECT_EQ(made.exit_code, 0) << made.err;
  endpoint_ = "tcp://127.0.0.1:" + std::to_string(free_port());
}

Process CoordinatorTest::coordinator() const {
  const std::int64_t before = lines_with("coordinator.log", "event=loaded");
  Process process = logged(
      LRTUNE_PROGRAM, "coordinator.log",
      {"coordinator", "--listen", endpoint_, "--keys", "keys", "--lease", "60"}, folder_.path());
  until(process, "the coordinator listens",
        [&] { return lines_with("coordinator.log", "event=loaded") > before; });
  return process;
}

Process CoordinatorTest::worker(const std::string& name, int iteration_us) const {
  const std::string keys = "keys/workers/" + name;
  if (!std::filesystem::exists(folder_.file(keys))) {
    const ProcessResult made = lrtune({"keygen", "keys", "--worker", name}).wait(kPatience);
    EXPECT_EQ(made.exit_code, 0) << made.err;
  }
  return logged(LRTUNE_WORKER_PROGRAM, name + ".log",
                {"--connect", endpoint_, "--keys", keys, "--name", name, "--threads", "1",
                 "--trainer", "synthetic:iteration_us=" + std::to_string(iteration_us)},
                folder_.path());
}

int CoordinatorTest::stop(Process& process) {
  process.signal(SIGTERM);
  return process.wait(kPatience).exit_code;
}

Process CoordinatorTest::client(std::vector<std::string> arguments) const {
  arguments.insert(arguments.end(),
                   {"--coordinator", endpoint_, "--keys", "keys", "--patience", "60"});
  return lrtune(arguments);
}

nlohmann::json CoordinatorTest::ask(std::vector<std::string> arguments) const {
  arguments.emplace_back("--json");
  const ProcessResult answer = client(arguments).wait(kPatience);
  EXPECT_EQ(answer.exit_code, 0) << arguments.front() << ": " << answer.err;
  return nlohmann::json::parse(answer.out, nullptr, false);
}

std::int64_t CoordinatorTest::submit(const std::string& name, const std::string& search,
                                     int iterations, const std::vector<std::string>& more) const {
  write(name + ".yaml",
        "name: " + name +
            "\ntrain: {dataset: {name: mnist}, model: lenet, optimizer: {name: sgd}, batch: 100}\n"
            "run: {iterations: " +
            std::to_string(iterations) +
            ", evaluate: {every: 10}}\n"
            "seed: 7\n" +
            search);
  std::vector<std::string> arguments{"submit", name + ".yaml"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return ask(arguments).value("campaign", std::int64_t{0});
}

std::string CoordinatorTest::state_of(const std::string& campaign) const {
  return ask({"status", campaign}).value("state", "");
}

std::int64_t CoordinatorTest::running_jobs() const {
  return number("SELECT count(*) FROM job WHERE state = 'running'");
}

// As RunTest's queries: a store that is being made is an empty one.
std::vector<std::string> CoordinatorTest::column(const std::string& sql) const {
  std::vector<std::string> values;
  try {
    SQLite::Database database(folder_.file("lrtune.db"), SQLite::OPEN_READONLY, 5000);
    SQLite::Statement statement(database, sql);
    while (statement.executeStep()) values.push_back(statement.getColumn(0).getString());
  } catch (const SQLite::Exception&) {
    values.clear();
  }
  return values;
}

std::int64_t CoordinatorTest::number(const std::string& sql) const {
  const std::vector<std::string> values = column(sql);
  return values.empty() ? 0 : std::stoll(values.front());
}

std::int64_t CoordinatorTest::lines_with(const std::string& log, const std::string& text) const {
  std::istringstream lines(read(log));
  std::int64_t count = 0;
  for (std::string line; std::getline(lines, line);)
    count += line.find(text) != std::string::npos ? 1 : 0;
  return count;
}

}  // namespace lrtune
