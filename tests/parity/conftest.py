"""The program under test, and the model of the case saved by every route.

SAMEBITS            the program (default: build/release/samebits)
SAMEBITS_PYTHON_T4  an interpreter with transformers 4.57.6; tests that need it are skipped without, and fail in CI
"""

import json
import os
import pathlib
import subprocess
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(HERE), str(HERE.parent / "fixtures")]

import pytest  # noqa: E402
import report  # noqa: E402
from sampling import made_once  # noqa: E402

IN_CI = os.environ.get("CI") == "true"
PROGRAM = pathlib.Path(os.environ.get("SAMEBITS", ROOT / "build" / "release" / "samebits"))
COMPARED = [
    {"name": "zero", "mask_ratio": 0.0, "seed": 7},
    {"name": "trained", "mask_ratio": 0.75, "seed": 7, "steps": 2},
    {"name": "trained-zero", "mask_ratio": 0.0, "source": "trained/hf", "routes": ["hf", "whole", "statedict"]},
    {"name": "dropout", "dropout": 0.1, "seed": 7, "steps": 2, "routes": ["hf", "whole", "whole-training"]},
]


def cache():
    """A folder for what is slow to make; every test makes what it does not find there."""
    return pathlib.Path(os.environ.get("SAMEBITS_CACHE", pathlib.Path.home() / ".cache" / "samebits"))


def missing(message):
    """A loud failure in CI, a skip on a desk."""
    (pytest.fail if IN_CI else pytest.skip)(message)


@pytest.fixture(scope="session")
def run():
    """run("diff", a, b) -> Report: the program with --json, its report checked."""
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM} does not exist: build it, or name it in SAMEBITS")

    def run_program(command, *arguments, timeout=60):
        words = [str(PROGRAM), command, *map(str, arguments), "--json"]
        done = subprocess.run(words, capture_output=True, timeout=timeout)
        assert done.returncode in (0, 1, 2), f"{' '.join(words)}: status {done.returncode}\n{done.stderr.decode()[-2000:]}"
        return report.parse(done.stdout, command, done.returncode)

    return run_program


def call(python, script, *arguments):
    words = [str(python), str(HERE.parent / "fixtures" / script), *map(str, arguments)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def python_t4():
    python = os.environ.get("SAMEBITS_PYTHON_T4")
    if not python:
        missing("SAMEBITS_PYTHON_T4 names no interpreter with transformers 4.57.6")
    return python


@pytest.fixture(scope="session")
def routes(tmp_path_factory):
    """Folder with a folder for each case of COMPARED, written by transformers 5."""

    def make(out):
        cases = [case | ({"source": str(out / case["source"])} if "source" in case else {}) for case in COMPARED]
        call(sys.executable, "make_routes.py", out, "--cases", json.dumps(cases))

    return made_once(tmp_path_factory, "routes", make)


@pytest.fixture(scope="session")
def routes4(tmp_path_factory, python_t4):
    """The model of `routes5`, trained and saved by transformers 4."""
    return made_once(tmp_path_factory, "routes4", lambda out: call(python_t4, "make_routes.py", out, "--steps", 2))


@pytest.fixture(scope="session")
def routes5(tmp_path_factory, routes4):
    """transformers 5 loaded what transformers 4 saved, and saved it again by every route."""
    cases = json.dumps([{"name": "from4", "source": str(routes4 / "hf")}])
    return made_once(tmp_path_factory, "routes5", lambda out: call(sys.executable, "make_routes.py", out, "--cases", cases)) / "from4"


@pytest.fixture(scope="session")
def loaded(python_t4, routes4, routes5):
    """loaded[version][path]: what that transformers leaves random, by its own word."""
    paths = [routes4 / "hf", routes5 / "hf", routes4 / "bare.pth", routes5 / "bare.pth"]
    return {
        4: json.loads(call(python_t4, "load_routes.py", *paths)),
        5: json.loads(call(sys.executable, "load_routes.py", *paths)),
    }
