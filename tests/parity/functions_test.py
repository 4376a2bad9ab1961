"""exp, erf and tanh of the engine over every float32 in range (make test: a sixty-fourth of them), by the vector kernels,
which equal the definition."""

import os
import pathlib
import subprocess

import conftest
from sampling import LONG

PROGRAM = pathlib.Path(os.environ.get("SAMEBITS_EVERY_FLOAT", conftest.PROGRAM.parent / "every_float"))
BOUNDS = {"exp": 1.1, "erf": 1.2, "tanh": 2}  # as samebits/kernels/reference.h says


def test_every_float_is_within_its_bound():
    done = subprocess.run([str(PROGRAM), "1" if LONG else "64"], capture_output=True, text=True, timeout=1800, check=True)
    found = {name: float(ulps) for name, ulps, _ in map(str.split, done.stdout.splitlines())}
    assert found.keys() == BOUNDS.keys()
    for name, bound in BOUNDS.items():
        assert 0.5 < found[name] < bound, done.stdout
