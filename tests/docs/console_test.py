"""What the documents show is what the program says, and what they link to is there."""

import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import console  # noqa: E402

DOCUMENTS = sorted(
    path for path in [*console.ROOT.glob("*.md"), *(console.ROOT / "docs").rglob("*.md"), *(console.ROOT / "examples").glob("*.md")]
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(console.ROOT)))
def test_console_blocks(path):
    assert console.renewed(path).splitlines() == path.read_text().splitlines(), f"python3 tests/docs/console.py {path.name} renews it"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(console.ROOT)))
def test_links(path):
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / target).exists(), target


def test_the_readme_opens_with_the_demo():
    demo = (console.ROOT / "Makefile").read_text()
    command = re.search(r"^EXAMPLE := (.*)$", demo, re.MULTILINE).group(1)
    assert f"```console\n$ samebits {command}\n" in (console.ROOT / "README.md").read_text()[:300]
