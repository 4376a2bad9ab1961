"""docs/json.md names every key that a finding's evidence can have."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def braced(text, start):
    """The text from the brace at `start` to the one that closes it."""
    level = 0
    for i in range(start, len(text)):
        level += {"{": 1, "}": -1}.get(text[i], 0)
        if level == 0:
            return text[start:i + 1]
    raise AssertionError("a brace without its partner")


def first_texts(initializer):
    """Keys of {{"count", ...}, {"tensors", ...}}: the first text of each pair on the first level."""
    level, keys = 0, []
    for found in re.finditer(r'[{}]|"([^"]*)"', initializer):
        token = found.group(0)
        if token in "{}":
            level += 1 if token == "{" else -1
            opened = token == "{" and level == 2
        else:
            if level == 2 and opened:
                keys.append(found.group(1))
            opened = False
    return keys


def written():
    keys = set()
    for path in (ROOT / "samebits" / "explain").glob("*.cc"):
        if path.name.endswith("_test.cc"):
            continue
        text = path.read_text()
        keys |= set(re.findall(r'evidence\["([a-z_0-9]+)"\]', text))
        for found in re.finditer(r"evidence\s*=\s*\{", text):
            keys |= set(first_texts(braced(text, found.end() - 1)))
    return keys


def documented():
    text = (ROOT / "docs" / "json.md").read_text()
    section = text[text.index("### Evidence"):text.index("# The JSON of a trace")]
    return set(re.findall(r"`([a-z_0-9]+)`", section))


def test_the_sources_are_read():
    assert {"count", "tensors", "fields", "rank", "residual", "largest_error", "median_cosine", "rate"} <= written()


def test_every_key_of_evidence_is_documented():
    assert written() <= documented()
