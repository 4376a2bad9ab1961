"""docs/causes.md has a section for every cause that the program names, and for no other."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CAUSE = re.compile(r'"((?:weights|config|mode|rng|order|state|input|numerics|code|file|load|resume)\.[a-z]+|training\.parted)"')


def test_every_cause_that_is_named_has_its_section():
    named = set()
    for path in (ROOT / "samebits" / "explain").glob("*.cc"):
        if not path.name.endswith("_test.cc") and path.name != "causes.cc":
            named |= set(CAUSE.findall(path.read_text()))
    named -= {"rng.torch", "rng.numpy", "rng.python"}  # parts of a training's state
    named -= {"config.yaml"}  # a file
    sections = re.findall(r"^## `(.*)`$", (ROOT / "docs" / "causes.md").read_text(), re.MULTILINE)
    assert len(sections) == len(set(sections)) and set(sections) == named
