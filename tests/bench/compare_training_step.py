#!/usr/bin/env python3
"""Runs lrtune_bench_training_step and training_step_pytorch.py in turn and prints the ratio of their steps.

    PYTHON/bin/python tests/bench/compare_training_step.py build/release/lrtune_bench_training_step

PYTHON: a virtual environment with `pip install torch==2.15.0 numpy`. A pair is one run of each, A B A B ...; the
ratio of a pair is lrtune's median step over PyTorch's, so below 1 lrtune is faster. Exit status 1 if the
median of a network's ratios is above --limit.

--same-allocator gives PyTorch's process glibc's settings that lrtune's worker makes for itself
(worker/training/cpu_settings.cc), which tells how much of a ratio is theirs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

# Network: batch, timed iterations of a run.
RUNS = {"lenet": (64, 200), "cnn3": (100, 40), "resnet32": (128, 6)}
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
               "MALLOC_TOP_PAD_": str(64 << 20)}


def step_of(command, environment):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=environment)
    return json.loads(done.stdout)["step_ms"]


def compare(args, model, threads):
    batch, iterations = RUNS[model]
    settings = ["--model", model, "--batch", str(args.batch or batch), "--threads", str(threads),
                "--iterations", str(args.iterations or iterations)]
    pytorch = [sys.executable, str(Path(__file__).with_name("training_step_pytorch.py"))]
    environment = dict(os.environ, **(KEEP_MEMORY if args.same_allocator else {}))
    own, other = [], []
    for _ in range(args.pairs):
        own.append(step_of([args.program, *settings], os.environ))
        other.append(step_of([*pytorch, *settings], environment))
    ratios = [a / b for a, b in zip(own, other)]
    middle = statistics.median(ratios)
    print(f"{model:9} {args.batch or batch:5} {threads:7} {statistics.median(own):10.2f} "
          f"{statistics.median(other):10.2f} {middle:6.3f} {min(ratios):6.3f} {max(ratios):6.3f}", flush=True)
    return middle


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="lrtune_bench_training_step of a release build")
    parser.add_argument("--models", nargs="+", choices=list(RUNS), default=list(RUNS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--batch", type=int, help="instead of each network's own")
    parser.add_argument("--iterations", type=int, help="instead of each network's own")
    parser.add_argument("--limit", type=float, default=1.02)
    parser.add_argument("--same-allocator", action="store_true")
    args = parser.parse_args()
    print("network   batch threads  lrtune ms PyTorch ms  ratio    min    max")
    medians = [compare(args, model, threads) for threads in args.threads for model in args.models]
    sys.exit(1 if max(medians) > args.limit else 0)


if __name__ == "__main__":
    main()
