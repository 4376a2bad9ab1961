#!/usr/bin/env python3
"""Measures what resume_check() adds to a training that it runs: the time of steps with its session over those without, side by side.

    bench/resume_check.py                 a ViT of small size, batches of 8 images of 224 x 224, AdamW
    bench/resume_check.py --rounds 9      more steps
    bench/resume_check.py --json FILE     the same figures as JSON

Run by a Python that has torch and transformers, with the package on its path (PYTHONPATH=build/wheel/site). The two take turns; what is
compared are medians. A session digests batch, gradients, weights, the optimizer's state and its settings in every step.
"""

import argparse
import pathlib
import statistics
import tempfile
import time

from figures import Table

LIMIT = 1.1


class Training:
    """Steps of one model; those of a session see and digest everything."""

    def __init__(self, folder):
        import torch
        import transformers
        from samebits.live_session import Plan, Session

        torch.manual_seed(0)
        config = transformers.ViTConfig(hidden_size=384, intermediate_size=1536, num_attention_heads=6, num_labels=1000)
        self.model = transformers.ViTForImageClassification(config).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-4)
        self.batch = {"pixel_values": torch.randn(8, 3, 224, 224), "labels": torch.arange(8)}
        self.session = Session(Plan("uninterrupted", str(folder))) if folder else None
        if self.session:
            self.session.begin(self.model, self.optimizer)

    def step(self):
        batches = self.session.batches([self.batch]) if self.session else [self.batch]
        for batch in batches:
            self.optimizer.zero_grad()
            self.model(**batch).loss.backward()
            self.optimizer.step()
            if self.session:
                self.session.step()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--record", action="store_true", help="keep the ratios in bench/history")
    options = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory() as folder:
        trainings = {"plain": Training(None), "checked": Training(folder)}
        seconds = {name: [] for name in trainings}
        for round_ in range(options.rounds + 1):
            for name, training in trainings.items():
                start = time.perf_counter()
                training.step()
                if round_:  # the first one warms up
                    seconds[name].append(time.perf_counter() - start)
    plain, checked = (statistics.median(times) for times in seconds.values())
    table.add("a step that resume_check sees, over plain", checked / plain, LIMIT, "", f"{plain * 1000:.0f} and {checked * 1000:.0f} ms")
    return table.conclude(options.json, options.record)


if __name__ == "__main__":
    raise SystemExit(main())
