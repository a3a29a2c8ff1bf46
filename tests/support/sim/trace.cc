#include "tests/support/sim/trace.h"

#include "common/training.h"

namespace lrtune::sim {
namespace {

struct Describer {
  template <typename Report>
  static std::string attempt(std::string_view kind, const Report& report) {
    return fmt::format("{} {}/{}", kind, report.job.value, report.attempt);
  }

  std::string operator()(const wire::Hello& hello) const {
    std::string text = "Hello";
    for (const wire::HeldAttempt& held : hello.held) text += " " + attempt("holds", held);
    return text;
  }
  std::string operator()(const wire::Heartbeat&) const { return "Heartbeat"; }
  std::string operator()(const wire::Surveyed& answer) const {
    return fmt::format("Surveyed {}{}", answer.survey, answer.facts ? "" : " in vain");
  }
  std::string operator()(const wire::Started& report) const { return attempt("Started", report); }
  std::string operator()(const wire::Progress& report) const {
    return fmt::format("{} at {}", attempt("Progress", report), report.iteration);
  }
  std::string operator()(const wire::Measured& report) const {
    return fmt::format("{} #{} at {}", attempt("Measured", report), report.sequence,
                       report.point.iteration);
  }
  std::string operator()(const wire::Finished& report) const {
    return fmt::format("{} #{} {} at {}", attempt("Finished", report), report.sequence,
                       name_of(report.outcome.kind), report.outcome.iteration);
  }
  std::string operator()(const wire::Refused& report) const {
    return fmt::format("{}: {}", attempt("Refused", report), report.reason);
  }
  std::string operator()(const wire::Goodbye&) const { return "Goodbye"; }
  std::string operator()(const wire::Welcome& welcome) const {
    return "Welcome by incarnation " + welcome.incarnation;
  }
  std::string operator()(const wire::Introduce&) const { return "Introduce"; }
  std::string operator()(const wire::Rejected& rejected) const {
    return "Rejected: " + rejected.reason;
  }
  std::string operator()(const wire::Survey& survey) const {
    return fmt::format("Survey {}", survey.survey);
  }
  std::string operator()(const wire::Assign& assign) const { return attempt("Assign", assign); }
  std::string operator()(const wire::Acknowledge& acknowledge) const {
    return fmt::format("{} #{}", attempt("Acknowledge", acknowledge), acknowledge.sequence);
  }
  std::string operator()(const wire::Cancel& cancel) const { return attempt("Cancel", cancel); }
  std::string operator()(const wire::Shutdown&) const { return "Shutdown"; }
  std::string operator()(const wire::Submit& submit) const { return "Submit " + submit.file; }
  std::string operator()(const wire::Order& order) const {
    return fmt::format("Order {} {}", name_of(order.kind), order.target);
  }
  std::string operator()(const wire::Extend& extend) const { return "Extend " + extend.campaign; }
  std::string operator()(const wire::Judge& judge) const {
    return fmt::format("Judge {} {}", name_of(judge.kind), judge.trial.value);
  }
  std::string operator()(const wire::Inspect& inspect) const {
    return fmt::format("Inspect {} {}", name_of(inspect.kind), inspect.target);
  }
  std::string operator()(const wire::Answer& answer) const {
    return fmt::format("Answer {} {}", answer.request, answer.error);
  }
};

}  // namespace

std::string describe(const wire::ToCoordinator& message) {
  return std::visit(Describer{}, message);
}
std::string describe(const wire::FromCoordinator& message) {
  return std::visit(Describer{}, message);
}

}  // namespace lrtune::sim
