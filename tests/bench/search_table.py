#!/usr/bin/env python3
"""The table that search_bench searches, from the store of a grid campaign:

    lrtune run experiments/search-benchmark.yaml --store table.db
    tests/bench/search_table.py table.db > tests/fixtures/search-benchmark.csv

One row a trial, in the order of the grid: its number, the iteration at which it diverged (empty if it did not), and the
top-1 at each evaluation behind the one at iteration 0. The first line names the experiment by its hash.
"""
import sqlite3
import sys


def main():
    if len(sys.argv) != 2:
        sys.exit("search_table.py: give one store, e.g. table.db")
    store = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    campaigns = store.execute("SELECT id, hash, state FROM campaign").fetchall()
    if len(campaigns) != 1 or campaigns[0][2] != "done":
        sys.exit(f"search_table.py: {sys.argv[1]} must hold one campaign, and it must be done")
    campaign, digest, _ = campaigns[0]
    trials = store.execute(
        "SELECT number, job, iterations, evaluate_every FROM trial"
        " WHERE campaign = ? AND phase = 'search' ORDER BY number", (campaign,)).fetchall()
    _, _, iterations, every = trials[0]
    columns = list(range(every, iterations + 1, every))
    print(f"# {digest.hex()}")
    print(",".join(["candidate", "diverged_at"] + [str(column) for column in columns]))
    for number, job, _, _ in trials:
        outcome, at = store.execute("SELECT outcome, outcome_iteration FROM job WHERE id = ?", (job,)).fetchone()
        top1 = dict(store.execute(
            "SELECT point.iteration, metric.top1 FROM point JOIN metric ON metric.state = point.state"
            " AND metric.part = point.evaluated_on"
            " WHERE point.job = ?", (job,)))
        diverged = at if outcome == "diverged" else ""
        print(",".join([str(number), str(diverged)]
                       + [f"{top1[column]:.5g}" if column in top1 else "" for column in columns]))


main()
