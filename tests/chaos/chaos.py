#!/usr/bin/env python3
"""Kills, stops or cuts off real coordinator and worker processes at random moments (README.md)."""

import argparse
import collections
import json
import os
import random
import select
import shutil
import signal
import socket
import sys
import tempfile
import time

sys.dont_write_bytecode = True  # beside the sources
from cluster import Cluster, Here, Trouble
from network import Network
from people import People
from store_watch import StoreWatch

ENDED = ("done", "failed", "cancelled")
LOOK_EVERY = 0.02  # seconds
PATIENCE = 120     # seconds for what has to happen, on a slow machine


class Campaigns:
    """Short campaigns, some open at any time, and a client that is told how they go."""

    def __init__(self, cluster, watch, options):
        self.cluster = cluster
        self.watch = watch
        self.options = options
        self.submissions = []  # processes
        self.status = None     # process
        self.states = {}       # campaign -> state that a client was told
        self.submitted = 0
        self.wanted = True

    def turn(self):
        for process in [one for one in self.submissions if one.poll() is not None]:
            self.submissions.remove(process)
            answer = self._answer(process)
            self.watch.accepted.add(answer["hash"])
            self.states.setdefault(answer["campaign"], answer["state"])
        if self.status is not None and self.status.poll() is not None:
            for campaign in self._answer(self.status)["campaigns"]:
                number = campaign["campaign"]
                self.states[number] = campaign["state"]
                self.watch.told[number] = max(campaign["ended"], self.watch.told.get(number, 0))
            self.status = None
        if not self.wanted:
            return
        if self.status is None:
            # Also the older ones: people extend them.
            self.status = self.cluster.ask("status", "--all")
        if self.open() < self.options.open:
            self._submit()

    def open(self):
        return len(self.submissions) + sum(state not in ENDED for state in self.states.values())

    def answers(self):
        status = [self.status] if self.status is not None else []
        return [process.stdout for process in self.submissions + status]

    def settled(self):
        """Every question is answered; no further one is asked after `wanted` is False."""
        return not self.submissions and self.status is None

    @staticmethod
    def _answer(process):
        out, error = process.communicate()
        if process.returncode != 0:
            raise Trouble(f"{' '.join(process.args)} ended with {process.returncode}: {error}")
        return json.loads(out)

    def _submit(self):
        """Three campaigns after each other have policies and seed in common: equal trials of theirs
        are one job."""
        self.submitted += 1
        group = random.Random(f"{self.options.seed} group {self.submitted // 3}")
        one = random.Random(f"{self.options.seed} campaign {self.submitted}")
        iterations = group.randrange(20, 61)
        rates = [round(group.uniform(0.001, 0.3), 4) for _ in range(6)]
        path = os.path.join(self.cluster.folder, f"campaign{self.submitted}.yaml")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({
                "name": f"c{self.submitted}",
                "train": {"dataset": {"name": "mnist"}, "model": "lenet",
                          "optimizer": {"name": "sgd"}, "batch": 100},
                "run": {"iterations": iterations, "evaluate": {"every": 10}},
                "seed": group.randrange(1000),
                "search": {"method": "list", "policies": [
                    {"function": "fix", "k0": rate} for rate in one.sample(rates, 4)]},
                "verify": {"top": 2, "repeats": 2},
            }, file)
        priority = str(one.randrange(3))
        self.submissions.append(self.cluster.ask("submit", path, "--priority", priority))


class Chaos:
    def __init__(self, options, folder, network):
        names = ["coordinator"] + [f"w{i}" for i in range(1, options.workers + 1)]
        self.network = network
        self.options = options
        self.random = random.Random(options.seed)
        self.cluster = Cluster(options, folder,
                               network.places if network else {name: Here() for name in names})
        self.watch = StoreWatch(self.cluster.store)
        self.campaigns = Campaigns(self.cluster, self.watch, options)
        self.people = People(self.cluster, self.watch, self.campaigns.states, options.orders,
                             random.Random(f"{options.seed} people"))
        self.restarts = []  # (time, worker)
        self.faults = collections.Counter()
        self.away = {}      # worker that lived when the coordinator was started again -> when
        self.back = []      # seconds until such a worker was there again
        self.seen = collections.Counter()  # (event, worker) of the coordinator's log

    def total(self):
        return sum(self.faults.values())

    # ---- time passes

    def turn(self):
        now = time.monotonic()
        for due, worker in [one for one in self.restarts if one[0] <= now]:
            self.restarts.remove((due, worker))
            worker.start()
        for program in self.cluster.all():
            if all(worker is not program for _, worker in self.restarts):
                program.must_live()
        for event, worker in self.cluster.coordinator.log.new_events():
            self.seen[event, worker] += 1
            if event == "hello" and worker in self.away:
                self.back.append(now - self.away.pop(worker))
        self.campaigns.turn()
        self.people.turn()
        # Until a client is answered, or it is time to look after the others.
        select.select(self.campaigns.answers() + self.people.answers(), [], [], LOOK_EVERY)

    def pass_time(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.turn()

    def until(self, what, condition):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise Trouble(f"it took more than {PATIENCE} s: {what}")
            self.turn()

    def until_seen(self, event, worker, before):
        self.until(f"{event} of {worker.name}",
                   lambda: self.seen[event, worker.name] > before)

    # ---- kill -9

    def kill(self):
        coordinator = self.cluster.coordinator
        alive = [worker for worker in self.cluster.workers if worker.alive()]
        dice = self.random.random()
        if dice < 0.04:  # the power fails
            for worker in alive:
                self._kill_worker(worker)
            self._kill_coordinator(coordinator)
        elif dice < 0.4 or not alive:
            self._kill_coordinator(coordinator)
        else:
            self._kill_worker(self.random.choice(alive))
            self.check()

    def _kill_worker(self, worker):
        worker.kill()
        self.away.pop(worker.name, None)
        self.faults["of workers"] += 1
        self.restarts.append((time.monotonic() + self.random.uniform(0, 1), worker))

    def _kill_coordinator(self, coordinator):
        coordinator.kill()
        self.faults["of the coordinator"] += 1
        self.away.clear()
        self.check()
        coordinator.start()
        self.away = {worker.name: coordinator.started_at
                     for worker in self.cluster.workers if worker.alive()}

    # ---- SIGSTOP

    def sigstop(self):
        if self.random.random() < 0.2:
            self._stop_coordinator()
        else:
            count = min(self.random.choice((1, 1, 2)), self.options.kills - self.total())
            self._without([(worker, "of workers") for worker in
                           self.random.sample(self.cluster.workers, count)],
                          lambda worker: worker.signal(signal.SIGSTOP),
                          lambda worker: worker.signal(signal.SIGCONT))
        self.check()

    def _stop_coordinator(self):
        self.cluster.coordinator.signal(signal.SIGSTOP)
        self.faults["of the coordinator"] += 1
        self.pass_time(self.options.lease * self.random.uniform(1.1, 2))
        self.cluster.coordinator.signal(signal.SIGCONT)

    # ---- partitions

    def partition(self):
        count = min(self.random.choice((1, 1, 2)), self.options.kills - self.total())
        chosen = []
        for worker in self.random.sample(self.cluster.workers, count):
            chosen.append((worker, self.random.choice(
                ("both ways", "to the coordinator", "from the coordinator"))))
        ways = {worker.name: kind for worker, kind in chosen}
        self._without(chosen,
                      lambda worker: self._links(self.network.cut, worker, ways[worker.name]),
                      lambda worker: self._links(self.network.heal, worker, ways[worker.name]))
        self.check()

    @staticmethod
    def _links(change, worker, kind):
        if kind != "from the coordinator":
            change(worker.name, "coordinator")
        if kind != "to the coordinator":
            change("coordinator", worker.name)

    def _without(self, chosen, take, give_back):
        """The workers are away until past their lease, and have to be back afterwards."""
        for worker, _ in chosen:
            self.until(f"{worker.name} is known", lambda worker=worker: self._is_known(worker))
        lost = {worker.name: self.seen["worker_lost", worker.name] for worker, _ in chosen}
        for worker, kind in chosen:
            take(worker)
            self.faults[kind] += 1
        for worker, _ in chosen:
            self.until_seen("worker_lost", worker, lost[worker.name])
        self.pass_time(self.random.uniform(0, self.options.lease))
        hello = {worker.name: self.seen["hello", worker.name] for worker, _ in chosen}
        for worker, _ in chosen:
            give_back(worker)
        for worker, _ in chosen:
            self.until_seen("hello", worker, hello[worker.name])

    def _is_known(self, worker):
        return (self.seen["hello", worker.name] >
                self.seen["worker_lost", worker.name] + self.seen["worker_left", worker.name])

    # ---- the whole run

    def check(self):
        self.watch.look()
        if self.watch.accepted:
            self.cluster.run("store", "check", "--store", self.cluster.store)
        if self.watch.lost or self.watch.double:
            raise Trouble("\n".join(sorted(self.watch.lost | self.watch.double)))

    def run(self):
        fault = {"kill": self.kill, "sigstop": self.sigstop, "partition": self.partition}
        for program in self.cluster.all():
            program.start()
        shown = 0
        while self.total() < self.options.kills:
            self.pass_time(self.random.uniform(0, 2 * self.options.pace))
            fault[self.options.faults]()
            if self.total() * 10 // self.options.kills > shown:
                shown = self.total() * 10 // self.options.kills
                print(f"{self.total()} of {self.options.kills}, {self.campaigns.submitted} "
                      f"campaigns, {len(self.watch.trials)} trials ended", flush=True)
        self.people.leave()
        self.until("people let go on what they paused", self.people.gone)
        self.campaigns.wanted = False
        self.until("every client is answered", self.campaigns.settled)
        self.until("every campaign ends", lambda: all(
            row[1] in ENDED for row in self.watch.campaigns().values()))
        self._stop()
        self.check()
        for number, row in self.watch.campaigns().items():
            if number in self.watch.cancelled:
                as_it_should = row[1] == "cancelled" and row[2] == row[3]
            else:
                as_it_should = row[1] == "done" and row[2] > 0 and row[2] == row[3]
            if not as_it_should:
                raise Trouble(f"campaign {number} did not end as it should: {row}")

    def _stop(self):
        """In order; nobody may have to be asked twice."""
        self.until("all are there", lambda: not self.restarts)
        for program in reversed(self.cluster.all()):
            age = time.monotonic() - program.started_at
            program.signal(signal.SIGTERM)
            # One that was started just now may not have come to listen to it.
            expected = (0, -signal.SIGTERM) if age < 2 else (0,)
            if program.process.wait(PATIENCE) not in expected:
                raise Trouble(f"{program.name} ended with {program.process.returncode} at SIGTERM")

    def late(self):
        """Attempts that a worker went on with although they were given up, and was told so."""
        count = 0
        for worker in self.cluster.workers:
            with open(worker.log.path, encoding="utf-8", errors="replace") as log:
                count += sum("this attempt was given up" in line for line in log)
        return count

    def summary(self, seconds):
        campaigns = self.watch.campaigns().values()
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items()))
        words = {"kill": "kills", "sigstop": "stops", "partition": "partitions"}
        print(f"store looked at {self.watch.looks} times; {self.late()} attempts went on after "
              f"they were given up; {sum(row[4] for row in campaigns):.0f} trials failed by their "
              f"workers' deaths")
        if self.people.given:
            orders = ", ".join(f"{count} of {kind}"
                               for kind, count in sorted(self.people.given.items()))
            print(f"{sum(self.people.given.values())} orders carried out: {orders}")
        if self.back:
            back = sorted(self.back)
            print(f"after a restart of the coordinator a worker was back within {back[-1]:.1f} s "
                  f"(half of {len(back)} within {back[len(back) // 2]:.1f} s, 19 of 20 within "
                  f"{back[len(back) * 19 // 20]:.1f} s)")
            if self.options.within and back[-1] > self.options.within:
                raise Trouble(f"a worker took more than {self.options.within} s to be back")
        print(f"seed {self.options.seed}: {self.total()} {words[self.options.faults]} ({kinds}), "
              f"{len(campaigns)} campaigns, {sum(row[2] for row in campaigns)} trials, "
              f"lost {len(self.watch.lost)}, double {len(self.watch.double)}, {seconds:.0f} seconds")


def free_port():
    """Not one of those that the kernel gives to connecting sockets: while nobody listens there, a
    worker's socket could meet itself."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Trouble("no port is free")


def read_options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", default="build/dev",
                        help="folder with lrtune and lrtune-worker (%(default)s)")
    parser.add_argument("--faults", choices=("kill", "sigstop", "partition"), default="kill")
    parser.add_argument("--kills", type=int, default=30, metavar="N",
                        help="faults in all (%(default)s)")
    parser.add_argument("--seed", type=int, help="of campaigns and faults; not of their timing")
    parser.add_argument("--workers", type=int, default=4, help="(%(default)s)")
    parser.add_argument("--open", type=int, default=3, help="campaigns at a time (%(default)s)")
    parser.add_argument("--lease", type=float, default=2, help="seconds (%(default)s)")
    parser.add_argument("--pace", type=float, default=0.4,
                        help="mean seconds between faults (%(default)s)")
    parser.add_argument("--iteration-us", type=int, default=5000,
                        help="of a training step (%(default)s)")
    parser.add_argument("--within", type=float, metavar="SECONDS",
                        help="fail if a worker takes longer to be back after a coordinator's restart")
    parser.add_argument("--orders", type=float, default=0.3, metavar="SECONDS",
                        help="mean time between people's orders: pause, resume, cancel, extend; "
                             "0: none (%(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the folder of logs and store")
    options = parser.parse_args()
    options.programs = os.path.abspath(options.programs)
    options.port = free_port()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1_000_000)
    return options


def main():
    options = read_options()
    folder = tempfile.mkdtemp(prefix="lrtune-chaos-")
    print(f"seed {options.seed}, in {folder}", flush=True)
    names = ["coordinator"] + [f"w{i}" for i in range(1, options.workers + 1)]
    network = Network(names) if options.faults == "partition" else None
    chaos = None
    started = time.monotonic()
    try:
        chaos = Chaos(options, folder, network)
        chaos.run()
        chaos.summary(time.monotonic() - started)
    except Trouble as trouble:
        print(f"seed {options.seed}: FAILED after {chaos.total() if chaos else 0} faults; see "
              f"{folder}\n{trouble}", flush=True)
        options.keep = True
        return 1
    finally:
        if chaos is not None:
            chaos.cluster.end()
        if network is not None:
            network.close()
    if not options.keep:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
