#!/usr/bin/env python3
"""Milliseconds of one training step in Python's PyTorch: what training_step_bench.cc times, with the same networks.

    python3 training_step_pytorch.py --model lenet --batch 64 --threads 1 --iterations 100

needs PyTorch 2.15.0. The step is the usual one: random samples of images in memory (bytes) by index_select,
their conversion and normalisation, forward, zero_grad(set_to_none=True), backward, torch.optim.SGD with momentum
and weight decay. Everything is float32 in channels-last memory. Prints one line of JSON.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import torch
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "fixtures" / "parity"))
from make_parity import MODELS, factor  # noqa: E402

WARM_UP = 5
TRAIN_SAMPLES = 2000
# What each network sees: [channels, rows, columns, classes].
SHAPES = {"lenet": (1, 28, 28, 10), "cnn3": (3, 32, 32, 10), "resnet32": (3, 32, 32, 10)}


def normalisation(model, images):
    """x * factor + offset, as the paper's experiments have it; None leaves it out."""
    if model == "lenet":
        return 1 / 256, None
    if model == "cnn3":
        return None, -images.float().mean(0)
    flat = images.float().reshape(-1, images.shape[3])
    # One number for each value of an image: broadcasting three channels would be slower.
    of_image = torch.ones(images.shape[1:])
    return of_image / flat.std(0), of_image * -(flat.mean(0) / flat.std(0))


def batches(images, labels, model, size):
    factor_, offset = normalisation(model, images)
    order, at = torch.randperm(TRAIN_SAMPLES), 0
    while True:
        if at + size > TRAIN_SAMPLES:
            order = torch.cat([order[at:], torch.randperm(TRAIN_SAMPLES)])
            at = 0
        samples = order[at:at + size]
        at += size
        x = images.index_select(0, samples).float()
        if factor_ is not None:
            x.mul_(factor_)
        if offset is not None:
            x.add_(offset)
        yield x.permute(0, 3, 1, 2), labels.index_select(0, samples)


def optimizer_of(network):
    """Parameters with the same factors of rate and weight decay share a group."""
    rates, decays = getattr(network, "rates", {}), getattr(network, "decays", {})
    groups = {}
    for name, p in network.named_parameters():
        groups.setdefault((factor(rates, name), factor(decays, name)), []).append(p)
    return torch.optim.SGD(
        [{"params": group, "lr": 1e-3 * rate, "weight_decay": 5e-4 * decay}
         for (rate, decay), group in groups.items()], momentum=0.9)


def median_step(model, size, iterations):
    shape = SHAPES[model]
    network = MODELS[model][0](shape, 1).to(memory_format=torch.channels_last)
    network.train()
    optimizer = optimizer_of(network)
    images = torch.randint(0, 256, (TRAIN_SAMPLES, shape[1], shape[2], shape[0]), dtype=torch.uint8)
    source = batches(images, torch.randint(0, shape[3], (TRAIN_SAMPLES,)), model, size)
    times = []
    for _ in range(WARM_UP + iterations):
        inputs, labels = next(source)
        loss = functional.cross_entropy(network(inputs), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter())
    steps = [1e3 * (after - before) for before, after in zip(times[WARM_UP - 1:], times[WARM_UP:])]
    return statistics.median(steps)


def main():
    parser = argparse.ArgumentParser(description="Times a training step in PyTorch")
    parser.add_argument("--model", choices=list(SHAPES), default="lenet")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--iterations", type=int, default=100)
    args = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(args.threads)
    step = median_step(args.model, args.batch, args.iterations)
    print(json.dumps({"model": args.model, "batch": args.batch, "threads": args.threads,
                      "iterations": args.iterations, "step_ms": step}))


if __name__ == "__main__":
    main()
