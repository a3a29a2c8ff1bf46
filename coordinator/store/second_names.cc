#include "coordinator/store/second_names.h"

#include <unistd.h>

#include <cstdio>

namespace lrtune {
namespace {

// Whatever stands under `name` becomes `file`'s other name, with no moment without a file.
bool replace(const std::string& file, const std::string& name) {
  const std::string unfinished = name + ".unfinished";
  unlink(unfinished.c_str());
  if (link(file.c_str(), unfinished.c_str()) != 0) return false;
  if (rename(unfinished.c_str(), name.c_str()) == 0) return true;
  unlink(unfinished.c_str());
  return false;
}

}  // namespace

SecondNames::SecondNames(const std::string& store)
    : files_{{{store + "-wal", second_name_of_log(store), false},
              {store + "-shm", store + ".shm", true}}} {}

void SecondNames::begin() {
  end();
  for (Named& named : files_) {
    named.file = file_number(named.first);
    if (named.file.exists()) static_cast<void>(link(named.first.c_str(), named.second.c_str()));
  }
}

bool SecondNames::Named::mend() const {
  if (!file.exists()) return false;
  const FileNumber at_first = file_number(first);
  const FileNumber at_second = file_number(second);
  if (at_first == file) {
    if (!(at_second == file)) replace(first, second);
    return false;
  }
  if (!(at_second == file)) return false;
  if (at_first.exists() && at_first.bytes > 0 && !replaces_any) return false;
  return replace(second, first);
}

std::string SecondNames::mend() {
  std::string mended;
  for (const Named& named : files_) {
    if (named.mend()) mended += (mended.empty() ? "" : ", ") + named.first;
  }
  return mended;
}

void SecondNames::end() {
  for (const Named& named : files_) unlink(named.second.c_str());
}

}  // namespace lrtune
