"""Tests with the marker `long` run in `make test-long` only."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "fixtures"))

import sampling  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "long: runs in make test-long only")


def pytest_collection_modifyitems(config, items):
    long = [] if sampling.LONG else [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
