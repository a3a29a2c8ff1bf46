#include "coordinator/store/second_names.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace lrtune {

bool give_name(const std::string& file, const std::string& name) {
  const std::string unfinished = name + ".unfinished";
  unlink(unfinished.c_str());
  if (link(file.c_str(), unfinished.c_str()) != 0) return false;
  if (rename(unfinished.c_str(), name.c_str()) == 0) return true;
  const int error = errno;
  unlink(unfinished.c_str());
  errno = error;
  return false;
}

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
    if (!(at_second == file)) give_name(first, second);
    return false;
  }
  if (!(at_second == file)) return false;
  if (at_first.exists() && at_first.bytes > 0 && !replaces_any) return false;
  return give_name(second, first);
}

SecondNames::Mended SecondNames::mend() {
  auto& [log, index] = files_;
  Mended mended;
  mended.log = log.mend();
  mended.index = index.mend();
  mended.lost = !index.in_place();
  return mended;
}

void SecondNames::end() {
  for (const Named& named : files_) unlink(named.second.c_str());
}

}  // namespace lrtune
