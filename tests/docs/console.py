#!/usr/bin/env python3
"""The console blocks of a document: what a person types in a folder of examples/ and what the program answers.

    python3 tests/docs/console.py README.md       writes the answers of today into the document
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))

import mpi  # noqa: E402

PROGRAM = pathlib.Path(os.environ.get("SAMEBITS", ROOT / "build" / "release" / "samebits"))
BLOCK = re.compile(r"(?<=```console\n)(.*?)(?=```)", re.DOTALL)


FOLDERS = {"gallery.md": "gallery"}  # where a document's commands are typed, if not in vit-mae-tiny


def folder_of(path):
    return ROOT / "examples" / FOLDERS.get(pathlib.Path(path).name, "vit-mae-tiny")


# Documents whose commands write: they run one after the other in a copy of the examples.
WRITING = {"training.md"}


def answer(command, place):
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "samebits").symlink_to(PROGRAM.resolve())
        environment = {"PATH": f"{folder}:/usr/bin:/bin", "LC_ALL": "C", **mpi.ENVIRONMENT}
        done = subprocess.run(
            ["bash", "-c", command], cwd=place, env=environment, capture_output=True, timeout=60
        )
    assert done.returncode in (0, 1) and not done.stderr, f"{command}: {done.returncode} {done.stderr.decode()}"
    return done.stdout.decode()


def renewed(path):
    """The document's text with the answers of today."""
    with tempfile.TemporaryDirectory() as copy:
        place = folder_of(path)
        if path.name in WRITING:
            shutil.copytree(ROOT / "examples", pathlib.Path(copy) / "examples")
            place = pathlib.Path(copy) / place.relative_to(ROOT)

        def block(match):
            commands = [line for line in match.group(1).splitlines() if line.startswith("$ ")]
            return "".join(f"{line}\n{answer(line[2:], place)}" for line in commands)

        return BLOCK.sub(block, path.read_text())


if __name__ == "__main__":
    for name in sys.argv[1:]:
        path = pathlib.Path(name)
        path.write_text(renewed(path))
