"""What the benchmarks share: the program, the machine, the models that are made once and kept, the table of figures, and their history."""

import contextlib
import datetime
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("SAMEBITS_CACHE", pathlib.Path.home() / ".cache" / "samebits")) / "bench"
SAMEBITS = os.environ.get("SAMEBITS", str(ROOT / "build" / "release" / "samebits"))

HISTORY = ROOT / "bench" / "history"
BUSY = "import os, sys\nos.sched_setaffinity(0, {int(sys.argv[1])})\nprint(flush=True)\nwhile True: pass"


def processor(text=None):
    """'AMD EPYC 9R14 (family 25, model 17)', from /proc/cpuinfo."""
    text = pathlib.Path("/proc/cpuinfo").read_text() if text is None else text
    fields = dict(re.findall(r"^([^\t:\n]+?)\s*: (.*)$", text.split("\n\n")[0], re.MULTILINE))
    name = fields.get("model name", fields.get("CPU implementer", "unknown"))
    part = fields.get("cpu family"), fields.get("model")
    return f"{name} (family {part[0]}, model {part[1]})" if all(part) else f"{name} (part {fields.get('CPU part', 'unknown')})"


@contextlib.contextmanager
def busy_loops():
    """One on each processor that this process may run on, as long as the block lasts."""
    loops = [subprocess.Popen([sys.executable, "-c", BUSY, str(cpu)], stdout=subprocess.PIPE) for cpu in sorted(os.sched_getaffinity(0))]
    try:
        for loop in loops:
            loop.stdout.readline()
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def run_report(folder, batch, threads, passes, *more, size=224):
    """What samebits run --json says; `threads` None: as many as it takes itself."""
    command = [SAMEBITS, "run", folder, "--randn", f"{batch}x3x{size}x{size}", "--repeat", passes, "--json", *more]
    command += [] if threads is None else ["--threads", threads]
    return json.loads(subprocess.run(list(map(str, command)), capture_output=True, check=True).stdout)


def forward_seconds(*words, **more):
    return statistics.median(run_report(*words, **more)["timing"]["forward_s"])


def make_routes():
    """The routes of one ViT-MAE base, and a copy of its state dict."""
    data = CACHE / "vit-mae-base"
    if not (data / "done").exists():
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        script = ROOT / "tests" / "fixtures" / "make_routes.py"
        subprocess.run([sys.executable, script, data, "--size", "base", "--routes", "hf", "whole", "statedict"], check=True)
        shutil.copyfile(data / "statedict.pth", data / "copy.pth")
        (data / "done").touch()
    for file in data.rglob("*"):
        if file.is_file():
            file.read_bytes()  # into the page cache
    return data


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, figure, limit, unit, detail=""):
        held = figure <= limit
        self.rows.append({"what": what, "figure": figure, "limit": limit, "unit": unit, "held": held, "detail": detail})
        shown = f"{figure:.3g} {unit}".strip()
        print(f"{what:58} {shown:>12}   at most {limit:g} {unit:4} {'yes' if held else 'NO':4} {detail}", flush=True)

    def conclude(self, path=None, record=False, name=None):
        """Writes the rows as JSON where a path is given, and the ratios into the history where `record`. The exit status: 1 where a figure
        does not hold."""
        if path:
            path.write_text(json.dumps(self.rows, indent=1) + "\n")
        name = name or processor()
        for line in differences(self.rows, read_history(name)):
            print(line)
        if record:
            write_history(name, self.rows)
        failed = [row for row in self.rows if not row["held"]]
        print(f"\n{len(self.rows) - len(failed)} of {len(self.rows)} figures hold on {name}")
        if failed and not read_history(name):
            print("docs/performance.md has no figures of this processor: what does not hold here is a difference between processors, or new")
        return 1 if failed else 0


def history_file(name):
    return HISTORY / (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".txt")


def read_history(name):
    """what -> (commit, figure), of the newest record of each; nothing of a processor without records."""
    file = history_file(name)
    lines = file.read_text().splitlines() if file.exists() else []
    found = {}
    for line in lines:
        commit, _, figure, what = line.split(maxsplit=3)
        found[what] = (commit, float(figure))
    return found


def write_history(name, rows):
    """A line for each ratio, which alone can be compared with another day's: commit, day, figure, what it is."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    day = datetime.date.today().isoformat()
    HISTORY.mkdir(exist_ok=True)
    with history_file(name).open("a") as file:
        for row in rows:
            if row["unit"] == "":
                file.write(f"{commit} {day} {row['figure']:.3f} {row['what']}\n")


def differences(rows, before):
    """Sentences on ratios that are a tenth worse than when they were last recorded on this processor."""
    for row in rows:
        commit, figure = before.get(row["what"], (None, None))
        if commit is not None and row["unit"] == "" and row["figure"] > 1.1 * figure:
            yield f"{row['what']}: {row['figure']:.3f}, and {figure:.3f} at {commit}"
