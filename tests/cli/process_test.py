"""What happens to the process: signals, limits, closed and full files, a file that shrinks under it."""

import json
import os
import pickle
import resource
import signal
import struct
import subprocess
import time

import pytest

import fixtures
import transcript

HF = str(fixtures.EXAMPLE / "hf")

GIGABYTE = 1 << 30


def sparse_file(path, size):
    """A safetensors file with one tensor of zeros, as a file of holes."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + size)


def start(path, *options):
    return subprocess.Popen(
        [transcript.PROGRAM, "inspect", "--sha256", path, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["screen", "json"])
def test_a_file_that_shrinks_while_it_is_read_is_an_error(tmp_path, options):
    path = tmp_path / "shrinks.safetensors"
    sparse_file(path, 6 * GIGABYTE)
    process = start(path, *options)
    time.sleep(0.5)
    assert process.poll() is None, "the file is read too fast for this test: make it larger"
    os.truncate(path, 4096)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2
    if options:
        report = json.loads(out)
        assert report["verdict"] == "unknown" and [subject["path"] for subject in report["subjects"]] == [str(path)]
        assert report["not_checked"] == ["a file became shorter while it was read, or its disk failed"]
    assert (options or out == b"") and err == b"samebits: a file became shorter while it was read, or its disk failed\n"


def test_a_model_that_shrinks_while_it_runs_leaves_json_all_the_same():
    # The signal that the system sends where a mapped page is gone.
    process = subprocess.Popen(
        [transcript.PROGRAM, "run", HF, "--json", "--repeat", "1000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    time.sleep(0.5)
    process.send_signal(signal.SIGBUS)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 2 and b"became shorter" in err
    run = json.loads(out)
    assert run["schema"] == "samebits.run/1" and run["outputs"] == [] and "became shorter" in run["not_checked"][0]


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


def run(*words, **options):
    defaults = {"capture_output": True, "text": True, "timeout": 60}
    return subprocess.run([transcript.PROGRAM, *map(str, words)], **{**defaults, **options})


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("number", ["SIGHUP", "SIGINT", "SIGTERM", "SIGQUIT", "SIGXCPU"])
def test_a_signal_ends_the_program_with_a_word_and_nothing_else(tmp_path, number):
    number = getattr(signal, number)
    words = [transcript.PROGRAM, "run", HF, "--repeat", "1000000", "--save", str(tmp_path / "new")]

    def as_from_a_terminal():
        signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=as_from_a_terminal)
    time.sleep(0.3)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == -number  # a shell says 128 + number
    assert out == b"" and err.startswith(b"samebits: ") and err.count(b"\n") == 1
    assert contents(tmp_path) == {}


def test_a_signal_that_was_ignored_stays_so(tmp_path):
    words = [transcript.PROGRAM, "run", HF, "--repeat", "1000000"]
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    time.sleep(0.3)
    process.send_signal(signal.SIGHUP)  # as nohup has it
    time.sleep(0.1)
    assert process.poll() is None
    process.kill()
    process.communicate()


def test_a_file_that_may_not_grow_is_an_error_and_the_old_one_stays(tmp_path):
    (tmp_path / "old").write_bytes(b"before")
    for words in (("run", HF, "--save", "old"), ("run", HF, "--trace", "new"), ("inspect", HF, "--html", "old")):
        done = run(*words, cwd=tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
        assert done.returncode == 2 and "File too large" in done.stderr and done.stdout == ""
        assert contents(tmp_path) == {"old": b"before"}
    done = run("inspect", HF, "--json", "--html", "old", cwd=tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)))
    assert "File too large" in json.loads(done.stdout)["not_checked"][0] and done.returncode == 2


@pytest.mark.parametrize(
    "words", [("inspect", HF), ("run", HF, "--save", "saved"), ("--help",), ("run", "--help"), ("--version",)]
)
def test_standard_output_that_is_full_or_closed_is_an_error(tmp_path, words):
    with open("/dev/full", "w") as full:
        done = run(*words, cwd=tmp_path, capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2 and "No space left on device" in done.stderr
    closed = run(*words, cwd=tmp_path, capture_output=False, stderr=subprocess.PIPE, preexec_fn=lambda: os.close(1))
    assert closed.returncode == 2 and "could not be written" in closed.stderr
    if "saved" in words:
        assert (tmp_path / "saved").read_bytes()[8:9] == b"{"  # the weights alone, no report among them


def test_closed_standard_input_and_error_change_nothing(tmp_path):
    expected = run("inspect", HF, "--json").stdout
    pages = []
    for descriptor in (0, 2):
        done = run("inspect", HF, "--json", "--html", tmp_path / "page", preexec_fn=lambda d=descriptor: os.close(d))
        assert done.returncode == 0 and done.stdout == expected
        pages.append((tmp_path / "page").read_bytes())
    assert pages[0] == pages[1]


@pytest.mark.parametrize("kib", [160, 64 << 10])
def test_the_depth_that_a_file_may_have_needs_no_stack_of_a_certain_size(tmp_path, kib):
    nested = 1
    for _ in range(197):
        nested = {"a": [nested]} if isinstance(nested, list) else [nested]
    (tmp_path / "deep.pkl").write_bytes(pickle.dumps(nested))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"model_type": "vit", "nested": nested, "other": name}))
        (tmp_path / name / "model.safetensors").write_bytes(fixtures.safetensors(fixtures.blocks()))
    two = ("a", "b", "--json", "--html", "page")
    for words in (("inspect", "deep.pkl"), ("inspect", "a"), ("diff", "a", "b"), ("explain", *two), ("diff", *two)):
        done = run(*words, cwd=tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (kib << 10, kib << 10)))
        assert done.returncode in (0, 1, 2) and done.stdout, (words, done.stderr)


TWICE = [
    ("run", HF, "--save", "new", "--trace", "new"),
    ("run", HF, "--save", "new", "--trace", "./below/../new"),
    ("run", HF, "--save", "dangling", "--trace", "nowhere"),
    ("run", HF, "--save", "hard", "--trace", "link"),
    ("run", "a.safetensors", "--save", "link-to-a"),
    ("run", HF, "--config", "config.json", "--save", "config.json"),
    ("run", HF, "--images", "picture.png", "--processor", "processor.json", "--trace", "processor.json"),
    ("run", HF, "--noise", "noise", "--trace", "noise"),
    ("run", HF, "--input", "missing", "--save", "missing"),
    ("diff", "a.safetensors", "directory", "--html", "blob"),
    ("diff", "a.safetensors", "directory", "--html", "directory/below/shard"),
    ("explain", "a.safetensors", "a.safetensors", "--config", "config.json", "--html", "config.json"),
    ("check", "a.safetensors", "--for", "target.json", "--html", "target.json"),
    ("inspect", "a.safetensors", "--html", "hard-a"),
]


@pytest.fixture
def crowded(tmp_path):
    """A folder where files have several paths."""
    for name in ("a.safetensors", "blob", "hard", "config.json", "processor.json", "noise", "target.json"):
        (tmp_path / name).write_bytes(fixtures.safetensors(fixtures.blocks()))
    (tmp_path / "below").mkdir()
    (tmp_path / "directory" / "below").mkdir(parents=True)
    (tmp_path / "directory" / "model.safetensors").symlink_to("../blob")
    (tmp_path / "directory" / "below" / "shard").write_bytes(b"shard")
    (tmp_path / "link").symlink_to("hard")
    (tmp_path / "link-to-a").symlink_to("a.safetensors")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.link(tmp_path / "a.safetensors", tmp_path / "hard-a")
    return tmp_path


@pytest.mark.parametrize("words", TWICE, ids=" ".join)
def test_no_file_is_written_twice_or_over_an_input(crowded, words):
    before = contents(crowded)
    done = run(*words, cwd=crowded)
    assert done.returncode == 2 and done.stdout == ""
    assert "not overwritten" in done.stderr or "are the same file" in done.stderr
    assert contents(crowded) == before


def test_a_report_does_not_go_where_a_file_is_written_or_read(crowded):
    before = (crowded / "a.safetensors").read_bytes()
    for words, target in ((("inspect", "a.safetensors"), "hard-a"), (("run", HF, "--save", "new"), "new")):
        with open(crowded / target, "a") as out:
            done = run(*words, cwd=crowded, capture_output=False, stdout=out, stderr=subprocess.PIPE)
        assert done.returncode == 2 and "standard output goes to" in done.stderr
    assert (crowded / "a.safetensors").read_bytes() == before and (crowded / "new").read_bytes() == b""


def test_what_cannot_be_written_is_said_before_the_work(tmp_path):
    start = time.monotonic()
    done = run("run", HF, "--repeat", 1000000, "--save", tmp_path / "no" / "such")
    assert done.returncode == 2 and "no/such" in done.stderr and time.monotonic() - start < 30


def without_privileges(*words, **options):
    """Root reads everything; this is root without that."""
    drop = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"] if os.getuid() == 0 else []
    return subprocess.run([*drop, transcript.PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=60, **options)


def test_what_may_not_be_read_or_written_is_said(tmp_path):
    (tmp_path / "secret").write_bytes(fixtures.safetensors(fixtures.blocks()))
    (tmp_path / "secret").chmod(0)
    for name, mode in (("closed", 0), ("unwritable", 0o500)):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(mode)
    for words, name in (
        (("inspect", "secret"), "secret"), (("diff", "secret", "secret"), "secret"), (("inspect", "closed"), "closed"),
        (("inspect", "closed/x"), "closed/x"), (("run", HF, "--save", "unwritable/x"), "unwritable/x"),
        (("inspect", HF, "--html", "unwritable/x"), "unwritable/x"), (("explain", "secret", HF, "--files-only"), "secret"),
    ):
        done = without_privileges(*words, cwd=tmp_path)
        assert done.returncode == 2, words
        assert name in done.stdout + done.stderr and "Permission denied" in done.stdout + done.stderr, words


def test_the_environment_changes_no_answer(tmp_path):
    (tmp_path / "openssl.cnf").write_text(
        "openssl_conf = main\n[main]\nproviders = providers\n[providers]\nnull = null\n[null]\nactivate = 1\n"
    )
    expected = run("inspect", HF, "--sha256", "--json").stdout
    elsewhere = {"LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE", "HOME": "/nowhere"}
    for environment in ({}, elsewhere, {"OPENSSL_CONF": str(tmp_path / "openssl.cnf")}):
        done = run("inspect", HF, "--sha256", "--json", env=environment)
        assert done.returncode == 0 and done.stdout == expected, environment


def test_an_empty_argument_is_no_default(tmp_path):
    for words in (("run", HF, "--save", ""), ("run", HF, "--config="), ("inspect", "")):
        done = run(*words, cwd=tmp_path)
        assert done.returncode == 2 and "an argument is empty" in done.stderr and done.stdout == ""


def test_a_path_that_is_no_text_can_be_run_and_recorded(tmp_path):
    os.symlink(HF, os.fsencode(tmp_path) + b"/m\xff")
    done = run("run", os.fsdecode(os.fsencode(tmp_path) + b"/m\xff"), "--trace", tmp_path / "trace", "--json")
    assert done.returncode == 0 and json.loads(done.stdout) and (tmp_path / "trace").exists()
