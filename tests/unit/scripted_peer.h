// A worker in a few lines, for tests of the coordinator's loop: it joins, answers surveys, and
// finishes what it is assigned at once. It trains nothing.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/wire/transport.h"

namespace lrtune {

class ScriptedPeer {
 public:
  ScriptedPeer(const std::string& endpoint, std::string name);

  // Reads what is there and answers it.
  void pump();

  void send(const wire::ToCoordinator& message);
  void send_bytes(const wire::Frame& frame);

  bool finishes = true;  // false: starts its jobs and stays silent about them
  bool left = false;     // was told to shut down
  std::vector<wire::Assign> assigned;
  std::vector<std::string> rejected;  // reasons
  int acknowledged = 0;               // attempts whose last report was

 private:
  void answer(const wire::FromCoordinator& message);
  void hello();
  void run(const wire::Assign& assignment);

  wire::DealerSocket socket_;
  std::string name_;
  std::vector<wire::Frame> unsent_;
  std::map<JobId, std::vector<wire::ToCoordinator>> unacknowledged_;
  std::map<JobId, Attempt> held_;
};

}  // namespace lrtune
