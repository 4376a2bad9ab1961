"""A build that would move bits is refused by the compiler."""

import pathlib
import platform
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = '#include "samebits/base/float_mode.h"\n'


def compiled(*flags):
    command = ["g++", "-std=c++20", "-fsyntax-only", "-x", "c++", f"-I{ROOT}", *flags, "-"]
    return subprocess.run(command, input=HEADER, capture_output=True, text=True, timeout=60)


def test_the_usual_flags_are_taken():
    for flags in (["-O2"], ["-O3", "-ffp-contract=off"]):
        done = compiled(*flags)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "flag", ["-ffast-math", "-Ofast", "-funsafe-math-optimizations", "-ffinite-math-only", "-freciprocal-math"]
)
def test_fast_math_and_its_parts_are_refused(flag):
    done = compiled("-O2", flag)
    assert done.returncode != 0 and "build without -ffast-math" in done.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86 has it")
def test_arithmetic_of_the_x87_is_refused():
    done = compiled("-mfpmath=387")
    assert done.returncode != 0 and "not by the x87" in done.stderr
