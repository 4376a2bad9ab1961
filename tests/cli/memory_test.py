"""Where the system gives no memory or no threads: a clear error and exit status 2, or the same report as ever."""

import json
import pathlib
import resource
import subprocess

import pytest
import transcript

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "vit-mae-tiny"
COMMANDS = {
    "inspect": ["whole.pth", "--deep", "--sha256"],
    "diff": ["hf", "whole.pth"],
    "explain": ["hf", "statedict.pth"],
    "check": ["hf", "--for", "transformers-4"],
    "run": ["hf", "--randn", "2x3x32x32"],
}
STEP = 96  # kilobytes


def call(command, kilobytes=None, threads=3):
    def limit():
        if kilobytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (kilobytes * 1024, kilobytes * 1024))

    words = [transcript.PROGRAM, command, *COMMANDS[command], "--threads", threads, "--json"]
    return subprocess.run(list(map(str, words)), cwd=EXAMPLE, capture_output=True, text=True, timeout=60, preexec_fn=limit)


def least(command):
    """The least memory, in kilobytes, with which the system can load the program."""
    low, high = 1000, 500_000
    while high - low > STEP:
        middle = (low + high) // 2
        loaded = "error while loading shared libraries" not in (done := call(command, middle)).stderr and done.returncode != 127
        low, high = (low, middle) if loaded else (middle, high)
    return high


def without_times(text):
    report = json.loads(text)
    for field in ("timing", "threads"):
        report.pop(field, None)
    return report


@pytest.mark.parametrize("command", COMMANDS)
def test_too_little_memory_is_said_and_is_no_crash(command):
    whole = call(command)
    assert whole.returncode in (0, 1)
    first, said, finished = least(command), 0, 0
    for step in [*range(16), 50, 250, 500]:
        done = call(command, first + step * STEP, threads=1 + step % 4)
        if done.returncode == whole.returncode:
            # What the files alone show can be enough for the verdict; then the report says what was not run.
            complete = without_times(done.stdout) == without_times(whole.stdout)
            assert complete or "memory" in json.loads(done.stdout)["not_checked"][0]
            finished += complete
            continue
        assert done.returncode == 2, done
        assert "memory" in done.stdout + done.stderr, done
        if done.stdout:
            report = json.loads(done.stdout)
            assert report["verdict"] == "unknown" and report["not_checked"]
        said += 1
    assert said and finished
