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
MEGABYTE = 1 << 20


def call(command, *more, megabytes=None, threads=3):
    def limit():
        if megabytes is not None:
            resource.setrlimit(resource.RLIMIT_AS, (int(megabytes * MEGABYTE), resource.RLIM_INFINITY))

    words = [transcript.PROGRAM, command, *COMMANDS[command], "--threads", str(threads), "--json", *more]
    return subprocess.run(list(map(str, words)), cwd=EXAMPLE, capture_output=True, text=True, timeout=60, preexec_fn=limit)


def least(command):
    """The least memory, in whole megabytes, with which the program can be loaded and says something."""
    low, high = 1, 512
    while low < high:
        middle = (low + high) // 2
        done = call(command, megabytes=middle)
        if done.returncode == 127 or "shared librar" in done.stderr:
            low = middle + 1
        else:
            high = middle
    return low


def without_times(text):
    report = json.loads(text)
    report.pop("timing", None)
    report.pop("threads", None)
    return report


@pytest.mark.parametrize("command", COMMANDS)
def test_too_little_memory_is_said_and_never_a_crash(command):
    whole = call(command)
    assert whole.returncode in (0, 1)
    first = least(command)
    said = finished = 0
    for tenth in range(0, 400, 9):
        done = call(command, megabytes=first + tenth / 10, threads=1 + tenth % 4)
        if done.returncode == whole.returncode:
            assert without_times(done.stdout) == without_times(whole.stdout)
            finished += 1
            continue
        assert done.returncode == 2, done
        text = done.stdout + done.stderr
        assert "memory" in text or "map" in text, done
        if done.stdout:
            report = json.loads(done.stdout)
            assert report["verdict"] == "unknown" and report["not_checked"]
        said += 1
    assert said and finished
