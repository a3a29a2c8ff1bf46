// Who may include what. This table is the rule; include_rules.h carries it out and
// layer_rules_test.cc holds the repository to it. A folder, a library or a header that is missing
// here is an error, so new ones are decided here.
#pragma once

#include <string_view>
#include <vector>

namespace lrtune::rules {

// Libraries and parts of the system, each with the headers that bring it in: a full name, or a
// folder with its slash. Headers of the standard library that stand in no row are plain values and
// algorithms: every file may have them.
struct Library {
  std::string_view name;
  std::vector<std::string_view> headers;
};

// A folder (not its subfolders), or one file's name without its extension, which goes before its
// folder.
struct Layer {
  std::string_view place;
  std::vector<std::string_view> folders;    // whose headers it may include
  std::vector<std::string_view> libraries;  // whose headers it may include
  bool pure = false;  // state machines and formulas: what they reach through others counts as well,
                      // and no clock
};

inline const std::vector<Library>& libraries() {
  static const std::vector<Library> all = {
      {"text", {"fmt/"}},
      {"errors", {"tl/expected.hpp"}},
      {"json", {"nlohmann/"}},
      {"hashes", {"sodium.h", "openssl/"}},
      {"zlib", {"zlib.h"}},
      {"matlab files", {"matio.h"}},
      {"jpeg", {"turbojpeg.h"}},
      {"yaml", {"yaml-cpp/"}},
      {"json schema", {"valijson/"}},
      {"zeromq", {"zmq.hpp", "zmq_addon.hpp", "zmq.h"}},
      {"sqlite", {"SQLiteCpp/", "sqlite3.h"}},
      {"boost random", {"boost/random/"}},
      {"boost math", {"boost/math/"}},
      {"boost", {"boost/"}},
      {"torch", {"torch/", "ATen/", "c10/", "cuda_runtime.h", "cuda_runtime_api.h", "cuda.h"}},
      {"command line", {"CLI/"}},
      {"log", {"spdlog/"}},
      {"prometheus", {"prometheus/"}},
      {"tests", {"gtest/", "gmock/", "rapidcheck.h", "rapidcheck/", "benchmark/"}},
      {"threads",
       {"thread", "mutex", "shared_mutex", "condition_variable", "future", "stop_token", "latch",
        "barrier", "semaphore", "atomic", "pthread.h", "semaphore.h", "sched.h"}},
      {"files", {"fstream", "iostream", "syncstream", "filesystem", "fcntl.h"}},
      {"system", {"unistd.h",  "stdlib.h", "signal.h", "spawn.h", "malloc.h",    "poll.h",
                  "dlfcn.h",   "locale.h", "string.h", "time.h",  "wchar.h",     "dirent.h",
                  "termios.h", "pty.h",    "netdb.h",  "csignal", "sys/",        "netinet/",
                  "arpa/",     "net/",     "linux/",   "cpuid.h", "immintrin.h", "pwd.h"}},
  };
  return all;
}

inline const std::vector<Layer>& layers() {
  static const std::vector<Layer> all = {
      {.place = "common",
       .folders = {"common", "common/policy", "common/training"},
       .libraries = {"text", "errors", "json", "hashes"},
       .pure = true},
      {.place = "common/policy",
       .folders = {"common", "common/policy", "common/training"},
       .libraries = {"text", "errors", "json"},
       .pure = true},
      {.place = "common/training",
       .folders = {"common", "common/policy", "common/training"},
       .libraries = {"text", "errors", "json"},
       .pure = true},
      {.place = "common/config",
       .folders = {"common", "common/policy", "common/training", "common/config"},
       .libraries = {"text", "errors", "json", "yaml"}},
      {.place = "common/wire",
       .folders = {"common", "common/policy", "common/training", "common/wire"},
       .libraries = {"text", "errors", "json"}},
      {.place = "common/wire/security",
       .folders = {"common", "common/wire/security"},
       .libraries = {"text", "errors", "zeromq", "threads", "files", "system"}},
      {.place = "common/wire/transport",
       .folders = {"common", "common/policy", "common/training", "common/wire",
                   "common/wire/security"},
       .libraries = {"text", "errors", "hashes", "zeromq", "threads", "system"}},

      {.place = "coordinator/search",
       .folders = {"common", "common/policy", "common/training", "common/config",
                   "coordinator/search"},
       .libraries = {"text", "errors", "json", "boost random"},
       .pure = true},
      {.place = "coordinator/ranking",
       .folders = {"common", "common/policy", "common/training", "common/config",
                   "coordinator/ranking"},
       .libraries = {"text", "errors", "json"},
       .pure = true},
      {.place = "coordinator/tuning",
       .folders = {"common", "common/policy", "common/training", "common/config",
                   "coordinator/tuning", "coordinator/ranking"},
       .libraries = {"text", "errors", "json", "boost math"},
       .pure = true},
      {.place = "coordinator/plot",
       .folders = {"common", "coordinator/plot"},
       .libraries = {"text", "errors"},
       .pure = true},
      {.place = "coordinator/handout",
       .folders = {"common", "common/policy", "coordinator/handout"},
       .libraries = {"text", "errors", "json"},
       .pure = true},
      {.place = "coordinator/core",
       .folders = {"common", "common/policy", "common/training", "common/config", "common/wire",
                   "coordinator/core", "coordinator/search", "coordinator/ranking",
                   "coordinator/tuning"},
       .libraries = {"text", "errors", "json"},
       .pure = true},
      {.place = "coordinator/store",
       .folders = {"common", "common/policy", "common/training", "common/config",
                   "coordinator/core", "coordinator/search", "coordinator/ranking",
                   "coordinator/store"},
       .libraries = {"text", "errors", "json", "sqlite", "threads", "files", "system"}},
      {.place = "coordinator",
       .folders = {"common", "common/policy", "common/training", "common/config", "common/wire",
                   "common/wire/security", "coordinator", "coordinator/core", "coordinator/search",
                   "coordinator/ranking", "coordinator/tuning", "coordinator/store"},
       .libraries = {"text", "errors", "json", "log", "hashes", "threads", "system"}},
      {.place = "coordinator/operations",
       .folders = {"common", "coordinator", "coordinator/core", "coordinator/operations"},
       .libraries = {"text", "errors", "boost", "prometheus", "threads", "files", "system"}},
      // How many columns a letter takes is the system's to say.
      {.place = "coordinator/report/text_table",
       .folders = {"coordinator/report"},
       .libraries = {"text", "system"}},
      {.place = "coordinator/report",
       .folders = {"common", "common/policy", "common/training", "common/config",
                   "coordinator/report", "coordinator/core", "coordinator/search",
                   "coordinator/ranking", "coordinator/tuning", "coordinator/store",
                   "coordinator/plot"},
       .libraries = {"text", "errors", "json"},
       .pure = true},
      {.place = "coordinator/methods",
       .folders = {"common", "common/policy", "common/training", "common/config",
                   "coordinator/methods", "coordinator/report", "coordinator/core",
                   "coordinator/search", "coordinator/ranking", "coordinator/tuning",
                   "coordinator/store", "coordinator/plot"},
       .libraries = {"text", "errors", "json"},
       .pure = true},
      {.place = "coordinator/cli",
       .folders = {"common", "common/policy", "common/training", "common/config", "common/wire",
                   "common/wire/security", "coordinator", "coordinator/cli", "coordinator/core",
                   "coordinator/operations", "coordinator/search", "coordinator/ranking",
                   "coordinator/tuning", "coordinator/store", "coordinator/plot",
                   "coordinator/handout", "coordinator/report", "coordinator/methods"},
       .libraries = {"text", "errors", "json", "log", "hashes", "command line", "boost", "threads",
                     "files", "system"}},

      {.place = "worker/core",
       .folders = {"common", "common/policy", "common/training", "common/wire", "worker/core"},
       .libraries = {"text", "errors", "json"},
       .pure = true},
      {.place = "worker/checkpoints",
       .folders = {"common", "common/policy", "common/training", "worker/checkpoints"},
       .libraries = {"text", "errors", "json", "threads", "files", "system"}},
      {.place = "worker/checkpoint_channel",
       .folders = {"common", "common/policy", "common/training", "common/wire",
                   "common/wire/security", "worker", "worker/checkpoints",
                   "worker/checkpoint_channel"},
       .libraries = {"text", "errors", "log", "command line", "threads", "system"}},
      {.place = "worker/training",
       .folders = {"common", "common/policy", "common/training", "worker/checkpoints",
                   "worker/training"},
       .libraries = {"text", "errors", "json", "hashes", "zlib", "matlab files", "jpeg", "torch",
                     "threads", "files", "system"}},
      {.place = "worker",
       .folders = {"common", "common/policy", "common/training", "common/wire",
                   "common/wire/security", "worker", "worker/core", "worker/checkpoints",
                   "worker/checkpoint_channel", "worker/training"},
       .libraries = {"text", "errors", "json", "log", "hashes", "command line", "threads", "files",
                     "system"}},
  };
  return all;
}

}  // namespace lrtune::rules
