#!/usr/bin/env python3
"""Builds, runs what must hold, and counts it.

Usage: run_tests.py check|test|test-long

check is the inner loop: unit tests by GCC, the rule of layers, the format. test has the unit tests of the layers that
compute in the release build, all of them by another compiler with the sanitizers, clang-tidy, the fuzz corpora, another
processor, and the Python tests. test-long is test with everything of which test
takes a sample (SAMEBITS_TEST_LONG=1 for every program), all unit tests by GCC, every file alone by clang-tidy, and
ThreadSanitizer.

At the end stand the time of each step and what was left out. The last line is "N passed, N failed", with ", N skipped"
behind it where a test was skipped; with CI=true a skipped test counts as failed. A step that runs no test, and a tool
that is missing, count as failed too.
"""

import collections
import concurrent.futures
import hashlib
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree

import check_layers
import make_venvs
import make_wheel

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "build" / "results"
IN_CI = os.environ.get("CI") == "true"
PROCESSORS = len(os.sched_getaffinity(0))
FUZZ_SECONDS = "SAMEBITS_FUZZ_SECONDS"  # of each target, fuzz/driver.cc
LONG = "SAMEBITS_TEST_LONG"  # in the environment of every test: not only a sample
CLANG_FORMAT = "clang-format-19"
CLANG_TIDY = "clang-tidy-19"
INCLUDED = re.compile(r'#include "(?:.*/)?samebits/([^/"]+)/([^/"]+)"')


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.left_out = []  # lines that say what did not run, and why

    def add(self, passed=0, failed=0, skipped=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped

    def __str__(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def run(command, **options):
    """Runs it with its output on ours; the exit status."""
    sys.stdout.flush()
    return subprocess.run([str(word) for word in command], cwd=ROOT, **options).returncode


def cpp_files():
    files = [path for folder in ("samebits", "python", "fuzz", "bench", "mpi") for path in (ROOT / folder).rglob("*")]
    return sorted(path for path in files if path.suffix in (".h", ".cc", ".c"))


def check_format(counts):
    """One check for each file."""

    def is_formatted(path):
        return run([CLANG_FORMAT, "--dry-run", "--Werror", path], stderr=subprocess.DEVNULL) == 0

    files = cpp_files()
    with concurrent.futures.ThreadPoolExecutor(PROCESSORS) as pool:
        answers = list(pool.map(is_formatted, files))
    for path, formatted in zip(files, answers):
        counts.add(passed=formatted, failed=not formatted)
        if not formatted:
            print(f"{path.relative_to(ROOT)}: not in the project's format; make format mends it")


def check_rule_of_layers(counts):
    """The tests of tests/layers_test.py, the first of which checks this tree."""
    done = subprocess.run([sys.executable, "-m", "unittest", "tests/layers_test.py"], cwd=ROOT, capture_output=True, text=True)
    total = int(re.search(r"Ran (\d+) tests?", done.stderr).group(1))
    failed = sum(int(n) for n in re.findall(r"(?:failures|errors)=(\d+)", done.stderr))
    if done.returncode:
        print(done.stderr)
        failed = max(failed, 1)
    counts.add(passed=total - failed, failed=failed)


def build(preset):
    """The exit status of building everything of a preset."""
    configured = run(["cmake", "--preset", preset], stdout=subprocess.DEVNULL)
    return configured or run(["cmake", "--build", "--preset", preset])


def googletest_counts(path):
    report = json.loads(path.read_text())
    cases = [case for suite in report["testsuites"] for case in suite["testsuite"] if case["status"] == "RUN"]
    skipped = [case["name"] for case in cases if case["result"] == "SKIPPED"]
    for name in skipped:
        print(f"skipped: {name} of {path.stem}")
    failed = sum("failures" in case for case in cases)
    return {"passed": len(cases) - len(skipped) - failed, "failed": failed, "skipped": len(skipped)}


def run_ctest(counts, preset, labels):
    """Every test that CMake declares: GoogleTest cases one by one, other programs as one. `labels`: each must occur."""
    if build(preset):
        raise RuntimeError(f"{preset} does not build")
    reports = RESULTS / preset
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    junit = reports / "ctest.xml"
    # A crashed program writes no report of its own and counts by ctest's word alone.
    environment = {**os.environ, "GTEST_OUTPUT": f"json:{reports}/", "CTEST_PARALLEL_LEVEL": str(PROCESSORS)}
    run(["ctest", "--preset", preset, "--quiet", "--no-tests=error", "--output-junit", junit], env=environment)
    for label in labels:
        if not ctest_names(preset, label):
            raise RuntimeError(f"{preset} has no test with the label {label}")
    for case in xml.etree.ElementTree.parse(junit).iter("testcase"):
        passed = case.get("status") == "run" and case.find("failure") is None
        report = reports / f"{case.get('name')}_test.json"
        if report.exists():
            inner = googletest_counts(report)
            counts.add(**inner)
            counts.add(failed=not passed and not inner["failed"])
        else:
            counts.add(passed=passed, failed=not passed)
        if not passed:
            print((case.findtext("system-out") or "")[-8000:])
            print(f"failed: {case.get('name')} ({preset})")


def ctest_names(preset, label):
    command = ["ctest", "--preset", preset, "--show-only=json-v1", "-L", f"^{label}$"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [test["name"] for test in json.loads(listing)["tests"]]


def included_files(path, seen):
    """Adds `path` and what it includes of this repository, directly or not, to the dict `seen` of contents."""
    if path in seen:
        return
    seen[path] = path.read_text()
    for line in seen[path].splitlines():
        match = INCLUDED.match(line)
        if match:
            included_files(ROOT / "samebits" / match.group(1) / match.group(2), seen)


def tidy_key(path, command):
    """Changes with anything that can change clang-tidy's answer on a file."""
    contents = {}
    included_files(path, contents)
    state = [(ROOT / ".clang-tidy").read_text(), command, *contents.values()]
    return hashlib.sha256("\0".join(state).replace(str(ROOT), "").encode()).hexdigest()


def tidy(preset, path, command):
    """Nothing where the file is clean, else clang-tidy's words. Clean answers are remembered from run to run."""
    stamp = make_venvs.cache_folder() / "clang-tidy" / tidy_key(path, command)
    if stamp.exists():
        return ""
    # A file made of several includes them, which is no mistake.
    words = [CLANG_TIDY, "--quiet", "--checks=-bugprone-suspicious-include", "-p", str(ROOT / "build" / preset), str(path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        return done.stdout or done.stderr
    stamp.parent.mkdir(parents=True, exist_ok=True)
    stamp.touch()
    return ""


def check_tidy(counts, preset, options=(), part=""):
    """One check for each source that the preset compiles, of the library and the program; `part`: of those alone in whose path it stands."""
    if run(["cmake", "--preset", preset, *options], stdout=subprocess.DEVNULL):
        raise RuntimeError(f"the preset {preset} cannot be configured")
    database = json.loads((ROOT / "build" / preset / "compile_commands.json").read_text())
    sources = {pathlib.Path(entry["file"]): entry["command"] for entry in database if part in entry["file"]}
    if not sources:
        raise RuntimeError("no sources to check")
    largest_first = sorted(sources, key=lambda path: -len(path.read_text()))
    with concurrent.futures.ThreadPoolExecutor(PROCESSORS) as pool:
        answers = list(pool.map(lambda path: tidy(preset, path, sources[path]), largest_first))
    for answer in answers:
        counts.add(passed=not answer, failed=bool(answer))
        if answer:
            print(answer)


def check_tidy_of_module(counts):
    """The same of what only a wheel has."""
    python = make_venvs.interpreter("wheel")
    nanobind = subprocess.run([python, "-m", "nanobind", "--cmake_dir"], capture_output=True, text=True, check=True).stdout.strip()
    check_tidy(counts, "tidy-python", [f"-Dnanobind_DIR={nanobind}", f"-DPython_EXECUTABLE={python}"], "/_native.dir/")


def check_wheel(counts):
    """It is built, auditwheel finds it self-contained, and it is installed for the Python tests."""
    make_wheel.install(make_wheel.build(), make_wheel.OUT / "site")
    counts.add(passed=1)


def run_pytest(counts):
    """All Python tests, the files dealt out to as many processes as there are processors."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    junit = RESULTS / "pytest.xml"
    junit.unlink(missing_ok=True)
    program = ROOT / "build" / "release" / "samebits"
    environment = {**os.environ, "SAMEBITS": str(program)}
    for name in ("t4", "quantizers", "tensorboard", "bare"):
        environment[f"SAMEBITS_PYTHON_{name.upper()}"] = str(make_venvs.interpreter(name))
    command = [make_venvs.interpreter("t5"), "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={junit}"]
    status = run([*command, "-n", PROCESSORS, "--dist", "loadfile", "--durations", 15, "tests"], env=environment)
    if not junit.exists():
        raise RuntimeError(f"pytest ended with status {status} and without a report")
    suite = xml.etree.ElementTree.parse(junit).find("testsuite")
    total, skipped = int(suite.get("tests")), int(suite.get("skipped"))
    failed = int(suite.get("failures")) + int(suite.get("errors"))
    counts.add(passed=max(total - failed - skipped, 0), failed=max(failed, status not in (0, 5)), skipped=skipped)
    reasons = collections.Counter(skip.get("message") for skip in suite.iter("skipped"))
    counts.left_out += [f"{count} skipped: {reason}" for reason, count in sorted(reasons.items())]


def steps_of(target):
    yield "format", check_format
    yield "layers", check_rule_of_layers
    if target == "check":
        yield "unit tests", lambda counts: run_ctest(counts, "dev", ["unit"])
        return
    yield "the program, and unit tests of what computes", lambda counts: run_ctest(counts, "release", ["unit"])
    yield "clang-tidy", lambda counts: check_tidy(counts, "tidy")
    yield "clang-tidy of the Python module", check_tidy_of_module
    yield "unit tests by Clang with sanitizers, fuzz corpora", lambda counts: run_ctest(counts, "asan", ["unit", "fuzz"])
    if platform.machine() == "x86_64":
        yield "numeric layers on AArch64", lambda counts: run_ctest(counts, "aarch64", ["unit"])
    yield "Python wheel", check_wheel
    yield "Python tests", run_pytest
    if target == "test-long":
        yield "every layer by GCC", lambda counts: run_ctest(counts, "dev", ["unit"])
        yield "clang-tidy, every file alone", lambda counts: check_tidy(counts, "tidy-alone")
        yield "ThreadSanitizer", lambda counts: run_ctest(counts, "tsan", ["unit"])


def run_step(name, step):
    """The counts, and the seconds that it took."""
    print(f"== {name}", flush=True)
    counts = Counts()
    start = time.monotonic()
    try:
        step(counts)
        if counts.passed + counts.failed + counts.skipped == 0:
            raise RuntimeError("no test ran")
    except Exception as error:  # whatever stops a step is a failure of it, and the others still run
        print(f"{name}: {error}")
        counts.add(failed=1)
    if IN_CI:
        counts.add(failed=counts.skipped, skipped=-counts.skipped)
    seconds = time.monotonic() - start
    print(f"   {counts} in {seconds:.0f} s", flush=True)
    return counts, seconds


def main():
    if sys.argv[1:] not in (["check"], ["test"], ["test-long"]):
        sys.exit("usage: run_tests.py check|test|test-long")
    target = sys.argv[1]
    os.environ.pop(LONG, None)
    for name, value in make_wheel.CCACHE.items():
        os.environ.setdefault(name, value)
    if target == "test-long":
        os.environ[LONG] = "1"
        os.environ.setdefault(FUZZ_SECONDS, "300")
    total = Counts()
    lines = []
    for name, step in steps_of(target):
        counts, seconds = run_step(name, step)
        total.add(counts.passed, counts.failed, counts.skipped)
        total.left_out += counts.left_out
        lines.append(f"{seconds:6.0f} s  {name}: {counts}")
    print("", *lines, sep="\n")
    if target == "test":
        total.left_out.append("samples were tested of what make test-long tests in full")
    if target != "check":
        print(*total.left_out, sep="\n")
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
