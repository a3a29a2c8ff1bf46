// A coordinator that lives on, with workers and clients that come and go: what people order, and
// what a crash leaves.
#include <signal.h>

#include <regex>
#include <sstream>

#include "tests/e2e/coordinator_test_base.h"

namespace lrtune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr int kSlow = 20'000;  // microseconds an iteration: a trial of 100 takes 2 s

const char* const kList =
    "search:\n"
    "  method: list\n"
    "  policies: [{function: fix, k0: 0.1}, {function: fix, k0: 0.01}, {function: fix, k0: 0.02},\n"
    "             {function: exp, k0: 0.05, gamma: 0.99}]\n";
const char* const kOther =  // none of its jobs is one of kList's
    "search:\n"
    "  method: list\n"
    "  policies: [{function: fix, k0: 0.2}, {function: fix, k0: 0.3}, {function: fix, k0: 0.4}]\n";
const char* const kVerify = "verify: {top: 2, repeats: 2}\n";

class CampaignLifeTest : public CoordinatorTest {
 protected:
  std::int64_t ended_of(std::int64_t campaign) const {
    return number("SELECT count(*) FROM trial WHERE state = 'done' AND campaign = " +
                  std::to_string(campaign));
  }
  bool is(std::int64_t campaign, const std::string& state) const {
    return column("SELECT state FROM campaign WHERE id = " + std::to_string(campaign)) ==
           std::vector<std::string>{state};
  }
};

TEST_F(CampaignLifeTest, ACampaignIsSubmittedWatchedAndDone) {
  Process coordinator = this->coordinator();
  Process one = worker("one"), two = worker("two");
  write("tiny.yaml", experiment());
  const ProcessResult submitted = client({"submit", "tiny.yaml"}).wait(kPatience);
  EXPECT_EQ(submitted.exit_code, 0) << submitted.err;
  EXPECT_THAT(submitted.out, HasSubstr("campaign 1 (tiny): "));
  const ProcessResult watched = client({"watch", "tiny"}).wait(kPatience);
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  EXPECT_THAT(watched.out, HasSubstr("campaign 1 (tiny): done, 8 of 8 trials ended"));
  EXPECT_THAT(watched.out, HasSubstr("rank  trial  policy"));
  EXPECT_THAT(watched.err, HasSubstr("tiny: done"));
  expect_whole_campaign();

  const ProcessResult status = client({"status"}).wait(kPatience);
  EXPECT_THAT(status.out, HasSubstr("tiny  done"));
  EXPECT_EQ(client({"status", "1"}).wait(kPatience).out, watched.out);
  EXPECT_EQ(ask({"status"}).at("campaigns").at(0).at("state"), "done");
  EXPECT_EQ(ask({"submit", "tiny.yaml"}).at("known"), true);
  const nlohmann::json workers = ask({"workers", "list"}).at("workers");
  ASSERT_EQ(workers.size(), 2U);
  EXPECT_EQ(workers.at(0).at("name"), "one");
  EXPECT_EQ(workers.at(1).at("held"), 0);

  EXPECT_EQ(stop(one), 0);
  EXPECT_EQ(stop(coordinator), 0) << "no campaign is open";
  // The log of this command had times and levels that were no pairs of logfmt.
  std::istringstream log(read("coordinator.log"));
  for (std::string line; std::getline(log, line);)
    EXPECT_TRUE(std::regex_search(line, std::regex("^time=\\S+ level=\\w+ event="))) << line;
}

TEST_F(CampaignLifeTest, APauseFreesTheSlotsAndResumeGoesOn) {
  Process coordinator = this->coordinator();
  Process one = worker("one", kSlow), two = worker("two", kSlow);
  const std::int64_t paused = submit("paused", std::string(kList) + kVerify, 100);
  until(coordinator, "one trial has ended and others run",
        [&] { return ended_of(paused) > 0 && running_jobs() > 0; });
  EXPECT_EQ(ask({"pause", "paused", "--reason", "the night"}).at("paused"), true);
  until(coordinator, "its slots are free", [&] { return running_jobs() == 0; });
  EXPECT_EQ(ask({"workers", "list"}).at("workers").at(0).at("held"), 0);
  const auto before = jobs();
  const std::int64_t other = submit("other", kOther);
  until(coordinator, "another campaign gets them", [&] { return is(other, "done"); });
  for (const auto& [id, job] : before) EXPECT_EQ(jobs().at(id), job) << "job " << id;
  EXPECT_EQ(ask({"status", "paused"}).at("waiting_for"), "it is paused");

  EXPECT_EQ(ask({"resume", "paused"}).at("paused"), false);
  until(coordinator, "it goes on", [&] { return is(paused, "done"); });
  expect_untouched(before);
  EXPECT_EQ(ended_of(paused), 8);
  for (const auto& [id, job] : jobs()) EXPECT_EQ(job.deaths, 0) << "a pause is nobody's death";
}

TEST_F(CampaignLifeTest, AHigherPriorityIsServedFirst) {
  Process coordinator = this->coordinator();
  Process one = worker("one", kSlow);
  const std::int64_t low = submit("low", kList, 100);
  until(coordinator, "it runs", [&] { return running_jobs() > 0; });
  const std::int64_t high = submit("high", kOther, 40, {"--priority", "5"});
  until(coordinator, "both are done", [&] { return is(low, "done") && is(high, "done"); });
  // Once it has its trials, nothing of the other is given out before them.
  const std::string assigned = " FROM decision WHERE code = 'assigned' AND campaign = ";
  const std::string mine = assigned + std::to_string(high);
  EXPECT_EQ(number("SELECT count(*)" + assigned + std::to_string(low) +
                   " AND id BETWEEN (SELECT min(id)" + mine + ") AND (SELECT max(id)" + mine + ")"),
            0);
  EXPECT_LT(number("SELECT max(id)" + mine),
            number("SELECT max(id)" + assigned + std::to_string(low)));
}

TEST_F(CampaignLifeTest, ACancelEndsACampaignAndSubmittingItAgainGoesOn) {
  Process coordinator = this->coordinator();
  Process one = worker("one", kSlow), two = worker("two", kSlow);
  const std::int64_t campaign = submit("given-up", std::string(kList) + kVerify, 100);
  Process watch = client({"watch", "given-up"});
  until(coordinator, "one trial has ended and others run",
        [&] { return ended_of(campaign) > 0 && running_jobs() > 0; });
  EXPECT_EQ(ask({"cancel", "given-up"}).at("state"), "cancelled");
  EXPECT_EQ(watch.wait(kPatience).exit_code, 1);
  until(coordinator, "its slots are free", [&] { return running_jobs() == 0; });
  const auto before = jobs();
  const ProcessResult resumed = client({"resume", "given-up"}).wait(kPatience);
  EXPECT_EQ(resumed.exit_code, 2);
  EXPECT_THAT(resumed.err, HasSubstr("campaign 1 (given-up) has ended: it is cancelled"));
  EXPECT_EQ(submit("given-up", std::string(kList) + kVerify, 100), campaign);
  until(coordinator, "it is done", [&] { return is(campaign, "done"); });
  expect_untouched(before);
  EXPECT_EQ(ended_of(campaign), 8);
}

TEST_F(CampaignLifeTest, AnExtensionAddsTrialsAndNothingFinishedRunsAgain) {
  Process coordinator = this->coordinator();
  Process one = worker("one");
  const std::int64_t campaign = submit("grows",
                                       "search:\n"
                                       "  method: random\n"
                                       "  count: 3\n"
                                       "  policies: [{function: fix, k0: {log: [0.001, 0.1]}}]\n");
  until(coordinator, "it is done", [&] { return is(campaign, "done"); });
  const auto before = jobs();
  EXPECT_EQ(before.size(), 3U);
  // Asking twice is asking once.
  for (int times = 0; times < 2; ++times)
    EXPECT_EQ(ask({"extend", "grows", "--count", "5"}).at("extensions"), 1);
  until(coordinator, "it is done with all of them",
        [&] { return is(campaign, "done") && ended_of(campaign) == 5; });
  expect_untouched(before);
  EXPECT_EQ(jobs().size(), 5U);
  EXPECT_EQ(count_decisions("completed"), 5);
}

TEST_F(CampaignLifeTest, AKilledCoordinatorGoesOnWhereItWas) {
  constexpr int kLong = 50'000;  // a trial takes 2 s
  Process coordinator = this->coordinator();
  Process one = worker("one", kLong), two = worker("two", kLong);
  write("tiny.yaml", experiment());
  Process watch = client({"submit", "tiny.yaml", "--watch"});
  until(coordinator, "two trials have ended and two run", [&] {
    return number("SELECT count(*) FROM trial WHERE state = 'done'") >= 2 && running_jobs() == 2;
  });
  coordinator.signal(SIGKILL);
  EXPECT_EQ(coordinator.wait(kPatience).signal, SIGKILL);
  const auto before = jobs();
  const std::int64_t hellos = lines_with("coordinator.log", "event=hello");
  coordinator = this->coordinator();
  until(coordinator, "both workers are back",
        [&] { return lines_with("coordinator.log", "event=hello") >= hellos + 2; });
  const ProcessResult watched = watch.wait(kPatience);
  EXPECT_EQ(watched.exit_code, 0) << watched.err;
  expect_whole_campaign();
  expect_untouched(before);
  for (const auto& [id, job] : before) {
    EXPECT_EQ(jobs().at(id).attempt, std::max<std::int64_t>(job.attempt, 1))
        << "job " << id << " was trained on, not started again";
  }
}

TEST_F(CampaignLifeTest, ADrainedWorkerEndsWhatItTrainsAndGetsNothingMore) {
  Process coordinator = this->coordinator();
  Process one = worker("one", kSlow), two = worker("two", kSlow);
  const std::int64_t campaign = submit("long", std::string(kList) + kVerify, 100);
  until(coordinator, "both train", [&] { return running_jobs() == 2; });
  const auto of_one = [&] {
    return column("SELECT id FROM job WHERE attempt > 0 AND worker = 'one'");
  };
  EXPECT_EQ(ask({"workers", "drain", "one", "--reason", "new memory"}).at("connected"), 1);
  const std::vector<std::string> had = of_one();
  EXPECT_EQ(one.wait(kPatience).exit_code, 0);
  EXPECT_EQ(of_one(), had);
  EXPECT_EQ(number("SELECT count(*) FROM job WHERE worker = 'one' AND state <> 'done'"), 0);
  const nlohmann::json order = ask({"workers", "list"}).at("orders").at(0);
  EXPECT_EQ(order.at("worker"), "one");
  EXPECT_EQ(order.at("order"), "drain");
  Process again = worker("one", kSlow);  // it is told so again
  EXPECT_EQ(again.wait(kPatience).exit_code, 0);
  EXPECT_EQ(of_one(), had);
  ask({"workers", "admit", "one"});
  const auto hellos = [&] { return lines_with("coordinator.log", "event=hello worker=one"); };
  const auto said = hellos();  // on a slow machine a worker says it twice
  again = worker("one", kSlow);
  until(coordinator, "it is back", [&] { return hellos() > said; });
  const std::int64_t other = submit("other", kOther);
  until(coordinator, "all is done", [&] { return is(campaign, "done") && is(other, "done"); });
  EXPECT_GT(of_one().size(), had.size());
  for (const auto& [id, job] : jobs()) EXPECT_EQ(job.attempt, 1) << "job " << id;
}

TEST_F(CampaignLifeTest, ABannedWorkerIsSentAwayAndItsJobGoesOnElsewhere) {
  Process coordinator = this->coordinator();
  Process one = worker("one", kSlow);
  const std::int64_t campaign = submit("long", kOther, 100);
  until(coordinator, "it trains", [&] { return running_jobs() == 1; });
  ask({"workers", "ban", "one", "--reason", "it computes nonsense"});
  EXPECT_NE(one.wait(kPatience).exit_code, 0);
  EXPECT_THAT(read("one.log"), HasSubstr("it is banned: it computes nonsense"));
  Process again = worker("one");
  EXPECT_NE(again.wait(kPatience).exit_code, 0);
  EXPECT_THAT(read("one.log"), HasSubstr("worker one is banned: it computes nonsense"));
  Process two = worker("two");
  until(coordinator, "the other does all", [&] { return is(campaign, "done"); });
  EXPECT_THAT(column("SELECT DISTINCT worker FROM job"), ElementsAre("two"));
  for (const auto& [id, job] : jobs()) EXPECT_EQ(job.deaths, 0) << "a ban is no death";
}

}  // namespace
}  // namespace lrtune
