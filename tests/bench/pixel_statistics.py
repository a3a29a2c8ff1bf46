#!/usr/bin/env python3
"""Mean and standard deviation of a data set's training pixels, a channel at a time, white 1: what
coordinator/ranking/dataset_profile.cc says of it.

    tests/bench/pixel_statistics.py FOLDER ...

FOLDER has train-images-idx3-ubyte(.gz) (MNIST, Fashion-MNIST), or data_batch_1.bin to data_batch_5.bin, alone or in a
folder cifar-10-batches-bin or an archive cifar-10-binary.tar.* (CIFAR-10).
"""
import collections
import gzip
import math
import pathlib
import sys
import tarfile

CIFAR_CHANNEL = 32 * 32
CIFAR_RECORD = 1 + 3 * CIFAR_CHANNEL


def mean_and_deviation(counts):
    total = sum(counts.values())
    mean = sum(value * count for value, count in counts.items()) / total
    square = sum((value - mean) ** 2 * count for value, count in counts.items()) / total
    return mean / 255, math.sqrt(square) / 255


def idx_channels(path):
    with (gzip.open if path.suffix == ".gz" else open)(path) as file:
        return [collections.Counter(file.read()[16:])]


def cifar_channels(batches):
    channels = [collections.Counter() for _ in range(3)]
    for batch in batches:
        for record in range(0, len(batch), CIFAR_RECORD):
            for i, channel in enumerate(channels):
                begin = record + 1 + i * CIFAR_CHANNEL
                channel.update(batch[begin:begin + CIFAR_CHANNEL])
    return channels


def archived_batches(path):
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            if pathlib.PurePath(member.name).match("data_batch_*.bin"):
                yield archive.extractfile(member).read()


def channels_of(folder):
    for images in sorted(folder.glob("train-images-idx3-ubyte*")):
        return idx_channels(images)
    batches = sorted(folder.glob("**/data_batch_*.bin"))
    if batches:
        return cifar_channels(path.read_bytes() for path in batches)
    for archive in sorted(folder.glob("cifar-10-binary.tar.*")):
        return cifar_channels(archived_batches(archive))
    sys.exit(f"{folder} has neither train-images-idx3-ubyte nor CIFAR-10's batches")


if len(sys.argv) < 2:
    sys.exit(__doc__)
for name in sys.argv[1:]:
    statistics = [mean_and_deviation(channel) for channel in channels_of(pathlib.Path(name))]
    print(name, "mean", *(f"{mean:.4f}" for mean, _ in statistics), "deviation", *(f"{deviation:.4f}" for _, deviation in statistics))
