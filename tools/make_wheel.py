#!/usr/bin/env python3
"""Builds the Python wheel into build/wheel/ and prints its path.

Usage: make_wheel.py [--site]

The wheel is self-contained: auditwheel gives it the manylinux tag of the oldest systems on which it runs, and fails
where it needs a library that not every system has. --site also installs it, without its dependencies, into
build/wheel/site, for tests and for PYTHONPATH.
"""

import os
import pathlib
import shutil
import subprocess
import sys

import make_venvs

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "wheel"
# Objects of another build folder are the same: ccache has what the preset release compiled, by the compiler of that name.
CCACHE = {"CCACHE_BASEDIR": str(ROOT), "CCACHE_NOHASHDIR": "1"}
COMPILER = {"CXX": "c++"}
PIP = ["-m", "pip", "--quiet", "--disable-pip-version-check"]


def run(python, *words):
    """What it says is of interest where it fails."""
    environment = {**CCACHE, **COMPILER, **os.environ, "PATH": f"{python.parent}:{os.environ['PATH']}"}
    done = subprocess.run([python, *words], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        done.check_returncode()


def only_wheel(folder):
    (wheel,) = folder.glob("samebits-*.whl")
    return wheel


def build():
    python = make_venvs.interpreter("wheel")
    raw = OUT / "raw"
    shutil.rmtree(OUT, ignore_errors=True)
    raw.mkdir(parents=True)
    run(python, *PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", raw, ROOT)
    run(python, "-m", "auditwheel", "repair", "--wheel-dir", OUT, only_wheel(raw))
    shutil.rmtree(raw)
    return only_wheel(OUT)


def install(wheel, site):
    run(make_venvs.interpreter("wheel"), *PIP, "install", "--no-deps", "--no-index", "--target", site, wheel)
    return site


def main():
    if sys.argv[1:] not in ([], ["--site"]):
        sys.exit("usage: make_wheel.py [--site]")
    try:
        wheel = build()
        if sys.argv[1:]:
            install(wheel, OUT / "site")
        print(wheel.relative_to(ROOT))
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        sys.exit(f"make_wheel.py: {error}")


if __name__ == "__main__":
    main()
