"""Real processes of one coordinator and its workers, each of which may be killed, stopped or cut off."""

import fcntl
import os
import re
import signal
import subprocess
import time

# What the coordinator's log says, in logfmt: `time=... level=... event=hello worker=w1 ...`.
EVENT = re.compile(r"\bevent=(\S+)(?:.*?\bworker=(\S+))?")


F_SETPIPE_SZ = 1031  # fcntl(2); Python names it from 3.10 on


class Trouble(Exception):
    """What must not happen: the run ends with its text."""


class Log:
    """The events that a program writes into a file, read as they come."""

    def __init__(self, path):
        self.path = path
        self.offset = 0
        self.rest = ""

    def new_events(self):
        """(event, worker or None) of each line since the last call."""
        if not os.path.exists(self.path):
            return []
        with open(self.path, encoding="utf-8", errors="replace") as file:
            file.seek(self.offset)
            text = self.rest + file.read()
            self.offset = file.tell()
        lines = text.split("\n")
        self.rest = lines.pop()
        found = (EVENT.search(line) for line in lines)
        return [match.groups() for match in found if match]


class Program:
    """One program that is started again and again under one name; its log goes on in one file."""

    def __init__(self, name, command, folder, place):
        self.name = name
        self.command = command
        self.folder = folder
        self.place = place
        self.log = Log(os.path.join(folder, name + ".log"))
        self.process = None
        self.stopped = False  # by SIGSTOP
        self.started_at = 0.0

    def start(self):
        with open(self.log.path, "ab") as log:
            self.process = subprocess.Popen(
                self.place.command(self.command), cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        self.stopped = False
        self.started_at = time.monotonic()

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)
        if number in (signal.SIGSTOP, signal.SIGCONT):
            self.stopped = number == signal.SIGSTOP

    def kill(self):
        self.process.kill()
        self.process.wait()

    def must_live(self):
        """A program that ends by itself has failed: nobody asked it to."""
        if self.process is not None and self.process.poll() is not None:
            with open(self.log.path, encoding="utf-8", errors="replace") as log:
                last = "".join(log.readlines()[-5:])
            raise Trouble(f"{self.name} ended by itself with {self.process.returncode}:\n{last}")


class Here:
    """The place of a program that needs no network of its own."""

    address = "127.0.0.1"

    def command(self, command):
        return command


class Cluster:
    """A coordinator, its workers, and the client commands that ask it."""

    def __init__(self, options, folder, places):
        self.folder = folder
        self.programs = options.programs
        self.store = os.path.join(folder, "lrtune.db")
        self.keys = os.path.join(folder, "keys")
        self.here = places["coordinator"]
        self.run("keygen", self.keys)
        endpoint = f"tcp://{self.here.address}:{options.port}"
        self.client_options = ["--coordinator", endpoint, "--keys", self.keys]
        self.coordinator = Program(
            "coordinator",
            [self.path("lrtune"), "coordinator", "--listen", endpoint, "--store", self.store,
             "--keys", self.keys, "--lease", str(options.lease)],
            folder, self.here)
        self.workers = []
        for number in range(1, options.workers + 1):
            name = f"w{number}"
            self.run("keygen", self.keys, "--worker", name)
            self.workers.append(Program(
                name,
                [self.path("lrtune-worker"), "--connect", endpoint,
                 "--keys", os.path.join(self.keys, "workers", name), "--name", name,
                 # Some with two slots: what dies in company is another case than what dies alone.
                 "--slots", "2" if number % 3 == 0 else "1", "--threads", "1",
                 "--trainer", f"synthetic:iteration_us={options.iteration_us}"],
                folder, places[name]))

    def path(self, program):
        return os.path.join(self.programs, program)

    def all(self):
        return [self.coordinator, *self.workers]

    def run(self, *arguments):
        """A command of lrtune that has to work; its output."""
        done = subprocess.run([self.path("lrtune"), *arguments], cwd=self.folder, text=True,
                              capture_output=True, check=False)
        if done.returncode != 0:
            raise Trouble(f"lrtune {' '.join(arguments)} ended with {done.returncode}:\n"
                          f"{done.stdout}{done.stderr}")
        return done.stdout

    def ask(self, *arguments):
        """A client's command, under way: it waits for a coordinator that is away."""
        process = subprocess.Popen(
            self.here.command([self.path("lrtune"), *arguments, *self.client_options,
                               "--patience", "120", "--json"]),
            cwd=self.folder, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        # It is read when the command has ended: a thousand campaigns have to fit.
        fcntl.fcntl(process.stdout, F_SETPIPE_SZ, 1 << 20)
        return process

    def end(self):
        for program in self.all():
            if program.alive():
                program.kill()
