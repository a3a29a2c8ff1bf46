"""Empty tasks of HyperQueue: `true`, a process each, in the local cluster of its Python package, which keeps nothing on disk.

usage: measure_hyperqueue.py memory TRIALS PROCESSES FOLDER
"""
import json
import shutil
import sys
import time

from hyperqueue import Job, LocalCluster
from hyperqueue.cluster import WorkerConfig


def main():
    trials, processes, folder = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    true = [shutil.which("true")]
    with LocalCluster(server_dir=folder) as cluster:
        for _ in range(processes):
            cluster.start_worker(WorkerConfig(cores=1))
        client = cluster.client()
        started = time.monotonic()
        job = Job(default_workdir=folder)
        for _ in range(trials):
            job.program(true, stdout=None, stderr=None)
        submitted = client.submit(job)
        client.wait_for_jobs([submitted])  # raises if a task failed
        seconds = time.monotonic() - started
    print(json.dumps({"trials": trials, "seconds": seconds}))


if __name__ == "__main__":
    main()
