// One checkpoint's way between a client and the service, as the client sees it: answers in,
// messages out. No socket and no clock: checkpoint_client.h has them. After a silence or a new
// connection `start` is called again, and the transfer goes on where the other side is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/wire/checkpoint_messages.h"
#include "worker/checkpoints/arriving_checkpoint.h"
#include "worker/checkpoints/checkpoint_folder.h"

namespace lrtune {

using ClientMessages = std::vector<wire::ToCheckpointService>;

class Transfer {
 public:
  virtual ~Transfer() = default;
  virtual ClientMessages start() = 0;
  virtual ClientMessages on_answer(const wire::ToCheckpointClient& answer) = 0;
  // Grows whenever the transfer gets on.
  virtual std::int64_t position() const = 0;

  bool done() const { return done_; }
  const std::optional<Error>& error() const { return error_; }  // done, in vain

 protected:
  void end() { done_ = true; }
  void end(std::string message) {
    done_ = true;
    error_ = Error{std::move(message), {}};
  }

 private:
  bool done_ = false;
  std::optional<Error> error_;
};

// Names of all states that the service has.
class ListTransfer final : public Transfer {
 public:
  ClientMessages start() override;
  ClientMessages on_answer(const wire::ToCheckpointClient& answer) override;
  std::int64_t position() const override { return std::ssize(states_); }
  std::vector<Digest> take() { return std::move(states_); }

 private:
  std::vector<Digest> states_;  // ascending
};

// A checkpoint from the service into a folder.
class FetchTransfer final : public Transfer {
 public:
  FetchTransfer(CheckpointFolder& folder, const Digest& state) : folder_(folder), state_(state) {}
  ClientMessages start() override;
  ClientMessages on_answer(const wire::ToCheckpointClient& answer) override;
  std::int64_t position() const override { return arriving_ ? arriving_->received() : 0; }

 private:
  ClientMessages on_file(const wire::File& file);
  ClientMessages on_chunk(const wire::Chunk& chunk);
  ClientMessages ask_for_more();

  CheckpointFolder& folder_;
  Digest state_;
  std::unique_ptr<ArrivingCheckpoint> arriving_;
  std::int64_t asked_ = 0;  // bytes before are there or under way
};

// A checkpoint of a folder to the service.
class PushTransfer final : public Transfer {
 public:
  PushTransfer(CheckpointFolder& folder, const Digest& state) : folder_(folder), state_(state) {}
  ClientMessages start() override;
  ClientMessages on_answer(const wire::ToCheckpointClient& answer) override;
  std::int64_t position() const override { return confirmed_; }

 private:
  ClientMessages on_wanted(const wire::Wanted& wanted);

  CheckpointFolder& folder_;
  Digest state_;
  std::optional<CheckpointFile> file_;
  Digest digest_;
  bool offered_ = false;        // no answer to the offer yet
  std::int64_t confirmed_ = 0;  // bytes that the service has
  std::int64_t sent_ = 0;
};

}  // namespace lrtune
