// Whether other processes have a store open, with another index of its log. Private to
// coordinator/store.
#pragma once

#include <string>

namespace lrtune {

// By SQLite's locks on the file (https://sqlite.org/lockingv3.html): whoever has it open in WAL
// mode holds a shared one. Must be made after this process has opened the store, and outlive that:
// closing it gives up this process's locks on the file (fcntl(2)).
class OtherUsers {
 public:
  explicit OtherUsers(const std::string& store);
  OtherUsers(OtherUsers&& other) noexcept;
  OtherUsers(const OtherUsers&) = delete;
  OtherUsers& operator=(const OtherUsers&) = delete;
  OtherUsers& operator=(OtherUsers&&) = delete;
  ~OtherUsers();

  // Whether one of them does not use `index`, the store's PATH-shm, as far as /proc/locks tells;
  // true if it cannot be told.
  bool any_beside(const std::string& index) const;

 private:
  bool any() const;

  std::string store_;
  int file_;
};

}  // namespace lrtune
