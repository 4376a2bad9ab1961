"""Transcripts: what a person types and, to the letter, what the program answers.

    # a comment
    $ samebits inspect nosuch
    what standard output says
    2> what standard error says
    [exit 2]

Every command is one line for bash, run in a folder that holds the files of fixtures.py. Standard error follows standard
output, its lines marked with "2> ".
"""

import os
import pathlib
import re
import subprocess

import fixtures

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = pathlib.Path(os.environ.get("SAMEBITS", HERE.parent.parent / "build" / "release" / "samebits"))
END = re.compile(r"\[exit \d+\]")


def prepare(folder):
    """The fixtures, and the program under its name; the environment for commands."""
    assert PROGRAM.exists(), f"{PROGRAM} does not exist: build it, or name it in SAMEBITS"
    fixtures.write(folder)
    programs = folder / "bin"
    programs.mkdir()
    (programs / "samebits").symlink_to(PROGRAM.resolve())
    return {"PATH": f"{programs}:/usr/bin:/bin", "LC_ALL": "C", "HOME": str(folder)}


def answer(command, folder, environment):
    """The lines that stand under a command."""
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, timeout=60, stdin=subprocess.DEVNULL
    )
    out = done.stdout.decode()
    lines = out.splitlines()
    if out and not out.endswith("\n"):
        lines[-1] += "\\ no newline at the end"
    lines += [f"2> {line}" for line in done.stderr.decode().splitlines()]
    return [*lines, f"[exit {done.returncode}]"]


def skip_answer(lines, start):
    """Where the answer that begins at `start` is over; `start` itself where a new command has none yet."""
    for at in range(start, len(lines)):
        if END.fullmatch(lines[at]):
            return at + 1
        if lines[at].startswith("$ "):
            break
    return start


def replay(text, folder, environment):
    """The transcript with the answers of today."""
    old, new, at = text.splitlines(), [], 0
    while at < len(old):
        new.append(old[at])
        at += 1
        if new[-1].startswith("$ "):
            new += answer(new[-1][2:], folder, environment)
            at = skip_answer(old, at)
    return "\n".join(new) + "\n"


def files():
    return sorted(HERE.glob("*.transcript"))
