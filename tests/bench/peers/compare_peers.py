#!/usr/bin/env python3
"""Empty trials a second: lrtune beside Optuna, Ray Tune, HyperQueue and Dask, on this machine, in one run.

    deploy/build.sh release lrtune lrtune-worker && tests/bench/peers/compare_peers.py build/release

A trial draws a learning rate and trains nothing. Every tool has two worker processes on this machine, started before its
clock starts (lrtune's and Ray Tune's count with it). The peers are installed into .cache/peers (requirements-*.txt, pinned by
constraints.txt); one that cannot be installed or does not end is a row that says so. lrtune is measured first and last: the table has the mean.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
WORKERS = 2
LIMIT_SECONDS = 600

# Tool, its requirements, its script, the script's setting, in words, trials at --scale 1.
PEERS = [
    ("HyperQueue", "hyperqueue", "measure_hyperqueue.py", "memory", "a process each, nothing kept", 3000),
    ("Dask", "dask", "measure_dask.py", "memory", "tasks, nothing kept", 5000),
    ("Optuna", "optuna", "measure_optuna.py", "journal", "journal file", 1000),
    ("Optuna", "optuna", "measure_optuna.py", "sqlite", "SQLite", 300),
    ("Optuna", "optuna", "measure_optuna.py", "grpc", "gRPC proxy before SQLite", 100),
    ("Ray Tune", "ray", "measure_ray.py", "reused", "actors used again", 100),
    ("Ray Tune", "ray", "measure_ray.py", "new", "a new actor each", 20),
]

EXPERIMENT = """name: empty
train: {{dataset: {{name: mnist}}, model: lenet, optimizer: {{name: sgd}}, batch: 100}}
run: {{iterations: 1, evaluate: {{every: 1}}}}
search: {{method: random, count: {trials}, policies: [{{function: fix, k0: {{log: [1e-4, 1]}}}}]}}
"""


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"


def environment(name, cache):
    """The Python of an environment with requirements-NAME.txt, or an error in words."""
    folder = cache / name
    python, stamp = folder / "bin" / "python", folder / "installed"
    requirements = (HERE / f"requirements-{name}.txt").read_text() + (HERE / "constraints.txt").read_text()
    if stamp.exists() and stamp.read_text() == requirements:
        return python, None
    print(f"installing {name} into {folder}", file=sys.stderr)
    for command in (
        [sys.executable, "-m", "venv", "--clear", folder],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r",
         HERE / f"requirements-{name}.txt", "-c", HERE / "constraints.txt"],
    ):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        if done.returncode != 0:
            return None, f"cannot be installed: {last_line(done.stderr)}"
    stamp.write_text(requirements)
    return python, None


def measured(command, folder):
    """What the last line of the command's output says, or an error in words."""
    try:
        done = subprocess.run(
            list(map(str, command)), capture_output=True, text=True, timeout=LIMIT_SECONDS, cwd=folder
        )
    except subprocess.TimeoutExpired:
        return None, f"did not end within {LIMIT_SECONDS} s"
    if done.returncode != 0:
        return None, f"ended with {done.returncode}: {last_line(done.stderr)}"
    return json.loads(last_line(done.stdout)), None


def measure_peer(peer, cache, scale):
    _, requirements, script, setting, _, trials = peer
    python, error = environment(requirements, cache)
    if error:
        return None, error
    trials = WORKERS * max(1, round(trials * scale / WORKERS))
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        result, error = measured([python, HERE / script, setting, trials, WORKERS, folder], folder)
    if error is None and result["trials"] != trials:
        return None, f"{result['trials']} of {trials} trials ended"
    return result, error


def measure_lrtune(programs, cache, trials):
    with tempfile.TemporaryDirectory(dir=cache) as name:
        folder = pathlib.Path(name)
        (folder / "empty.yaml").write_text(EXPERIMENT.format(trials=trials))
        command = [programs / "lrtune", "run", "empty.yaml", "--workers", WORKERS, "--json", "--no-checkpoints"]
        command += ["--worker-program", programs / "lrtune-worker", "--worker-argument=--trainer=synthetic"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=folder)
        if done.returncode != 0:
            sys.exit(f"lrtune ended with {done.returncode}: {last_line(done.stderr)}")
        campaign = json.loads(done.stdout)["campaign"]
    if campaign["state"] != "done":
        sys.exit(f"lrtune's campaign is {campaign['state']}")
    return {"trials": trials, "seconds": campaign["busy_seconds"]}


def fsync_ms(folder):
    """Median of 200 appends of 4 KiB, each with fsync."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(200):
            started = time.monotonic()
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
            times.append(1000 * (time.monotonic() - started))
    return statistics.median(times)


def versions(cache):
    for name in ("hyperqueue", "dask", "optuna", "ray"):
        for line in (HERE / f"requirements-{name}.txt").read_text().splitlines():
            if line and not line.startswith("#"):
                yield line.strip()
                break


def row(tool, setting, result, error, lrtune_rate):
    if error:
        return f"| {tool} | {setting} | | | | not measured: {error} |"
    rate = result["trials"] / result["seconds"]
    ratio = lrtune_rate / rate
    words = "1" if tool == "lrtune" else f"{ratio:.3g}"
    return f"| {tool} | {setting} | {result['trials']} | {result['seconds']:.2f} | {rate:.3g} | {words} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=pathlib.Path, help="folder with lrtune and lrtune-worker, a release build")
    parser.add_argument("--trials", type=int, default=20000, help="of lrtune")
    parser.add_argument("--scale", type=float, default=1, help="times the trials of each peer")
    parser.add_argument("--cache", type=pathlib.Path, default=REPOSITORY / ".cache" / "peers")
    options = parser.parse_args()
    cache, programs = options.cache.resolve(), options.programs.resolve()
    cache.mkdir(parents=True, exist_ok=True)
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start, fsync {fsync_ms(cache):.2f} ms, "
        f"{WORKERS} workers; {', '.join(versions(cache))}\n"
    )
    first = measure_lrtune(programs, cache, options.trials)
    results = [(peer, *measure_peer(peer, cache, options.scale)) for peer in PEERS]
    last = measure_lrtune(programs, cache, options.trials)
    both = {key: first[key] + last[key] for key in first}
    rate = both["trials"] / both["seconds"]
    print("| tool | setting | trials | seconds | trials/s | lrtune is faster by |")
    print("| --- | --- | --- | --- | --- | --- |")
    print(row("lrtune", "SQLite, each result durable before it is acknowledged", both, None, rate))
    for peer, result, error in results:
        print(row(peer[0], peer[4], result, error, rate))


if __name__ == "__main__":
    main()
