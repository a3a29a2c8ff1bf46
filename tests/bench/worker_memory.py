#!/usr/bin/env python3
"""Whether a worker's memory stays flat: one trial of 10,000 iterations, then 200 short trials.

    python3 tests/bench/worker_memory.py build/release/lrtune

needs Fashion-MNIST (Debian's dataset-fashion-mnist). Runs `lrtune run` with one worker on experiments that it
writes into a temporary folder, reads the worker's resident memory (VmRSS) ten times a second, and compares the median of
the last quarter of the samples with that of the first. Exit status 1 if it grew by more than 5 %.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT = 0.05
INTERVAL = 0.1  # seconds between two samples
START = 3.0  # seconds of processor time that are left out: the worker reads the data and makes its first tensors
EXPERIMENT = """\
name: {name}
train:
  dataset: {{name: fashion-mnist}}
  validation: 0.05
  model: lenet
  optimizer: {{name: momentum, momentum: 0.9, weight_decay: 5e-4}}
  batch: 8
run:
  iterations: {iterations}
  evaluate: {{every: {every}, on: validation, train_samples: 500}}
seed: 1
search:
  method: random
  count: {trials}
  policies:
    - {{function: fix, k0: {{log: [0.0001, 0.002]}}}}
"""


def resident_kib(process):
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise FileNotFoundError  # it is ending


def processor_seconds(process):
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system


def worker_of(parent):
    """The process called lrtune-worker that `parent` started; None if there is none."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            head, tail = status.read_text().rsplit(")", 1)
        except OSError:
            continue
        if head.split("(", 1)[1].startswith("lrtune-worker") and int(tail.split()[1]) == parent:
            return int(status.parent.name)
    return None


def watch(program, folder, name, iterations, every, trials):
    """The worker's memory in KiB, at each INTERVAL after its start, while the experiment runs."""
    file = folder / f"{name}.yaml"
    file.write_text(EXPERIMENT.format(name=name, iterations=iterations, every=every, trials=trials))
    command = [os.path.abspath(program), "run", str(file), "--workers", "1", "--store", str(folder / f"{name}.db"),
               "--output", str(folder / f"{name}-out")]
    samples, worker = [], None
    with open(folder / f"{name}.log", "w+") as log:
        run = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        while run.returncode is None:
            try:
                worker = worker or worker_of(run.pid)
                if worker and processor_seconds(worker) > START:
                    samples.append(resident_kib(worker))
            except OSError:
                pass
            try:
                run.wait(INTERVAL)
            except subprocess.TimeoutExpired:
                pass
        log.seek(0)
        if run.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{log.read()}")
    return samples


def growth(name, kib):
    quarter = len(kib) // 4
    if quarter < 5:
        sys.exit(f"{name}: only {len(kib)} samples; it ended too soon to say anything")
    first, last = statistics.median(kib[:quarter]), statistics.median(kib[-quarter:])
    print(f"{name:12} {len(kib):8} {first / 1024:14.1f} {last / 1024:14.1f} {max(kib) / 1024:9.1f} "
          f"{100 * (last / first - 1):+8.2f}", flush=True)
    return last / first - 1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="lrtune of a release build, with lrtune-worker beside it")
    parser.add_argument("--iterations", type=int, default=10_000, help="of the long trial")
    parser.add_argument("--trials", type=int, default=200, help="short ones")
    args = parser.parse_args()
    print("             samples  first quarter   last quarter   highest   growth\n"
          "                                MiB            MiB       MiB        %")
    with tempfile.TemporaryDirectory(prefix="lrtune-memory-") as name:
        folder = Path(name)
        grown = [
            growth("long trial", watch(args.program, folder, "long-trial", args.iterations, 500, 1)),
            growth("short trials", watch(args.program, folder, "short-trials", 20, 20, args.trials)),
        ]
    sys.exit(1 if max(grown) > LIMIT else 0)


if __name__ == "__main__":
    main()
