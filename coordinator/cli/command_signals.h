// SIGINT, SIGTERM and SIGHUP as a descriptor to poll, instead of handlers.
#pragma once

#include "common/result.h"

namespace lrtune {

// Blocks the signals for the calling thread and those that it starts; make it before any thread.
// The mask stays when it is destroyed: a signal that is still pending then must not kill the
// process on its last lines.
class CommandSignals {
 public:
  static Result<CommandSignals> open();
  CommandSignals(CommandSignals&& other) noexcept;
  CommandSignals& operator=(CommandSignals&&) = delete;
  ~CommandSignals();

  int descriptor() const { return descriptor_; }
  int take();  // the next signal's number, 0 if there is none; does not wait

 private:
  explicit CommandSignals(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace lrtune
