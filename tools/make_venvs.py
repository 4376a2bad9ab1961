#!/usr/bin/env python3
"""Makes the Python environments of the tests, once for each state of their requirements.

Usage: make_venvs.py t5|t4|quantizers|tensorboard|peers|wheel|bare      prints the path of the environment's interpreter

wheel (what builds the Python wheel), bare (what the wheel needs at run time) and t5 have what tests/requirements-*.txt
say. t4, quantizers (libraries that quantize), tensorboard (what reads event files) and peers (what the benchmarks measure
against) have what their own files say and see the packages of t5 behind their own, so that all load the same torch. They lie in $SAMEBITS_CACHE (default
~/.cache/samebits), in folders named after a hash of the requirements, and are made by Python 3.11 or later.
"""

import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ALONE = ("t5", "wheel", "bare")  # no packages of another environment behind their own
PROBE = "import ensurepip, ssl, sys, venv; sys.exit(sys.version_info < (3, 11))"


def cache_folder():
    home = os.environ.get("SAMEBITS_CACHE") or pathlib.Path.home() / ".cache" / "samebits"
    return pathlib.Path(home).resolve()


def find_python():
    """An interpreter that can make environments. Debian's own comes first: its packages are what install_packages.sh asks for."""
    for name in ("/usr/bin/python3.11", "python3.11", "/usr/bin/python3", "python3", "python3.12", "python3.13"):
        path = shutil.which(name)
        if path and subprocess.run([path, "-c", PROBE], capture_output=True).returncode == 0:
            return path
    sys.exit("make_venvs.py: no Python 3.11 or later with venv, ensurepip and ssl was found (Debian: python3-venv)")


def python_version(python):
    command = [python, "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def requirements(name):
    return ROOT / "tests" / f"requirements-{name}.txt"


def site_packages(folder):
    command = [folder / "bin" / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    return pathlib.Path(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def install(folder, name, python, behind):
    print(f"making the Python environment {name} in {folder}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", folder], check=True, stdout=sys.stderr)
    if behind:  # before pip runs, which then takes from there what fits
        (site_packages(folder) / "behind.pth").write_text(f"{site_packages(behind)}\n")
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", requirements(name)], check=True, stdout=sys.stderr)


def make(name, behind=None):
    """The environment's folder. The packages of the environment `behind` are visible after its own."""
    python = find_python()
    state = f"{python_version(python)}\n{requirements(name).read_text()}\n{behind or ''}"
    folder = cache_folder() / "venvs" / f"{name}-{hashlib.sha256(state.encode()).hexdigest()[:12]}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{folder}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "complete"
        if not stamp.exists():
            install(folder, name, python, behind)
            stamp.touch()
    return folder


def interpreter(name):
    behind = None if name in ALONE else make("t5")
    return make(name, behind) / "bin" / "python"


def main():
    names = ("t5", "t4", "quantizers", "tensorboard", "peers", "wheel", "bare")
    if len(sys.argv) != 2 or sys.argv[1] not in names:
        sys.exit(f"usage: make_venvs.py {'|'.join(names)}")
    try:
        print(interpreter(sys.argv[1]))
    except (OSError, subprocess.CalledProcessError) as error:
        sys.exit(f"make_venvs.py: {error}")


if __name__ == "__main__":
    main()
