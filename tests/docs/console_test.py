"""What the documents show is what the program says, and what they link to is there."""

import pathlib
import re
import shutil
import subprocess
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


def test_what_the_readme_gives_to_paste_works(tmp_path):
    blocks = re.findall(r"```sh\n(.*?)```", (console.ROOT / "README.md").read_text(), re.DOTALL)
    (block,) = [each for each in blocks if each.startswith("cd examples/vit-mae-tiny\n")]
    shutil.copytree(console.ROOT / "examples", tmp_path / "examples")
    (tmp_path / "samebits").symlink_to(console.PROGRAM.resolve())
    done = subprocess.run(["bash", "-c", block], cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1) and not done.stderr and done.stdout.startswith("same: ")
    assert (tmp_path / "examples" / "vit-mae-tiny" / "report.html").read_text().startswith("<!DOCTYPE html>")
    targets = set(re.findall(r"^([a-z-]+):", (console.ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {"demo"} <= set(re.findall(r"^make ([a-z-]+)", "".join(blocks), re.MULTILINE)) <= targets


def test_the_readme_opens_with_the_demo():
    demo = (console.ROOT / "Makefile").read_text()
    command = re.search(r"^EXAMPLE := (.*)$", demo, re.MULTILINE).group(1)
    assert f"```console\n$ samebits {command}\n" in (console.ROOT / "README.md").read_text()[:300]
