"""Looks into the store after each fault: what was there, or was told to a client, must be there still."""

import os
import sqlite3

from cluster import Trouble

ENDED_JOBS = """
SELECT id, state, attempt, deaths, outcome, outcome_iteration, hex(outcome_state),
       (SELECT count(*) FROM point WHERE point.job = job.id AND point.attempt = job.attempt),
       (SELECT total(point.checksum) FROM point WHERE point.job = job.id AND point.attempt = job.attempt)
FROM job WHERE outcome IS NOT NULL"""

# A job that is done has every measurement, and its rates led where the policy leads.
INCOMPLETE_JOBS = """
SELECT DISTINCT job.id FROM job JOIN trial ON trial.job = job.id
WHERE job.outcome = 'completed' AND (
  job.outcome_state <> job.to_state OR job.outcome_iteration <> trial.iterations OR
  (SELECT count(*) FROM point WHERE point.job = job.id AND point.attempt = job.attempt) <>
    1 + (trial.iterations + trial.evaluate_every - 1) / trial.evaluate_every)"""

TWICE_FINISHED = """
SELECT trial, count(*) FROM decision
WHERE trial IS NOT NULL AND code IN ('completed', 'target_reached', 'time_limit', 'diverged')
GROUP BY trial HAVING count(*) > 1"""

TWICE_ENDED_CAMPAIGNS = """
SELECT campaign, count(*) FROM decision JOIN campaign ON campaign.id = decision.campaign
WHERE code = 'done' GROUP BY campaign HAVING count(*) > 1 + campaign.extensions"""

# Jobs that a worker has, and the campaigns whose open trials need them.
HELD_JOBS = """
SELECT job.id, group_concat(trial.campaign) FROM job JOIN trial ON trial.job = job.id
WHERE job.state IN ('assigned', 'running') AND trial.state IN ('waiting', 'running')
GROUP BY job.id"""

# A campaign that is cancelled, or was and is not.
CANCELLED = "SELECT DISTINCT campaign FROM decision WHERE code = 'cancelled'"

# A job fails by its workers' deaths alone here, after as many of them as are allowed.
FAILED_FOR_NO_REASON = "SELECT id FROM job WHERE state = 'failed' AND deaths < 3"

CAMPAIGNS = """
SELECT campaign.id, lower(hex(hash)), campaign.state, count(trial.id),
       total(trial.state IN ('done', 'diverged', 'failed', 'cancelled')), total(trial.state = 'failed')
FROM campaign LEFT JOIN trial ON trial.campaign = campaign.id GROUP BY campaign.id"""


class StoreWatch:
    def __init__(self, path):
        self.path = path
        self.jobs = {}     # ended: id -> its row when it was first seen so
        self.trials = {}   # ended: id -> (job, state)
        self.told = {}     # campaign -> trials that a client was told to have ended
        self.accepted = set()  # hashes of the campaigns whose submission was answered
        self.lost = set()      # what is missing, or is not as it was
        self.double = set()
        self.paused = set()     # campaigns that are paused, and stay so for now
        self.cancelled = set()  # campaigns whose cancelling was answered
        self.may_be_cancelled = set()  # or was asked for
        self.looks = 0

    def campaigns(self):
        """id -> (hash, state, trials, ended, failed)."""
        with self._open() as database:
            return self._campaigns(database)

    def look(self):
        """Compares; what is wrong is in `lost` and `double`. Throws Trouble for any other fault."""
        if not self.accepted:  # the store may be in the making
            return
        if not os.path.exists(self.path):
            raise Trouble("the store is gone")
        # What clients are told while we look may be newer than what we see.
        told, accepted = dict(self.told), set(self.accepted)
        with self._open() as database:
            database.execute("BEGIN")
            self._compare("job", self.jobs,
                          {row[0]: row[1:] for row in database.execute(ENDED_JOBS)})
            self._compare("trial", self.trials, {
                row[0]: row[1:] for row in database.execute(
                    "SELECT id, job, state FROM trial WHERE state NOT IN ('waiting', 'running')")})
            self._compare_told(told, accepted, self._campaigns(database))
            self._look_at_orders(database)
            for query, what in ((TWICE_FINISHED, "trial"), (TWICE_ENDED_CAMPAIGNS, "campaign")):
                for number, times in database.execute(query):
                    self.double.add(f"{what} {number} ended {times} times")
            for query, what in ((INCOMPLETE_JOBS, "is done without all that belongs to it"),
                                (FAILED_FOR_NO_REASON, "has failed for no reason")):
                for (number,) in database.execute(query):
                    self.lost.add(f"job {number} {what}")
        self.looks += 1

    def _look_at_orders(self, database):
        for job, campaigns in database.execute(HELD_JOBS):
            if self.paused.issuperset(int(one) for one in campaigns.split(",")):
                self.lost.add(f"job {job} is with a worker, and only paused campaigns need it")
        cancelled = {row[0] for row in database.execute(CANCELLED)}
        for one in self.cancelled - cancelled:
            self.lost.add(f"the cancelling of campaign {one} was answered and is not in the store")
        for one in cancelled - self.may_be_cancelled:
            self.lost.add(f"campaign {one} is cancelled and nobody asked for it")

    def _open(self):
        class Reading:
            def __init__(self, path):
                self.database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30,
                                                isolation_level=None)

            def __enter__(self):
                return self.database

            def __exit__(self, *_):
                self.database.close()

        return Reading(self.path)

    @staticmethod
    def _campaigns(database):
        return {row[0]: row[1:] for row in database.execute(CAMPAIGNS)}

    def _compare(self, what, before, now):
        for number, row in before.items():
            if number not in now:
                self.lost.add(f"{what} {number} had ended as {row} and is open again, or gone")
            elif now[number] != row:
                self.lost.add(f"{what} {number} was {row} and is {now[number]}")
        before.update(now)

    def _compare_told(self, told, accepted, campaigns):
        hashes = {row[0] for row in campaigns.values()}
        for one in accepted - hashes:
            self.lost.add(f"campaign {one} was accepted and is not in the store")
        for campaign, ended in told.items():
            stored = campaigns[campaign][3] if campaign in campaigns else 0
            if stored < ended:
                self.lost.add(f"campaign {campaign}: {ended} trials were told to have ended, "
                              f"{stored:.0f} are in the store")
