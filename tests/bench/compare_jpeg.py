"""JPEGs a second: lrtune's reader and PyTorch's own (torchvision's ImageFolder and transforms, a
DataLoader with as many worker processes as lrtune has threads), in turn.

    PYTHON/bin/python tests/bench/compare_jpeg.py build/release/lrtune_bench_jpeg [--folder FOLDER]

Without a folder it makes one: 512 pictures of 500 x 375, quality 90. PYTHON is a virtual environment
with torch, torchvision, pillow and numpy.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

BATCH = 64
BATCHES = 20  # timed
WARM_UP = 2


def make_folder(folder, pictures=512, classes=4):
    """Smooth colours with finer and finer detail on them, as photographs have."""
    import numpy
    from PIL import Image

    random = numpy.random.default_rng(1)
    for number in range(pictures):
        picture = numpy.zeros((375, 500, 3))
        for side, weight in ((4, 90), (16, 40), (64, 20), (250, 10)):
            noise = random.normal(size=(side, side, 3)) * 32 + 128
            layer = Image.fromarray(noise.clip(0, 255).astype("uint8")).resize((500, 375), Image.BICUBIC)
            picture += (numpy.asarray(layer, dtype=float) - 128) * weight / 32
        part = "val" if number % 64 == 0 else "train"
        place = pathlib.Path(folder) / part / f"class{number % classes}"
        place.mkdir(parents=True, exist_ok=True)
        pixels = (picture + 128).clip(0, 255).astype("uint8")
        Image.fromarray(pixels).save(place / f"{number:04}.jpg", quality=90)


def pytorch(folder, workers):
    import torch
    from torchvision import datasets, transforms

    torch.set_num_threads(1)
    transform = transforms.Compose(
        [transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(), transforms.PILToTensor()]
    )
    data = datasets.ImageFolder(str(pathlib.Path(folder) / "train"), transform)
    order = torch.utils.data.RandomSampler(data, replacement=True, num_samples=BATCH * (BATCHES + WARM_UP))
    loader = torch.utils.data.DataLoader(data, BATCH, sampler=order, num_workers=workers, drop_last=True)
    start = 0.0
    for number, _ in enumerate(loader):
        if number + 1 == WARM_UP:
            start = time.perf_counter()
    print(json.dumps({"images_per_second": BATCH * BATCHES / (time.perf_counter() - start)}))


def measure(command):
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)["images_per_second"]


def compare(bench, folder, pairs):
    print("threads  lrtune/s PyTorch/s  ratio    min    max")
    for threads in (1, 2):
        ours, theirs = [], []
        for _ in range(pairs):
            ours.append(measure([bench, "--folder", folder, "--threads", str(threads)]))
            theirs.append(measure([sys.executable, __file__, "--pytorch", str(threads), "--folder", folder]))
        ratios = [a / b for a, b in zip(ours, theirs)]
        print(
            f"{threads:7} {statistics.median(ours):9.1f} {statistics.median(theirs):9.1f}"
            f" {statistics.median(ratios):6.2f} {min(ratios):6.2f} {max(ratios):6.2f}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", nargs="?")
    parser.add_argument("--folder")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--pytorch", type=int, metavar="WORKERS", help="only PyTorch's side, once")
    options = parser.parse_args()
    if options.pytorch:
        pytorch(options.folder, options.pytorch)
    elif not options.bench:
        parser.error("the path of lrtune_bench_jpeg is needed")
    elif options.folder:
        compare(options.bench, options.folder, options.pairs)
    else:
        with tempfile.TemporaryDirectory() as folder:
            make_folder(folder)
            compare(options.bench, folder, options.pairs)


if __name__ == "__main__":
    main()
