"""Empty tasks of Dask's distributed scheduler. Nothing is kept on disk.

usage: measure_dask.py memory TRIALS PROCESSES FOLDER
"""
import json
import sys
import time

from distributed import Client, LocalCluster


def empty(number):
    return 0.0


def main():
    trials, processes, folder = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    with LocalCluster(
        n_workers=processes, threads_per_worker=1, dashboard_address=None, local_directory=folder
    ) as cluster, Client(cluster) as client:
        client.wait_for_workers(processes)
        started = time.monotonic()
        results = client.gather(client.map(empty, range(trials), pure=False))
        seconds = time.monotonic() - started
    print(json.dumps({"trials": len(results), "seconds": seconds}))


if __name__ == "__main__":
    main()
