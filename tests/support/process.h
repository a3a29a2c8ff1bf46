// A program under test: started with pipes, waited for with deadlines, killed when the test is
// over.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace lrtune {

struct ProcessResult {
  int exit_code = -1;  // -1: killed by `signal`
  int signal = 0;
  std::string out;
  std::string err;
};

class Process {
 public:
  // Runs `program` in `folder`; `environment` is added to this process's.
  Process(const std::filesystem::path& program, const std::vector<std::string>& arguments,
          const std::filesystem::path& folder,
          const std::map<std::string, std::string>& environment = {});
  Process(Process&&) noexcept;
  Process& operator=(Process&&) noexcept;  // kills the one before
  ~Process();

  int id() const;
  const std::string& out() const;
  const std::string& err() const;

  // Reads the output until `condition` holds, which is asked whenever something was written and at
  // least every few milliseconds. Throws std::runtime_error with all output if the process ends or
  // `seconds` are over before.
  void until(const std::string& what, const std::function<bool()>& condition, int seconds = 30);
  void until_error_has(const std::string& text, int seconds = 30);

  void signal(int number);
  std::vector<int> children() const;  // ids of its child processes now

  // Reads all output to its end. Throws std::runtime_error at the deadline.
  ProcessResult wait(int seconds = 60);

 private:
  void end();

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Waits until process `id` has ended (any process of this user); false at the deadline.
bool ended_within(int id, int seconds);

}  // namespace lrtune
