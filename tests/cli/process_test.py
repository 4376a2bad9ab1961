"""What happens to the process: signals, a reader that stops, a file that shrinks under it."""

import json
import os
import struct
import subprocess
import time

import transcript

GIGABYTE = 1 << 30


def sparse_file(path, size):
    """A safetensors file with one tensor of zeros, as a file of holes."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + size)


def start(path):
    return subprocess.Popen(
        [transcript.PROGRAM, "inspect", "--sha256", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path):
    path = tmp_path / "shrinks.safetensors"
    sparse_file(path, 6 * GIGABYTE)
    process = start(path)
    time.sleep(0.5)
    assert process.poll() is None, "the file is read too fast for this test: make it larger"
    os.truncate(path, 4096)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert out == b"" and err == b"samebits: a file became shorter while it was read, or its disk failed\n"


def test_a_reader_that_stops_is_no_error(tmp_path):
    transcript.prepare(tmp_path)
    process = subprocess.Popen(
        [transcript.PROGRAM, "inspect", "--all", "a.safetensors"], cwd=tmp_path,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(timeout=60) == 0


def test_colour_and_progress_stay_out_of_a_pipe(tmp_path):
    transcript.prepare(tmp_path)
    done = subprocess.run(
        [transcript.PROGRAM, "inspect", "a.safetensors"], cwd=tmp_path, capture_output=True, timeout=60,
        env={"TERM": "xterm-256color", "COLORTERM": "truecolor"},
    )
    assert b"\x1b" not in done.stdout and done.stderr == b""
