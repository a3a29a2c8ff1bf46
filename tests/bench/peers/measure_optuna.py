"""Empty trials of Optuna: every process asks for a trial, draws a number, tells 0.

usage: measure_optuna.py sqlite|journal|grpc TRIALS PROCESSES FOLDER
"""
import json
import multiprocessing
import pathlib
import socket
import sys
import time

import optuna
from optuna.storages import GrpcStorageProxy, JournalStorage, RDBStorage, run_grpc_proxy_server
from optuna.storages.journal import JournalFileBackend

STUDY = "empty"


def storage_of(kind, place):
    if kind == "sqlite":
        # Its own advice for several processes: wait for the lock instead of giving up at once.
        return RDBStorage(f"sqlite:///{place}", engine_kwargs={"connect_args": {"timeout": 100}})
    if kind == "journal":
        return JournalStorage(JournalFileBackend(place))
    return GrpcStorageProxy(host="127.0.0.1", port=int(place))


def empty(trial):
    trial.suggest_float("k0", 1e-4, 1, log=True)
    return 0.0


def serve(database, port):
    run_grpc_proxy_server(storage_of("sqlite", database), host="127.0.0.1", port=port)


def work(kind, place, trials, ready, begin):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.RandomSampler()
    study = optuna.load_study(study_name=STUDY, storage=storage_of(kind, place), sampler=sampler)
    ready.release()
    begin.wait()
    study.optimize(empty, n_trials=trials)


def main():
    kind, trials, processes, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4])
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spawn = multiprocessing.get_context("spawn")
    place, server = str(folder / "optuna"), None
    if kind == "grpc":
        database = place
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            place = str(free.getsockname()[1])
        server = spawn.Process(target=serve, args=(database, int(place)), daemon=True)
        server.start()
        storage_of(kind, place).wait_server_ready(timeout=60)
    optuna.create_study(study_name=STUDY, storage=storage_of(kind, place))
    ready, begin = spawn.Semaphore(0), spawn.Event()
    workers = [
        spawn.Process(target=work, args=(kind, place, trials // processes, ready, begin)) for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    for _ in workers:
        ready.acquire()
    started = time.monotonic()
    begin.set()
    for worker in workers:
        worker.join()
    seconds = time.monotonic() - started
    done = sum(t.state.is_finished() for t in optuna.load_study(study_name=STUDY, storage=storage_of(kind, place)).trials)
    if server is not None:
        server.terminate()
    print(json.dumps({"trials": done, "seconds": seconds}))


if __name__ == "__main__":
    main()
