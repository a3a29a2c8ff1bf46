// The plain state that the core's handlers work on. Private to coordinator/core.
#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "common/policy/policy_json.h"
#include "coordinator/core/core.h"
#include "coordinator/ranking/ranking.h"
#include "coordinator/search/adaptive_search.h"
#include "coordinator/search/stop_knowledge.h"

namespace lrtune {

// What a worker is asked to find out before a campaign's trials can be made.
struct SurveyNeed {
  std::int64_t id = 0;
  TrainSpec train;
  PeerId asked;  // empty: nobody yet
  SteadyTime asked_at;
  std::set<std::string> failed_on;  // worker processes that could not
  std::string error;                // the last of their reasons
  int deaths = 0;                   // workers that died of it, or beside it
  std::optional<DataFacts> facts;
};

// What follows from a candidate's `train` alone.
struct ResolvedTrain {
  nlohmann::json train;
  TrainingIdentity identity;
  Digest hash;  // of the identity
  RunPlan plan;
  PolicyContext context;
  bool known = false;  // the identity is written as it is
};

// Which surveys the candidates need: some candidates are looked at in each step.
struct SurveyPlanning {
  std::int64_t next = 0;   // candidate
  std::int64_t count = 0;  // of those to look at
};

// Candidates become trials, some in each step, so that a large campaign keeps nobody waiting.
struct TrialMaking {
  std::int64_t next = 0;               // candidate
  std::int64_t count = 0;              // of all candidates
  std::optional<ResolvedTrain> train;  // of the candidate before: most have the same
};

// A search that decides by results. Candidate i of it is the campaign's trial with number i.
struct CampaignSearch {
  AdaptiveSearch decides;
  ResolvedTrain train;                 // with the longest run's plan
  std::vector<std::size_t> observed;   // by candidate: of so many rungs it knows the result
  std::optional<SearchDecision> next;  // made, and not carried out yet
};

// What the stop rules of a campaign know.
struct CampaignStopping {
  StopKnowledge knowledge;
  std::set<TrialId> weighed;  // search trials that are in it
};

// A row of the newest ranking.
struct RankedTrial {
  TrialId trial;
  nlohmann::json scores;
};

struct Campaign {
  CampaignRecord record;
  Experiment experiment;
  bool active = false;                        // this coordinator works on it
  std::map<std::string, SurveyNeed> surveys;  // by survey_key(); only while surveying
  std::optional<SurveyPlanning> planning;     // likewise, until all of them are there
  std::optional<Numerics>
      numerics;                 // of the first worker that answered; the campaign's from then on
  std::vector<TrialId> trials;  // by number
  std::vector<TrialId> candidates;           // the search's, by candidate
  std::optional<TrialMaking> making;         // only while surveying
  std::optional<CampaignSearch> search;      // once begun, if its method decides by results
  std::optional<CampaignStopping> stopping;  // once needed, if it has stop rules
  std::vector<DecisionRecord> search_log;    // of an earlier coordinator, until it is followed
  // Its pending jobs by identity: any worker that gives an identity's numerics takes any of them.
  // Empty while it is paused.
  std::map<Digest, std::set<JobId>> queue;
  std::int64_t running = 0;       // held jobs of its trials: what fair share goes by
  std::vector<RankedTrial> best;  // the first of the newest ranking; see recall_best()
  std::int64_t open = 0;          // trials that have not ended
  std::int64_t done = 0, diverged = 0, failed = 0, cancelled = 0, stopped = 0, reused = 0;
  std::int64_t iterations_asked = 0;  // by its trials, each alone
  // Of its stage jobs, each once: Job::own_iterations.
  std::int64_t iterations_total = 0;
  std::int64_t iterations_ended = 0;  // of those that have ended
  std::optional<double> best_top1;
  TrialId best_trial;
  SteadyTime active_since;
};

// How many trials of a campaign lead through a job, whatever became of them.
struct JobUse {
  CampaignId campaign;
  std::int64_t trials = 0;
};

struct Job {
  JobRecord record;
  std::vector<TrialId> trials;  // that end with it; none if it is only the beginning of others
  std::vector<JobId> next;      // jobs that go on from its end
  std::vector<JobUse> uses;
  TrialId first_trial;  // of those that lead through it: its policy and seed are the job's
  PeerId holder;        // peer of the current attempt; empty: pending, ended or orphan
  SteadyTime deadline;  // assigned: when to send again; orphan: when to give its unknown holder up
  SteadyTime assigned_at;
  SteadyTime started_at;
  bool ahead = false;  // it was assigned beyond the slots of its worker
  std::int64_t iteration = 0;
  std::vector<MetricPoint>
      points;  // of the current attempt; also the number of its recorded reports
  // Since when its reports follow one that is missing here. A worker sends what was not
  // acknowledged again; what a store that was restored has lost it has forgotten.
  std::optional<SteadyTime> gap_since = {};
  std::set<std::string> failed_on;  // worker processes that could not, OutcomeKind::kFailedHere

  bool held() const {
    return record.state == JobState::kAssigned || record.state == JobState::kRunning;
  }
  bool ended() const { return record.state >= JobState::kDone; }
  // What it trains if it goes on where it should; what it trained, once it has ended.
  std::int64_t own_iterations() const {
    const auto end =
        record.outcome ? std::min(record.outcome->iteration, record.iterations) : record.iterations;
    return std::max<std::int64_t>(0, end - record.from_iteration);
  }
  // Of them, how many its current attempt has behind it.
  std::int64_t own_iterations_done() const {
    return iteration > record.from_iteration ? iteration - record.from_iteration : 0;
  }
  // Its state at `iterations` was reached: others can go on from there.
  bool reached_end() const {
    return record.state == JobState::kDone && record.outcome->iteration == record.iterations;
  }
  // An attempt ended with its worker's death, or for want of something there: from now on it runs
  // alone on a worker, so that the next such end is nobody else's fault.
  bool suspect() const { return record.deaths > 0; }
};

// How an attempt ended that goes back to the queue.
enum class AttemptEnd {
  kReturned,       // by nobody's fault
  kDiedInCompany,  // with its worker, or for want of something there, beside other work
  kDiedAlone,
};

inline constexpr int kMostAhead = 512;  // assignments beyond a worker's slots

struct Worker {
  PeerId peer;
  std::string name;
  std::string process;
  int slots = 1;
  Numerics numerics;
  SteadyTime last_heard;
  std::set<JobId> jobs;
  std::set<std::int64_t> surveys;  // asked and not answered
  bool reserved = false;           // for the one suspect that it works on
  // Identities that it refused: it gets none of their jobs until then. It may have had no slot or
  // no data just then, so it is asked again, each time after twice as long.
  struct Refusal {
    SteadyTime until;
    std::chrono::milliseconds length{0};
    std::string reason;
  };
  std::map<Digest, Refusal> refused;

  // Assignments beyond its slots that it may hold, so that none of them waits for a commit and a
  // round trip: 0 for jobs that last longer than these.
  int window = 0;
  bool draining = false;   // it gets nothing new, and leaves once it is idle
  bool dismissed = false;  // it was told so
  SteadyTime joined_at;
  // Smoothed, in seconds; 0: not known.
  double job_seconds = 0;  // from a job's STARTED to its FINISHED
  double round_trip = 0;   // from an assignment to a free slot to its STARTED

  bool has_slot() const { return static_cast<int>(jobs.size()) < slots; }
  bool has_room() const { return static_cast<int>(jobs.size()) < slots + window; }
  bool takes_work() const { return !reserved && !draining; }
  bool idle() const { return jobs.empty() && surveys.empty(); }
  AttemptEnd death() const {  // of all that it works on, if it died now
    return jobs.size() + surveys.size() == 1 ? AttemptEnd::kDiedAlone : AttemptEnd::kDiedInCompany;
  }
  void settle() { reserved = reserved && !idle(); }  // after something of its work has ended
  bool refuses(const Digest& identity, SteadyTime now) const {
    const auto it = refused.find(identity);
    return it != refused.end() && now < it->second.until;
  }
};

struct CoreState {
  CoreOptions options;
  Now now;
  SteadyTime last_scan;
  bool stopping = false;
  std::string stop_reason;

  std::map<CampaignId, Campaign> campaigns;
  std::unordered_map<Digest, CampaignId> campaign_by_hash;
  std::unordered_map<Digest, TrainingIdentity> identities;
  std::map<TrialId, TrialRecord> trials;
  // The newest judgement of each kind that clients gave since the start: asking twice is asking
  // once.
  std::map<std::pair<TrialId, wire::JudgementKind>, FlatJson> judgements;
  std::map<JobId, Job> jobs;
  std::unordered_map<Digest, JobId> job_by_key;
  std::unordered_multimap<Digest, JobId> jobs_by_end;  // by JobRecord::to_state
  std::map<PeerId, Worker> workers;
  std::map<std::string, WorkerOrderRecord> orders;  // by the worker's name
  std::set<CampaignId> queued;                      // whose queue is not empty
  std::set<CampaignId> making;                      // with `planning` or `making`, not paused
  // Who may get what: looked at only when something has changed, since there may be ten thousand.
  std::set<PeerId> with_room;  // take work, and have room for it
  std::set<PeerId> freed;      // of them, since the last look
  bool work_added = false;     // to a queue, since the last look
  bool survey_wanted = false;
  // Their searches may have something to do for a free slot; seek() takes out those that have not.
  std::set<CampaignId> seeking;
  bool seeking_cut = false;  // seek() had no time for all
  std::set<JobId> held;      // assigned or running
  std::set<JobId>
      orphans;  // held, but by a worker that has not introduced itself since the restart
  std::map<std::string, std::set<JobId>, std::less<>> orphans_of;  // the same, by its name
  std::int64_t next_survey = 1;

  Actions out;  // of the step under way

  // `job` must be used.
  const TrialRecord& first_trial(const Job& job) const { return trials.at(job.first_trial); }
  // False of a repeat or scaled run of another length than what it repeats: it was made before the
  // campaign was extended.
  bool is_current(const TrialRecord& trial) const {
    return trial.plan.iterations == trials.at(trial.verifies).plan.iterations;
  }
  // An open trial of a campaign that is worked on.
  bool wanted(const TrialRecord& trial) const;
  // Such a trial leads through the job.
  bool needed(const Job& job) const;
  bool wanted_by(const Job& job, CampaignId campaign) const;  // such a trial of the campaign does
  // That have such a trial, and whose queue is open; each once.
  std::vector<Campaign*> campaigns_wanting(const Job& job);
  // That have a trial that leads through the job, each once.
  std::vector<Campaign*> campaigns_of(const Job& job);
  // Nothing is queued of a campaign whose trials are still being made: what they share is not known
  // before.
  bool holds_back(const Campaign& campaign) const {
    return options.share_stages && campaign.record.state == CampaignState::kSurveying;
  }

  void write(Record record) { out.records.push_back(std::move(record)); }
  void send(const PeerId& peer, wire::FromCoordinator message) {
    out.sends.push_back({peer, std::move(message)});
  }
  void decide(CampaignId campaign, TrialId trial, std::string code, FlatJson numbers);
  // The same decision for each trial of `job` in an active campaign; of a job that is only the
  // beginning of others, for its first trial, said so.
  void decide(const Job& job, const std::string& code, const FlatJson& numbers);
};

// ---- campaigns.cc: from a submitted experiment to its trials, from its last trial to its end
// --------------------
std::string survey_key(const TrainSpec& train);
// Makes the campaign or resumes the one of the same experiment.
Campaign& submit(CoreState& state, const Experiment& experiment);
// Some more of Campaign::planning, which is there.
void plan_some_surveys(CoreState& state, Campaign& campaign);
void on_surveyed(CoreState& state, Worker& worker, const wire::Surveyed& answer);
// The worker that was asked is gone. `ends`: how its work ended.
void lose_surveys(CoreState& state, const PeerId& peer, const std::string& reason, AttemptEnd ends);
void fail_survey(CoreState& state, std::int64_t survey, const std::string& reason);
// Whoever was asked does not work on it any more.
void release_survey(CoreState& state, SurveyNeed& need);
void restore_campaigns(CoreState& state, StoredState& stored);
void pause_campaign(CoreState& state, Campaign& campaign, const std::string& reason);
void resume_campaign(CoreState& state, Campaign& campaign);
void cancel_campaign(CoreState& state, Campaign& campaign, const std::string& reason);
// Takes up what `experiment` has more than the campaign's own.
void extend_campaign(CoreState& state, Campaign& campaign, Experiment experiment);
void trial_ended(CoreState& state, TrialRecord& trial);
void end_phase(CoreState& state, Campaign& campaign);  // once no trial is open
void fail_campaign(CoreState& state, Campaign& campaign,
                   std::string reason);  // by value: it may be a survey's
void note_busy_time(CoreState& state, Campaign& campaign);

// ---- seeking.cc: searches that decide by results
// -------------------------------------------------------------------------
// Once all surveys are answered; or again, for one that is tried again.
void begin_search(CoreState& state, Campaign& campaign);
// Where an earlier coordinator, or this one, left it. REQUIRES: it has a candidate.
void resume_search(CoreState& state, Campaign& campaign);
// Tells the campaign's search, if it has one, how `trial` ended; each rung's end once.
void observe_end(CoreState& state, Campaign& campaign, const TrialRecord& trial);
// It is worked on, and its search is not over.
bool is_seeking(const Campaign& campaign);
// Asks for candidates and promotions for free slots, and ends searches that have no more.
void seek(CoreState& state);

// ---- stopping.cc: rules that stop runs of a search
// -------------------------------------------------------------------------
// The trial has ended: if it did so well, the campaign's rules hold others against it.
void weigh(CoreState& state, Campaign& campaign, const TrialRecord& trial);
// After a new point of `job`: its trials that a rule gives up end, and it with them if nobody else
// needs it.
void stop_the_hopeless(CoreState& state, Job& job);

// ---- trials.cc: trials and the stage jobs that they share
// ---------------------------------------------------------
// Once all surveys are answered: begins to make the candidates into trials.
void begin_trials(CoreState& state, Campaign& campaign);
void make_some_trials(CoreState& state);  // as many as one step may take time for
Result<ResolvedTrain> resolve_train(const Campaign& campaign, nlohmann::json train);
// The campaign's next candidate as a trial.
TrialId add_candidate(CoreState& state, Campaign& campaign, Policy policy, const RunPlan& plan,
                      ResolvedTrain& train);
// The trial with a longer run: another job, that goes on from the end of the old one if the rates
// up to there are the same.
void lengthen(CoreState& state, Campaign& campaign, TrialRecord& trial, const RunPlan& plan);
// The trial's job has a trial less: it is given up if nobody else needs it.
void drop_job(CoreState& state, Job& job, const std::string& reason);
// The job of a run, a new one or the one of the same work; it goes on from the longest run that is
// known to begin as it does. `trial` needs no id if it was made before.
Job& job_for(CoreState& state, const TrialRecord& trial);
// A job that failed, and what it goes on from, gets another chance; its attempts go on counting.
void revive_failed(CoreState& state, Job& job);
void make_verification_trials(CoreState& state, Campaign& campaign,
                              const std::vector<TrialId>& ranked);
// `trial`'s policy once more, with the seed of `repeat`.
void make_repeat(CoreState& state, Campaign& campaign, TrialId trial, std::uint32_t repeat);
void make_tolerance_trials(CoreState& state, Campaign& campaign,
                           const std::vector<TrialId>& ranked);
// The trial's state, iterations and best accuracy are added to its campaign's counts.
void count_trial(CoreState& state, const TrialRecord& trial, int sign);
// Written, and counted by its campaign.
void set_trial_state(CoreState& state, TrialRecord& trial, TrialState to);
TrialState trial_state_of(JobState state);

// ---- stages.cc: beginnings that runs share
// -------------------------------------------------------------------------
// `trials` more (or, if negative, fewer) trials of the campaign lead through `job`, and so through
// all that it goes on from.
void use_jobs(CoreState& state, Job& job, Campaign& campaign, std::int64_t trials);
// The first trial that leads through `job` and those before it, where there is none yet.
void note_first_trial(CoreState& state, Job& job, TrialId trial);
// Pending jobs of `trials` that begin alike get stages in common.
void share_stages(CoreState& state, const std::vector<TrialId>& trials);
// `job` has ended: those that go on from it can begin, or end as it did.
void end_next(CoreState& state, const Job& job);
// Whether what it goes on from is there.
bool is_ready(const CoreState& state, const Job& job);
// `job` and all that it goes on from, last first.
std::vector<Job*> path_to(CoreState& state, Job& job);
// What is shown of a held job: its trials, or if it is only the beginning of others the first of
// them.
std::vector<TrialId> shown_trials(const CoreState& state, const Job& job);

// ---- ranking_step.cc: the order of a campaign's trials
// ------------------------------------------------------------
Scores scores_of(const CoreState& state, TrialId trial);
std::vector<TrialId> rank_search(CoreState& state,
                                 Campaign& campaign);  // those that ended well, best first
std::vector<TrialId> rank_verification(CoreState& state, Campaign& campaign);
// Repeats, if the experiment wants some, for those verified policies whose place is not settled.
void repeat_unsettled(CoreState& state, Campaign& campaign);
// Fills in `campaign.best` if a coordinator before this one made the ranking.
void recall_best(const CoreState& state, Campaign& campaign);
void note_tolerance(CoreState& state, const Campaign& campaign);

// ---- clients.cc: what people ask and order
// -------------------------------------------------------------------------
void on_submit(CoreState& state, const PeerId& peer, const wire::Submit& request);
void on_order(CoreState& state, const PeerId& peer, const wire::Order& request);
void on_extend(CoreState& state, const PeerId& peer, const wire::Extend& request);
void on_judge(CoreState& state, const PeerId& peer, const wire::Judge& request);
void answer_error(CoreState& state, const PeerId& peer, std::int64_t request, std::string error);
// By its number, its name or the beginning of its hash.
Result<Campaign*> find_campaign(CoreState& state, const std::string& target);

// ---- inspection.cc: what people want to see
// -------------------------------------------------------------------------
void on_inspect(CoreState& state, const PeerId& peer, const wire::Inspect& request);
nlohmann::json campaign_document(const CoreState& state, const Campaign& campaign);

// ---- snapshot.cc: pictures of the state
// -------------------------------------------------------------------------
std::string policy_words(const CoreState& state, const TrialRecord& trial);
RunningTrial running_trial(const CoreState& state, const Job& job, const TrialRecord& trial);
CampaignView view(const CoreState& state, const Campaign& campaign);

// ---- workers.cc: who is there, leases
// --------------------------------------------------------------------------------
void on_hello(CoreState& state, const PeerId& peer, const wire::Hello& hello);
// Whether `job`, that `worker` reports of as current, is its own: an orphan that it brings back
// becomes so.
bool is_held_by(CoreState& state, Worker& worker, Job& job);
enum class Departure {
  kInOrder,  // it said goodbye
  kDied,     // or is silent, which is the same to us
  kUnsent,   // it was gone before the last messages could reach it
};
void lose_worker(CoreState& state, const PeerId& peer, const std::string& reason, Departure how);
void scan_deadlines(CoreState& state);
void shut_down_workers(CoreState& state);
void dismiss_if_drained(CoreState& state, Worker& worker);

// ---- scheduling.cc: which free slot trains what
// --------------------------------------------------------------------
bool offers(const Numerics& offered, const TrainingIdentity& wanted);
bool can_survey(const Numerics& offered, const TrainSpec& train,
                const std::optional<Numerics>& fixed);
void enqueue(CoreState& state, Job& job);  // for every campaign that wants it
void dequeue(CoreState& state, const Job& job);
void dequeue_all(CoreState& state, Campaign& campaign);
void note_room(CoreState& state, const Worker& worker);  // after any change of what it holds
void count_running(CoreState& state, const Job& job,
                   int sign);  // when it begins or ends to be held
void note_round_trip(CoreState& state, Worker& worker, const Job& job);
void note_end(CoreState& state, Worker& worker, const Job& job);
void schedule(CoreState& state);
void send_assignment(CoreState& state, Job& job);
void requeue(CoreState& state, Job& job, const std::string& reason, AttemptEnd end);

// ---- reports.cc: what workers say about attempts
// --------------------------------------------------------------------
void on_started(CoreState& state, Worker& worker, const wire::Started& report);
void on_progress(CoreState& state, Worker& worker, const wire::Progress& report);
void on_measured(CoreState& state, Worker& worker, const wire::Measured& report);
void on_finished(CoreState& state, Worker& worker, const wire::Finished& report);
void on_refused(CoreState& state, Worker& worker, const wire::Refused& report);
void on_undeliverable(CoreState& state, const event::Undeliverable& event);
void release(CoreState& state, Job& job);  // its holder has it no more
void forget_orphan(CoreState& state,
                   const Job& job);  // whoever holds it has come back, or has it no more
void end_job(CoreState& state, Job& job, Outcome outcome);

}  // namespace lrtune
