#!/usr/bin/env python3
"""Runs what `lrtune export` wrote and compares it with `lrtune schedule`, to 1e-6 of each rate over the whole run.

    check_export.py LRTUNE FORMAT [FORMAT ...]

Formats: python (PyTorch's file, its learning_rate alone), caffe (Caffe's formulas, written here), csv, json need
nothing; pytorch, keras, optax need their framework. Prints a line a format; exit code 1 if a rate differs.
"""

import json
import math
import subprocess
import sys

from policies import ALL, DECAYING, ITERATIONS

WITHIN = 1e-6
# Below this a rate is nought to any optimizer, and doubles lose their digits.
SMALLEST = 1e-290


def lrtune(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"lrtune {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def schedule(program, policy, iterations=ITERATIONS):
    text = lrtune(program, "schedule", json.dumps(policy), "--iterations", str(iterations), "--json")
    return json.loads(text)["lr"]


def export(program, policy, form, *more):
    return lrtune(program, "export", json.dumps(policy), "--format", form, *more)


def module_of(text):
    names = {"__name__": "exported"}
    exec(compile(text, "exported.py", "exec"), names)
    return names


def worst(rates, wanted):
    """The largest relative difference, and where."""
    if len(rates) != len(wanted):
        raise SystemExit(f"{len(rates)} rates for {len(wanted)} iterations")
    largest, place = 0.0, 0
    for t, (rate, right) in enumerate(zip(rates, wanted)):
        if not math.isfinite(rate):
            return math.inf, t
        if abs(right) < SMALLEST and abs(rate) < SMALLEST:
            continue
        off = abs(rate - right) / abs(right) if right != 0 else math.inf
        if off > largest:
            largest, place = off, t
    return largest, place


def python_rates(program, policy):
    learning_rate = module_of(export(program, policy, "pytorch"))["learning_rate"]
    return [learning_rate(t) for t in range(ITERATIONS)]


def pytorch_rates(program, policy):
    """What an optimizer has: the LambdaLR steps, over two groups with factors 1 and 2."""
    import torch

    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": 7.0} for _ in range(2)]
    optimizer = torch.optim.SGD(groups, lr=0.3)
    scheduler = module_of(export(program, policy, "pytorch"))["scheduler"](optimizer, [1.0, 2.0])
    rates = []
    for _ in range(ITERATIONS):
        rate, twice = (group["lr"] for group in optimizer.param_groups)
        assert twice == 2 * rate
        rates.append(rate)
        optimizer.step()
        scheduler.step()
    return rates


def optax_rates(program, policy):
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)
    learning_rate = module_of(export(program, policy, "optax"))["learning_rate"]
    rates = jax.jit(learning_rate)(jnp.arange(ITERATIONS, dtype="int32"))
    # optax calls it with the count of its state, traced, one at a time.
    optimizer = optax.sgd(learning_rate)
    weight = jnp.zeros((), dtype="float64")
    update = jax.jit(lambda state: optimizer.update(jnp.ones((), dtype="float64"), state, weight))
    state = optimizer.init(weight)
    for t in range(3):
        step, state = update(state)
        assert abs(float(step) + float(rates[t])) <= WITHIN * float(rates[t]) + 1e-12, (float(step), float(rates[t]))
    assert rates.dtype == "float64"
    return [float(rate) for rate in rates]


def keras_rates(program, policy):
    import keras
    import numpy

    keras.config.set_floatx("float64")
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
    exported = module_of(export(program, policy, "keras"))
    made = exported["LearningRate"]()
    rates = keras.ops.convert_to_numpy(made(numpy.arange(ITERATIONS, dtype="int32")))
    assert rates.dtype == "float64"
    optimizer = keras.optimizers.SGD(learning_rate=made)
    assert abs(float(optimizer.learning_rate) - rates[0]) <= WITHIN * abs(rates[0])
    same = keras.optimizers.SGD.from_config(optimizer.get_config())
    assert abs(float(same.learning_rate) - rates[0]) <= WITHIN * abs(rates[0])
    return [float(rate) for rate in rates]


def csv_rates(program, policy):
    lines = export(program, policy, "csv", "--iterations", str(ITERATIONS)).splitlines()
    assert lines[0] == "t,lr"
    rows = [line.split(",") for line in lines[1:]]
    assert [int(row[0]) for row in rows] == list(range(ITERATIONS))
    return [float(row[1]) for row in rows]


def json_rates(program, policy):
    return json.loads(export(program, policy, "json", "--iterations", str(ITERATIONS)))["lr"]


def solver_of(text):
    """A solver's fields; repeated ones are lists."""
    fields = {"stepvalue": []}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        key, value = line.split(": ")
        value = value.strip('"') if value.startswith('"') else float(value)
        if key == "stepvalue":
            fields[key].append(value)
        else:
            assert key not in fields, key
            fields[key] = value
    return fields


def caffe_rate(solver, t, passed):
    """Caffe's SGDSolver::GetLearningRate, in double precision; `passed`: entries of stepvalue that t reached."""
    form, base = solver["lr_policy"], solver["base_lr"]
    if form == "fixed":
        return base
    if form == "step":
        return base * solver["gamma"] ** (t // int(solver["stepsize"]))
    if form == "exp":
        return base * solver["gamma"] ** t
    if form == "inv":
        return base * (1 + solver["gamma"] * t) ** -solver["power"]
    if form == "multistep":
        return base * solver["gamma"] ** passed
    if form == "poly":
        return base * (1 - t / solver["max_iter"]) ** solver["power"]
    assert form == "sigmoid", form
    return base / (1 + math.exp(-solver["gamma"] * (t - solver["stepsize"])))


def caffe_rates(program, policy):
    solver = solver_of(export(program, policy, "caffe", "--iterations", str(ITERATIONS)))
    assert solver["max_iter"] == ITERATIONS
    return [
        caffe_rate(solver, t, sum(t >= at for at in solver["stepvalue"])) for t in range(ITERATIONS)
    ]


def main():
    program, forms = sys.argv[1], sys.argv[2:]
    rates_of = {name[: -len("_rates")]: rates for name, rates in globals().items() if name.endswith("_rates")}
    failed = False
    for form in forms:
        policies = DECAYING if form == "caffe" else ALL
        largest, hardest = 0.0, None
        for policy in policies:
            off, place = worst(rates_of[form](program, policy), schedule(program, policy))
            if off > largest:
                largest, hardest = off, policy
            if not off <= WITHIN:
                failed = True
                print(f"{form}: off by {off:.3g} at t = {place}: {json.dumps(policy)}")
        print(f"{form}: {len(policies)} policies, {ITERATIONS} iterations each, largest relative difference {largest:.2g}")
        if hardest is not None:
            print(f"    of {json.dumps(hardest)}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
