#include "tests/support/faulty_vfs.h"

#include <sqlite3.h>

#include <cstddef>
#include <new>

namespace lrtune {
namespace {

struct Plan {
  bool armed = false;
  DiskFault fault = DiskFault::kFull;
  int left = 0;
  bool lasting = false;
  bool struck = false;

  bool is_of(DiskFault operation) const {
    const bool writes = fault == DiskFault::kFull || fault == DiskFault::kTorn;
    return operation == fault || (operation == DiskFault::kFull && writes);
  }

  // `operation`: kFull for any write.
  bool strikes(DiskFault operation) {
    if (!armed || !is_of(operation)) return false;
    if (left-- > 0) return false;
    armed = lasting;
    left = 0;
    struck = true;
    return true;
  }
};

Plan plan;
sqlite3_vfs* real_vfs = nullptr;
sqlite3_vfs shim;

struct ShimFile {
  sqlite3_file base;  // SQLite sees this
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<ShimFile*>(file)->real(); }

int close_file(sqlite3_file* file) { return real(file)->pMethods->xClose(real(file)); }
int read_file(sqlite3_file* file, void* data, int size, sqlite3_int64 at) {
  return real(file)->pMethods->xRead(real(file), data, size, at);
}
int write_file(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
  if (!plan.strikes(DiskFault::kFull))
    return real(file)->pMethods->xWrite(real(file), data, size, at);
  if (plan.fault == DiskFault::kFull) return SQLITE_FULL;
  real(file)->pMethods->xWrite(real(file), data, size / 2, at);
  return SQLITE_IOERR_WRITE;
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  if (plan.strikes(DiskFault::kTruncate)) return SQLITE_IOERR_TRUNCATE;
  return real(file)->pMethods->xTruncate(real(file), size);
}
int sync_file(sqlite3_file* file, int flags) {
  if (plan.strikes(DiskFault::kSync)) return SQLITE_IOERR_FSYNC;
  return real(file)->pMethods->xSync(real(file), flags);
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return real(file)->pMethods->xFileSize(real(file), size);
}
int lock_file(sqlite3_file* file, int level) {
  return real(file)->pMethods->xLock(real(file), level);
}
int unlock_file(sqlite3_file* file, int level) {
  return real(file)->pMethods->xUnlock(real(file), level);
}
int check_lock(sqlite3_file* file, int* held) {
  return real(file)->pMethods->xCheckReservedLock(real(file), held);
}
int control(sqlite3_file* file, int what, void* argument) {
  return real(file)->pMethods->xFileControl(real(file), what, argument);
}
int sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
int characteristics(sqlite3_file* file) {
  return real(file)->pMethods->xDeviceCharacteristics(real(file));
}
int map_shared(sqlite3_file* file, int page, int size, int extend, void volatile** memory) {
  return real(file)->pMethods->xShmMap(real(file), page, size, extend, memory);
}
int lock_shared(sqlite3_file* file, int offset, int count, int flags) {
  return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}
void shared_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
int unmap_shared(sqlite3_file* file, int remove) {
  return real(file)->pMethods->xShmUnmap(real(file), remove);
}

// Version 2: shared memory for the write-ahead log, no memory-mapped pages past the writes above.
const sqlite3_io_methods kMethods = {2,
                                     close_file,
                                     read_file,
                                     write_file,
                                     truncate_file,
                                     sync_file,
                                     file_size,
                                     lock_file,
                                     unlock_file,
                                     check_lock,
                                     control,
                                     sector_size,
                                     characteristics,
                                     map_shared,
                                     lock_shared,
                                     shared_barrier,
                                     unmap_shared,
                                     nullptr,
                                     nullptr};

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* shim_file = new (file) ShimFile{};
  const int rc = real_vfs->xOpen(real_vfs, name, shim_file->real(), flags, out_flags);
  shim_file->base.pMethods = shim_file->real()->pMethods != nullptr ? &kMethods : nullptr;
  return rc;
}

}  // namespace

FaultyDisk::FaultyDisk() {
  real_vfs = sqlite3_vfs_find(nullptr);
  plan = Plan{};
  shim = *real_vfs;
  shim.zName = "faulty";
  shim.szOsFile = static_cast<int>(sizeof(ShimFile)) + real_vfs->szOsFile;
  shim.pNext = nullptr;
  shim.xOpen = open_file;
  sqlite3_vfs_register(&shim, 1);
}

FaultyDisk::~FaultyDisk() {
  sqlite3_vfs_unregister(&shim);
  sqlite3_vfs_register(real_vfs, 1);
}

void FaultyDisk::fail(DiskFault fault, int after, bool lasting) {
  plan = {true, fault, after, lasting, false};
}
void FaultyDisk::heal() { plan.armed = false; }
bool FaultyDisk::failed() const { return plan.struck; }

}  // namespace lrtune
