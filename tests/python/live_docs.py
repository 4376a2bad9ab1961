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


def run(name, folder, namespace, left_out="nothing"):
    """Asserts that every block prints what stands behind it; how many there are. One that begins with a file's name is that file.
    Blocks that hold the text `left_out` are not run."""
    pairs = blocks(name)
    with contextlib.chdir(folder):
        for code, printed in pairs:
            file = re.match(r"# (\w+\.py)\n", code)
            if file:  # a module that other blocks import
                pathlib.Path(file.group(1)).write_text(code)
                continue
            if left_out in code:
                continue
            out = io.StringIO()
            with contextlib.redirect_stdout(out):
                exec(compile(code, name, "exec"), namespace)
            assert out.getvalue() == (printed or ""), out.getvalue()
    return len(pairs)
