"""Empty trials of Ray Tune: a trial reports one number.

usage: measure_ray.py new|reused TRIALS PROCESSES FOLDER
"""
import json
import os
import sys
import time

os.environ.update(RAY_AIR_NEW_OUTPUT="0", RAY_USAGE_STATS_ENABLED="0")

import ray
from ray import tune


class Empty(tune.Trainable):
    def setup(self, config):
        pass

    def reset_config(self, new_config):
        return True

    # It is asked for when actors are used again.
    def save_checkpoint(self, checkpoint_dir):
        return None

    def load_checkpoint(self, checkpoint):
        pass

    def step(self):
        return {"loss": 0.0, "done": True}


def start(processes):
    # It gives itself 30 s to start, which a busy machine may not grant at once.
    for attempt in range(4):
        try:
            return ray.init(num_cpus=processes, include_dashboard=False, log_to_driver=False)
        except Exception:
            ray.shutdown()
            if attempt == 3:
                raise


def main():
    kind, trials, processes, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    start(processes)
    tuner = tune.Tuner(
        Empty,
        param_space={"k0": tune.loguniform(1e-4, 1)},
        tune_config=tune.TuneConfig(
            num_samples=trials, max_concurrent_trials=processes, reuse_actors=kind == "reused"
        ),
        run_config=tune.RunConfig(storage_path=folder, name="empty", verbose=0),
    )
    started = time.monotonic()
    results = tuner.fit()
    seconds = time.monotonic() - started
    done = sum(result.error is None for result in results)
    ray.shutdown()
    print(json.dumps({"trials": done, "seconds": seconds}))


if __name__ == "__main__":
    main()
