// A disk that fails on command, under SQLite: the operating system's VFS with faults at its seam.
#pragma once

#include <string>

namespace lrtune {

enum class DiskFault {
  kFull,      // a write fails with SQLITE_FULL, nothing of it is written
  kTorn,      // a write fails after the first half of it
  kSync,      // a sync fails; what was written before stands
  kTruncate,  // a truncation fails, and changes nothing
};

// While it lives it is SQLite's default VFS, so that every database opened meanwhile goes through
// it. One at a time, one thread; databases opened meanwhile must be closed before it goes.
class FaultyDisk {
 public:
  FaultyDisk();
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  // The operation number `after` from now (0 is the next one) of the fault's kind fails; with
  // `lasting` all later ones too.
  void fail(DiskFault fault, int after, bool lasting);
  void heal();
  bool failed() const;  // a fault has struck since fail()
};

}  // namespace lrtune
