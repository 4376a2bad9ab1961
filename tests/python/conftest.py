"""The package as the wheel installs it, never as it lies in the sources: python3 tools/make_wheel.py --site makes it.

SAMEBITS_PYTHON_BARE  an interpreter with what the wheel needs and no more; tests that need it are skipped without, and
                      fail in CI
"""

import os
import pathlib
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WHEELS = ROOT / "build" / "wheel"
sys.path.insert(0, str(WHEELS / "site"))

import pytest  # noqa: E402

# Without a wheel no test here can run, and the step that builds it has failed. The folder of the C++ sources has the same
# name and is no package.
if not (WHEELS / "site" / "samebits" / "__init__.py").exists():
    collect_ignore_glob = ["*_test.py"]

EXAMPLE = ROOT / "examples" / "vit-mae-tiny"
PROGRAM = pathlib.Path(os.environ.get("SAMEBITS", ROOT / "build" / "release" / "samebits"))


@pytest.fixture
def example():
    return EXAMPLE


@pytest.fixture
def program():
    return PROGRAM


@pytest.fixture(scope="session")
def wheel():
    (path,) = WHEELS.glob("samebits-*.whl")
    return path


@pytest.fixture(scope="session")
def bare():
    python = os.environ.get("SAMEBITS_PYTHON_BARE")
    if not python:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("SAMEBITS_PYTHON_BARE names no interpreter")
    return python

