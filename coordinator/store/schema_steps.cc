// The store's schema as the steps that lead to it.
#include <array>

#include "coordinator/store/migrations.h"

namespace lrtune {
namespace {

// A step is never edited once it was released: it must turn the fixtures in tests/fixtures/store
// into what a new store looks like. SCHEMA.md says what each table and column means.
//
// Two things that cost more than they seem to: an IN of more than two names builds a temporary tree
// at each row, so names are checked by a chain of OR; a deferred reference that is open makes the
// insertion of any parent scan its children, so references are immediate and the writer goes from
// parents to children.
constexpr std::array<Migration, 9> kMigrations = {{{1, R"sql(
CREATE TABLE store (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  created_at INTEGER NOT NULL,
  recoveries INTEGER NOT NULL
) STRICT;
INSERT INTO store VALUES (1, CAST(1000 * (julianday('now') - 2440587.5) * 86400 AS INTEGER), 0);

CREATE TABLE campaign (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  experiment TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state = 'surveying' OR state = 'searching' OR state = 'verifying'
      OR state = 'done' OR state = 'failed'),
  failure TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  busy_seconds REAL NOT NULL
) STRICT;

CREATE TABLE identity (
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  dataset TEXT NOT NULL,
  model TEXT NOT NULL,
  optimizer TEXT NOT NULL,
  document TEXT NOT NULL
) STRICT;

CREATE TABLE policy (
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  document TEXT NOT NULL,
  description TEXT NOT NULL
) STRICT;

CREATE TABLE job (
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL CHECK (length(key) = 32),
  from_state BLOB NOT NULL CHECK (length(from_state) = 32),
  to_state BLOB NOT NULL CHECK (length(to_state) = 32),
  state TEXT NOT NULL
    CHECK (state = 'pending' OR state = 'assigned' OR state = 'running'
      OR state = 'done' OR state = 'diverged' OR state = 'failed'),
  attempt INTEGER NOT NULL CHECK (attempt >= 0),
  deaths INTEGER NOT NULL CHECK (deaths >= 0),
  worker TEXT NOT NULL,
  outcome TEXT CHECK (outcome = 'completed' OR outcome = 'target_reached'
      OR outcome = 'diverged' OR outcome = 'failed' OR outcome = 'stopped'),
  outcome_iteration INTEGER,
  outcome_state BLOB CHECK (length(outcome_state) = 32),
  outcome_message TEXT,
  CHECK ((outcome IS NULL) = (outcome_iteration IS NULL)
     AND (outcome IS NULL) = (outcome_state IS NULL)
     AND (outcome IS NULL) = (outcome_message IS NULL))
) STRICT;

CREATE TABLE trial (
  id INTEGER PRIMARY KEY,
  campaign INTEGER NOT NULL REFERENCES campaign (id),
  number INTEGER NOT NULL CHECK (number >= 0),
  phase TEXT NOT NULL CHECK (phase IN ('search', 'verify')),
  verifies INTEGER REFERENCES trial (id),
  repeat INTEGER NOT NULL CHECK (repeat >= 0),
  seed INTEGER NOT NULL CHECK (seed >= 0),
  identity INTEGER NOT NULL REFERENCES identity (id),
  policy INTEGER NOT NULL REFERENCES policy (id),
  iterations INTEGER NOT NULL,
  evaluate_every INTEGER NOT NULL,
  evaluate_on TEXT NOT NULL CHECK (evaluate_on = 'train' OR evaluate_on = 'validation'
      OR evaluate_on = 'test'),
  train_subset INTEGER NOT NULL,
  target_measure TEXT CHECK (target_measure IN ('top1', 'loss')),
  target_value REAL,
  stop_at_target INTEGER NOT NULL CHECK (stop_at_target IN (0, 1)),
  job INTEGER REFERENCES job (id),
  state TEXT NOT NULL CHECK (state = 'waiting' OR state = 'running' OR state = 'done'
      OR state = 'diverged' OR state = 'failed'),
  UNIQUE (campaign, number),
  CHECK ((target_measure IS NULL) = (target_value IS NULL))
) STRICT;
CREATE INDEX trial_by_policy ON trial (policy);

CREATE TABLE state (
  id INTEGER PRIMARY KEY,
  name BLOB NOT NULL UNIQUE CHECK (length(name) = 32)
) STRICT;

CREATE TABLE metric (
  state INTEGER NOT NULL REFERENCES state (id),
  part TEXT NOT NULL CHECK (part = 'train' OR part = 'validation' OR part = 'test'),
  subset INTEGER NOT NULL CHECK (subset >= 0),
  version INTEGER NOT NULL,
  loss REAL NOT NULL,
  top1 REAL NOT NULL,
  top5 REAL NOT NULL,
  PRIMARY KEY (state, part, subset, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE point (
  job INTEGER NOT NULL REFERENCES job (id),
  attempt INTEGER NOT NULL,
  iteration INTEGER NOT NULL CHECK (iteration >= 0),
  state INTEGER NOT NULL REFERENCES state (id),
  evaluated_on TEXT NOT NULL CHECK (evaluated_on = 'train' OR evaluated_on = 'validation'
      OR evaluated_on = 'test'),
  train_subset INTEGER NOT NULL,
  learning_rate REAL NOT NULL,
  train_seconds REAL NOT NULL,
  evaluate_seconds REAL NOT NULL,
  PRIMARY KEY (job, attempt, iteration)
) STRICT, WITHOUT ROWID;

CREATE TABLE decision (
  id INTEGER PRIMARY KEY,
  campaign INTEGER NOT NULL REFERENCES campaign (id),
  trial INTEGER REFERENCES trial (id),
  at INTEGER NOT NULL,
  code TEXT NOT NULL,
  numbers TEXT NOT NULL
) STRICT;
CREATE INDEX decision_by_trial ON decision (trial) WHERE trial IS NOT NULL;
CREATE INDEX decision_of_campaign ON decision (campaign) WHERE trial IS NULL;

CREATE TABLE ranking (
  campaign INTEGER NOT NULL REFERENCES campaign (id),
  phase TEXT NOT NULL CHECK (phase IN ('search', 'verify')),
  rank INTEGER NOT NULL CHECK (rank >= 1),
  trial INTEGER NOT NULL REFERENCES trial (id),
  scores TEXT NOT NULL,
  PRIMARY KEY (campaign, phase, rank)
) STRICT, WITHOUT ROWID;
)sql"},
                                                   {2, R"sql(
ALTER TABLE metric ADD COLUMN confidence REAL;
ALTER TABLE metric ADD COLUMN confidence_deviation REAL;
ALTER TABLE metric ADD COLUMN class_confidence_deviation REAL;
ALTER TABLE metric ADD COLUMN classes_left_out INTEGER CHECK (classes_left_out >= 0);
ALTER TABLE trial ADD COLUMN max_seconds REAL CHECK (max_seconds > 0);
CREATE TABLE new_job (
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL CHECK (length(key) = 32),
  from_state BLOB NOT NULL CHECK (length(from_state) = 32),
  to_state BLOB NOT NULL CHECK (length(to_state) = 32),
  state TEXT NOT NULL
    CHECK (state = 'pending' OR state = 'assigned' OR state = 'running'
      OR state = 'done' OR state = 'diverged' OR state = 'failed'),
  attempt INTEGER NOT NULL CHECK (attempt >= 0),
  deaths INTEGER NOT NULL CHECK (deaths >= 0),
  worker TEXT NOT NULL,
  outcome TEXT CHECK (outcome = 'completed' OR outcome = 'target_reached' OR outcome = 'time_limit'
      OR outcome = 'diverged' OR outcome = 'failed' OR outcome = 'stopped'),
  outcome_iteration INTEGER,
  outcome_state BLOB CHECK (length(outcome_state) = 32),
  outcome_message TEXT,
  CHECK ((outcome IS NULL) = (outcome_iteration IS NULL)
     AND (outcome IS NULL) = (outcome_state IS NULL)
     AND (outcome IS NULL) = (outcome_message IS NULL))
) STRICT;
INSERT INTO new_job SELECT * FROM job;
DROP TABLE job;
ALTER TABLE new_job RENAME TO job;
)sql"},
                                                   {3, R"sql(
CREATE TABLE new_campaign (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  experiment TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state = 'surveying' OR state = 'searching' OR state = 'verifying'
      OR state = 'scaling' OR state = 'done' OR state = 'failed'),
  failure TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  busy_seconds REAL NOT NULL
) STRICT;
INSERT INTO new_campaign SELECT * FROM campaign;
DROP TABLE campaign;
ALTER TABLE new_campaign RENAME TO campaign;
CREATE TABLE new_trial (
  id INTEGER PRIMARY KEY,
  campaign INTEGER NOT NULL REFERENCES campaign (id),
  number INTEGER NOT NULL CHECK (number >= 0),
  phase TEXT NOT NULL CHECK (phase = 'search' OR phase = 'verify' OR phase = 'tolerance'),
  verifies INTEGER REFERENCES trial (id),
  repeat INTEGER NOT NULL CHECK (repeat >= 0),
  seed INTEGER NOT NULL CHECK (seed >= 0),
  identity INTEGER NOT NULL REFERENCES identity (id),
  policy INTEGER NOT NULL REFERENCES policy (id),
  iterations INTEGER NOT NULL,
  evaluate_every INTEGER NOT NULL,
  evaluate_on TEXT NOT NULL CHECK (evaluate_on = 'train' OR evaluate_on = 'validation'
      OR evaluate_on = 'test'),
  train_subset INTEGER NOT NULL,
  target_measure TEXT CHECK (target_measure IN ('top1', 'loss')),
  target_value REAL,
  stop_at_target INTEGER NOT NULL CHECK (stop_at_target IN (0, 1)),
  job INTEGER REFERENCES job (id),
  state TEXT NOT NULL CHECK (state = 'waiting' OR state = 'running' OR state = 'done'
      OR state = 'diverged' OR state = 'failed'),
  max_seconds REAL CHECK (max_seconds > 0),
  scale REAL NOT NULL CHECK (scale > 0),
  UNIQUE (campaign, number),
  CHECK ((target_measure IS NULL) = (target_value IS NULL))
) STRICT;
INSERT INTO new_trial SELECT *, 1.0 FROM trial;
DROP TABLE trial;
ALTER TABLE new_trial RENAME TO trial;
CREATE INDEX trial_by_policy ON trial (policy);
)sql"},
                                                   {4, R"sql(
CREATE TABLE new_campaign (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
  experiment TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state = 'surveying' OR state = 'searching' OR state = 'verifying'
      OR state = 'scaling' OR state = 'done' OR state = 'failed' OR state = 'cancelled'),
  failure TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  busy_seconds REAL NOT NULL,
  priority INTEGER NOT NULL,
  paused INTEGER NOT NULL CHECK (paused = 0 OR paused = 1),
  extensions INTEGER NOT NULL CHECK (extensions >= 0)
) STRICT;
INSERT INTO new_campaign SELECT *, 0, 0, 0 FROM campaign;
DROP TABLE campaign;
ALTER TABLE new_campaign RENAME TO campaign;
CREATE TABLE new_trial (
  id INTEGER PRIMARY KEY,
  campaign INTEGER NOT NULL REFERENCES campaign (id),
  number INTEGER NOT NULL CHECK (number >= 0),
  phase TEXT NOT NULL CHECK (phase = 'search' OR phase = 'verify' OR phase = 'tolerance'),
  verifies INTEGER REFERENCES trial (id),
  repeat INTEGER NOT NULL CHECK (repeat >= 0),
  seed INTEGER NOT NULL CHECK (seed >= 0),
  identity INTEGER NOT NULL REFERENCES identity (id),
  policy INTEGER NOT NULL REFERENCES policy (id),
  iterations INTEGER NOT NULL,
  evaluate_every INTEGER NOT NULL,
  evaluate_on TEXT NOT NULL CHECK (evaluate_on = 'train' OR evaluate_on = 'validation'
      OR evaluate_on = 'test'),
  train_subset INTEGER NOT NULL,
  target_measure TEXT CHECK (target_measure IN ('top1', 'loss')),
  target_value REAL,
  stop_at_target INTEGER NOT NULL CHECK (stop_at_target IN (0, 1)),
  job INTEGER REFERENCES job (id),
  state TEXT NOT NULL CHECK (state = 'waiting' OR state = 'running' OR state = 'done'
      OR state = 'diverged' OR state = 'failed' OR state = 'cancelled'),
  max_seconds REAL CHECK (max_seconds > 0),
  scale REAL NOT NULL CHECK (scale > 0),
  UNIQUE (campaign, number),
  CHECK ((target_measure IS NULL) = (target_value IS NULL))
) STRICT;
INSERT INTO new_trial SELECT * FROM trial;
DROP TABLE trial;
ALTER TABLE new_trial RENAME TO trial;
CREATE INDEX trial_by_policy ON trial (policy);
CREATE TABLE worker_order (
  worker TEXT PRIMARY KEY NOT NULL,
  kind TEXT NOT NULL CHECK (kind = 'drain' OR kind = 'ban'),
  at INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;
)sql"},
                                                   {5, R"sql(
ALTER TABLE store ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE campaign ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE identity ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE policy ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE trial ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE state ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE metric ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE point ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE decision ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ranking ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE worker_order ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
UPDATE store SET checksum = row_checksum('store', one, created_at, recoveries);
UPDATE campaign SET checksum = row_checksum('campaign', id, name, hash, experiment, state,
  failure, created_at, ended_at, busy_seconds, priority, paused, extensions);
UPDATE identity SET checksum = row_checksum('identity', id, hash, dataset, model, optimizer,
  document);
UPDATE policy SET checksum = row_checksum('policy', id, hash, document, description);
UPDATE job SET checksum = row_checksum('job', id, key, from_state, to_state, state, attempt,
  deaths, worker, outcome, outcome_iteration, outcome_state, outcome_message);
UPDATE trial SET checksum = row_checksum('trial', id, campaign, number, phase, verifies, repeat,
  seed, identity, policy, iterations, evaluate_every, evaluate_on, train_subset, target_measure,
  target_value, stop_at_target, job, state, max_seconds, scale);
UPDATE state SET checksum = row_checksum('state', id, name);
UPDATE metric SET checksum = row_checksum('metric', state, part, subset, version, loss, top1,
  top5, confidence, confidence_deviation, class_confidence_deviation, classes_left_out);
UPDATE point SET checksum = row_checksum('point', job, attempt, iteration, state, evaluated_on,
  train_subset, learning_rate, train_seconds, evaluate_seconds);
UPDATE decision SET checksum = row_checksum('decision', id, campaign, trial, at, code, numbers);
UPDATE ranking SET checksum = row_checksum('ranking', campaign, phase, rank, trial, scores);
UPDATE worker_order SET checksum = row_checksum('worker_order', worker, kind, at, reason);
)sql"},
                                                   // `after` refers to no row: a job may be written
                                                   // before the one that it goes on from.
                                                   {6, R"sql(
CREATE TABLE new_job (
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL CHECK (length(key) = 32),
  from_state BLOB NOT NULL CHECK (length(from_state) = 32),
  to_state BLOB NOT NULL CHECK (length(to_state) = 32),
  state TEXT NOT NULL
    CHECK (state = 'pending' OR state = 'assigned' OR state = 'running'
      OR state = 'done' OR state = 'diverged' OR state = 'failed'),
  attempt INTEGER NOT NULL CHECK (attempt >= 0),
  deaths INTEGER NOT NULL CHECK (deaths >= 0),
  worker TEXT NOT NULL,
  outcome TEXT CHECK (outcome = 'completed' OR outcome = 'target_reached' OR outcome = 'time_limit'
      OR outcome = 'diverged' OR outcome = 'failed' OR outcome = 'stopped'),
  outcome_iteration INTEGER,
  outcome_state BLOB CHECK (length(outcome_state) = 32),
  outcome_message TEXT,
  after INTEGER,
  from_iteration INTEGER NOT NULL CHECK (from_iteration >= 0),
  iterations INTEGER NOT NULL CHECK (iterations >= from_iteration),
  checksum INTEGER NOT NULL,
  CHECK ((outcome IS NULL) = (outcome_iteration IS NULL)
     AND (outcome IS NULL) = (outcome_state IS NULL)
     AND (outcome IS NULL) = (outcome_message IS NULL)),
  CHECK ((after IS NULL) = (from_iteration = 0))
) STRICT;
CREATE TEMP TABLE length (job INTEGER PRIMARY KEY, iterations INTEGER NOT NULL);
INSERT INTO length SELECT job, max(iterations) FROM trial WHERE job IS NOT NULL GROUP BY job;
INSERT INTO new_job SELECT id, key, from_state, to_state, state, attempt, deaths, worker, outcome,
  outcome_iteration, outcome_state, outcome_message, NULL, 0,
  coalesce((SELECT iterations FROM length WHERE job = id), outcome_iteration, 0), 0 FROM job;
UPDATE new_job SET checksum = row_checksum('job', id, key, from_state, to_state, state, attempt,
  deaths, worker, outcome, outcome_iteration, outcome_state, outcome_message, after,
  from_iteration, iterations);
DROP TABLE length;
DROP TABLE job;
ALTER TABLE new_job RENAME TO job;
)sql"},
                                                   {7, R"sql(
CREATE TABLE bound (
  policy INTEGER NOT NULL REFERENCES policy (id),
  identity INTEGER NOT NULL REFERENCES identity (id),
  runs INTEGER NOT NULL CHECK (runs >= 0),
  met INTEGER NOT NULL CHECK (met >= 0),
  target_iteration INTEGER,
  best_top1 REAL,
  final_top1 REAL,
  lowest_loss REAL,
  final_loss REAL,
  best_difference_low REAL,
  best_difference_high REAL,
  final_difference_low REAL,
  final_difference_high REAL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (policy, identity)
) STRICT, WITHOUT ROWID;
INSERT INTO bound
WITH
  measured AS (
    SELECT job.id AS job, point.iteration AS iteration, evaluated.top1 AS top1,
      evaluated.loss AS loss, train.loss - evaluated.loss AS difference,
      row_number() OVER (PARTITION BY job.id ORDER BY evaluated.top1 DESC, point.iteration)
        AS from_best,
      row_number() OVER (PARTITION BY job.id ORDER BY point.iteration DESC) AS from_end
    FROM job JOIN point ON point.job = job.id AND point.attempt = job.attempt
    JOIN metric AS train ON train.state = point.state AND train.part = 'train'
      AND train.subset = point.train_subset AND train.version = 1
    JOIN metric AS evaluated ON evaluated.state = point.state
      AND evaluated.part = point.evaluated_on AND evaluated.subset = 0 AND evaluated.version = 1
    WHERE job.outcome = 'completed' OR job.outcome = 'target_reached'
      OR job.outcome = 'time_limit'),
  run AS (
    SELECT trial.policy AS policy, trial.identity AS identity,
      min(CASE target_measure WHEN 'top1' THEN CASE WHEN top1 >= target_value THEN iteration END
        WHEN 'loss' THEN CASE WHEN loss <= target_value THEN iteration END END) AS met,
      max(top1) AS best_top1, max(CASE WHEN from_end = 1 THEN top1 END) AS final_top1,
      min(loss) AS lowest_loss, max(CASE WHEN from_end = 1 THEN loss END) AS final_loss,
      max(CASE WHEN from_best = 1 THEN difference END) AS best_difference,
      max(CASE WHEN from_end = 1 THEN difference END) AS final_difference
    FROM trial LEFT JOIN measured ON measured.job = trial.job
    WHERE trial.state <> 'waiting' AND trial.state <> 'running'
    GROUP BY trial.id)
SELECT policy, identity, count(best_top1), count(met), min(met), max(best_top1), max(final_top1),
  min(lowest_loss), min(final_loss), min(best_difference), max(best_difference),
  min(final_difference), max(final_difference), 0
FROM run GROUP BY policy, identity;
UPDATE bound SET checksum = row_checksum('bound', policy, identity, runs, met, target_iteration,
  best_top1, final_top1, lowest_loss, final_loss, best_difference_low, best_difference_high,
  final_difference_low, final_difference_high);
)sql"},
                                                   {8, R"sql(
ALTER TABLE trial ADD COLUMN m_opt_every INTEGER CHECK (m_opt_every > 0);
UPDATE trial SET checksum = row_checksum('trial', id, campaign, number, phase, verifies, repeat,
  seed, identity, policy, iterations, evaluate_every, evaluate_on, train_subset, target_measure,
  target_value, stop_at_target, job, state, max_seconds, scale, m_opt_every);
CREATE TABLE realised (
  job INTEGER PRIMARY KEY REFERENCES job (id),
  policy INTEGER NOT NULL REFERENCES policy (id),
  checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE m_opt (
  job INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  point INTEGER NOT NULL,
  iteration INTEGER NOT NULL CHECK (iteration >= 0),
  learning_rate REAL NOT NULL,
  m_opt REAL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (job, attempt, point, iteration),
  FOREIGN KEY (job, attempt, point) REFERENCES point (job, attempt, iteration)
) STRICT, WITHOUT ROWID;
)sql"},
                                                   {9, R"sql(
CREATE TABLE new_trial (
  id INTEGER PRIMARY KEY,
  campaign INTEGER NOT NULL REFERENCES campaign (id),
  number INTEGER NOT NULL CHECK (number >= 0),
  phase TEXT NOT NULL CHECK (phase = 'search' OR phase = 'verify' OR phase = 'tolerance'),
  verifies INTEGER REFERENCES trial (id),
  repeat INTEGER NOT NULL CHECK (repeat >= 0),
  seed INTEGER NOT NULL CHECK (seed >= 0),
  identity INTEGER NOT NULL REFERENCES identity (id),
  policy INTEGER NOT NULL REFERENCES policy (id),
  iterations INTEGER NOT NULL,
  evaluate_every INTEGER NOT NULL,
  evaluate_on TEXT NOT NULL CHECK (evaluate_on = 'train' OR evaluate_on = 'validation'
      OR evaluate_on = 'test'),
  train_subset INTEGER NOT NULL,
  target_measure TEXT CHECK (target_measure IN ('top1', 'loss')),
  target_value REAL,
  stop_at_target INTEGER NOT NULL CHECK (stop_at_target IN (0, 1)),
  job INTEGER REFERENCES job (id),
  state TEXT NOT NULL CHECK (state = 'waiting' OR state = 'running' OR state = 'done'
      OR state = 'diverged' OR state = 'failed' OR state = 'cancelled' OR state = 'stopped'),
  max_seconds REAL CHECK (max_seconds > 0),
  scale REAL NOT NULL CHECK (scale > 0),
  checksum INTEGER NOT NULL DEFAULT 0,
  m_opt_every INTEGER CHECK (m_opt_every > 0),
  UNIQUE (campaign, number),
  CHECK ((target_measure IS NULL) = (target_value IS NULL))
) STRICT;
INSERT INTO new_trial SELECT * FROM trial;
DROP TABLE trial;
ALTER TABLE new_trial RENAME TO trial;
CREATE INDEX trial_by_policy ON trial (policy);
)sql"}}};

}  // namespace

std::span<const Migration> all_migrations() { return kMigrations; }

int schema_version() { return kMigrations.back().version; }

}  // namespace lrtune
