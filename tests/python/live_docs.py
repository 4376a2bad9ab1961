"""Runs the Python blocks of a document, one after the other in one namespace; a text block behind one is what it prints."""

import contextlib
import io
import pathlib
import re

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


def blocks(name):
    """Pairs (code, printed or None) of a document."""
    found = re.findall(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", (DOCS / name).read_text(), re.MULTILINE | re.DOTALL)
    return [(code, printed or None) for code, printed in found]


def run(name, folder, namespace):
    """Asserts that every block prints what stands behind it; how many there are."""
    pairs = blocks(name)
    with contextlib.chdir(folder):
        for code, printed in pairs:
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, name, "exec"), namespace)
            assert out.getvalue() == (printed or ""), out.getvalue()
    return len(pairs)
