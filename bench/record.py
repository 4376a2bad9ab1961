#!/usr/bin/env python3
"""Measures what a recording with statistics costs: the time of a forward pass inside samebits.record() over one without, side by side.

    bench/record.py                 ViT-B/16 and a ResNet-like model, one and eight images of 224 x 224
    bench/record.py --rounds 9      more rounds
    bench/record.py --json FILE     the same figures as JSON

Run by a Python that has torch and transformers, with the package on its path (PYTHONPATH=build/wheel/site). The two take turns in every round; what
is compared are medians. Entering and leaving the block, where the facts are collected and the file is written, counts, too.
"""

import argparse
import pathlib
import statistics
import sys
import tempfile
import time

from figures import Table

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "python"))
LIMIT = 1.3


def vit():
    import transformers

    return transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=1000)).eval()


def resnet():
    """The stages of a ResNet-50 in width and number of blocks, each block of two 3 x 3 convolutions."""
    import torch
    from live_models import Block

    layers = [torch.nn.Conv2d(3, 64, 7, 2, 3), torch.nn.BatchNorm2d(64), torch.nn.ReLU(inplace=True), torch.nn.MaxPool2d(3, 2, 1)]
    for stage, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
        if stage:
            layers.append(torch.nn.Conv2d(width // 2, width, 1, 2))
        layers += [Block(width, 1) for _ in range(blocks)]
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(512, 1000)).eval()


def measure(model, images, rounds, path):
    """Seconds of plain and of recorded passes, in turns."""
    from samebits.record import record

    def plain():
        model(images)

    def recorded():
        with record(model, path):
            model(images)

    seconds = {plain: [], recorded: []}
    for round_ in range(rounds + 1):
        for run in seconds:
            start = time.perf_counter()
            run()
            if round_:  # the first one warms up
                seconds[run].append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds.values()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--record", action="store_true", help="keep the ratios in bench/history")
    options = parser.parse_args()
    import torch

    torch.manual_seed(0)
    table = Table()
    with torch.no_grad(), tempfile.TemporaryDirectory() as folder:
        for name, make in (("ViT-B/16", vit), ("a ResNet-like model", resnet)):
            model = make()
            for batch in (1, 8):
                plain, recorded = measure(model, torch.randn(batch, 3, 224, 224), options.rounds, pathlib.Path(folder) / "a.safetensors")
                words = f"recorded with statistics, {name}, {batch} image{'s' if batch > 1 else ''}, over plain"
                table.add(words, recorded / plain, LIMIT, "", f"{plain * 1000:.0f} and {recorded * 1000:.0f} ms")
    return table.conclude(options.json, options.record)


if __name__ == "__main__":
    sys.exit(main())
