"""People who pause, resume, cancel and extend campaigns while programs die around them."""

import collections
import json
import os
import time

from cluster import Trouble


class People:
    """One order at a time. Each has to be carried out, whoever is away meanwhile, or refused because its
    campaign has ended."""

    def __init__(self, cluster, watch, states, pause, random):
        self.cluster = cluster
        self.watch = watch
        self.states = states  # campaign -> state that a client was told
        self.pause = pause    # mean seconds between orders; 0: none are given
        self.random = random
        self.given = collections.Counter()
        self.under_way = None  # (kind, campaign, process)
        self.next_at = time.monotonic()
        self.extended = set()
        self.leaving = False

    def turn(self):
        if self.under_way is not None:
            if self.under_way[2].poll() is None:
                return
            self._answered(*self.under_way)
            self.under_way = None
            self.next_at = time.monotonic() + self.random.uniform(0, 2 * self.pause)
        if self.pause > 0 and time.monotonic() >= self.next_at:
            self._give()

    def answers(self):
        return [self.under_way[2].stdout] if self.under_way is not None else []

    def leave(self):
        """From now on they only let go on what they have paused."""
        self.leaving = True

    def gone(self):
        return self.under_way is None and not self.watch.paused

    def _give(self):
        kind = self._choice()
        if kind == "resume":
            # What is assigned from now on is no wonder.
            campaign = self.random.choice(sorted(self.watch.paused))
            self.watch.paused.discard(campaign)
            return self._ask(kind, campaign)
        if self.leaving:
            return None
        if kind == "extend":
            among = [one for one, state in self.states.items()
                     if state == "done" and one not in self.extended]
        else:
            among = [one for one, state in self.states.items()
                     if state in ("surveying", "searching", "verifying")
                     and one not in self.watch.paused]
        if not among:
            return None
        campaign = self.random.choice(sorted(among))
        if kind == "extend":
            return self._ask(kind, campaign, "--policies", self._further_policies())
        return self._ask(kind, campaign)

    def _choice(self):
        if self.watch.paused and (self.leaving or self.random.random() < 0.5):
            return "resume"
        return self.random.choices(("pause", "cancel", "extend"), (5, 1, 3))[0]

    def _further_policies(self):
        path = os.path.join(self.cluster.folder, "further.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump([{"function": "fix", "k0": round(self.random.uniform(0.001, 0.3), 4)}], file)
        return path

    def _ask(self, kind, campaign, *options):
        if kind == "cancel":
            self.watch.may_be_cancelled.add(campaign)
        if kind == "extend":
            self.extended.add(campaign)
        self.under_way = (kind, campaign, self.cluster.ask(kind, str(campaign), *options))

    def _answered(self, kind, campaign, process):
        out, error = process.communicate()
        if process.returncode != 0:
            if "has ended" in error and kind != "extend":
                return
            raise Trouble(f"{' '.join(process.args)} ended with {process.returncode}: {error}")
        document = json.loads(out)
        self.given[kind] += 1
        if kind == "cancel":
            self.watch.cancelled.add(campaign)
        if kind == "pause":
            self.watch.paused.add(campaign)
        self.states[campaign] = document.get("state", self.states[campaign])
