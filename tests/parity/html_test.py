"""--html: one page without network, whose tables filter and sort in a real browser."""

import html.parser
import json
import re
import shutil
import signal
import subprocess
import time

import conftest
import pytest
import safetensors.torch
import torch
from run_test import EXAMPLE, run

VOID = {"meta", "link", "input"}


def page(tmp_path, *arguments):
    out = tmp_path / "report.html"
    done = subprocess.run([str(conftest.PROGRAM), *map(str, arguments), "--html", str(out), "--json"], capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    return out.read_text(), json.loads(done.stdout)


class Checker(html.parser.HTMLParser):
    """Every element is closed in its turn; collects text and attributes."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.attributes, self.tags = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)


def checked(text):
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert not checker.open
    for name, value in checker.attributes:
        assert name not in ("src", "onclick", "onload") and not re.match(r"https?:|//", value or ""), (name, value)
    assert not re.search(r"url\(|@import|fetch\(|XMLHttpRequest", text)
    return checker


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """The example, with another epsilon and some other weights."""
    folder = tmp_path_factory.mktemp("html") / "b"
    shutil.copytree(EXAMPLE / "hf", folder)
    config = json.loads((folder / "config.json").read_text()) | {"layer_norm_eps": 1e-5}
    (folder / "config.json").write_text(json.dumps(config))
    state = safetensors.torch.load_file(folder / "model.safetensors")
    for name in list(state)[:3]:
        state[name] += torch.randn(state[name].shape, generator=torch.Generator().manual_seed(1)) * 0.01
    safetensors.torch.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def test_the_page_says_what_the_report_says(tmp_path, changed):
    text, report = page(tmp_path, "explain", EXAMPLE / "hf", changed)
    shown = " ".join(checked(text).text)
    assert report["verdict"] in shown
    for finding in report["findings"]:
        assert finding["summary"] in shown and finding["cause"] in shown and finding["remedy"] in shown
        assert all(line in shown for line in finding["details"])
    for line in report["runs"]:
        assert line["run"] in shown and line["outcome"] in shown
    for point in report["divergence"][0]["points"]:
        assert point["point"] in shown
    assert "layer_norm_eps" in shown and "1e-05" in shown
    assert text.count("<svg") >= 1 + 3  # the plot, and a histogram for each changed tensor


@pytest.mark.parametrize("command", [
    ["inspect", EXAMPLE / "hf"], ["diff", EXAMPLE / "hf", EXAMPLE / "whole.pth"],
    ["check", EXAMPLE / "statedict.pth", "--for", "transformers-4:ViTMAEForPreTraining"],
    ["explain", EXAMPLE / "hf", EXAMPLE / "whole.pth", EXAMPLE / "statedict.pth"],
], ids=lambda words: words[0])
def test_every_command_writes_a_sound_page(tmp_path, command):
    text, report = page(tmp_path, *command)
    assert report["verdict"] in " ".join(checked(text).text)


def test_a_page_of_two_traces_has_their_plot(tmp_path):
    for seed in (1, 2):
        run(EXAMPLE / "hf", "--noise-seed", seed, "--trace", tmp_path / f"trace{seed}")
    text, report = page(tmp_path, "diff", tmp_path / "trace1", tmp_path / "trace2")
    assert text.count("<circle") == len(report["outputs"])


def test_what_rounding_does_is_a_band_in_the_plot(tmp_path):
    run(EXAMPLE / "hf", "--trace", tmp_path / "trace")
    tensors = safetensors.torch.load_file(tmp_path / "trace")
    tensors["vit.layers.1"] *= 1 + 1e-3
    safetensors.torch.save_file(tensors, tmp_path / "faulty")
    text, report = page(tmp_path, "explain", EXAMPLE / "hf", tmp_path / "faulty")
    (band,) = re.findall(r'<polygon class="floor" points="([^"]*)"', text)
    assert len(band.split()) == 2 + 2 * len(report["outputs"])
    assert all(point["floor_max_abs"] > 0 for point in report["outputs"] if point["point"].startswith("vit.layers"))


def test_the_order_of_tokens_is_drawn(tmp_path):
    shutil.copytree(EXAMPLE / "hf", tmp_path / "a")
    config = json.loads((tmp_path / "a" / "config.json").read_text()) | {"mask_ratio": 0.0}
    (tmp_path / "a" / "config.json").write_text(json.dumps(config))
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    text, report = page(tmp_path, "explain", tmp_path / "a", tmp_path / "b")
    assert {finding["cause"] for finding in report["findings"]} >= {"rng.noise", "order.tokens"}
    assert report["outputs"][0]["verdict"] == "permuted"
    assert text.count("<circle") == 16


def test_names_cannot_become_markup(tmp_path):
    name = "<script>alert(1)</script>\"'&"
    for n, value in (("a", 0.0), ("b", 1.0)):
        safetensors.torch.save_file({name: torch.full((3,), value)}, tmp_path / n)
    text, _ = page(tmp_path, "diff", tmp_path / "a", tmp_path / "b")
    assert "alert(1)" in text and "<script>alert" not in text
    assert name in "".join(checked(text).text)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_behind(tmp_path, number):
    old = tmp_path / "trace"
    old.write_bytes(b"before")
    words = [str(conftest.PROGRAM), "run", str(EXAMPLE / "hf"), "--repeat", "1000000", "--trace", str(old), "--save", str(tmp_path / "new")]
    # A shell starts what it puts in the background with SIGINT ignored, and programs inherit that.
    process = subprocess.Popen(words, stdout=subprocess.PIPE, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    time.sleep(0.3)
    process.send_signal(number)
    try:
        assert process.wait(timeout=30) == -number
    finally:
        process.kill()
    assert [path.name for path in tmp_path.iterdir()] == ["trace"] and old.read_bytes() == b"before"


def test_a_page_that_cannot_be_written_is_an_error(tmp_path):
    words = [str(conftest.PROGRAM), "inspect", str(EXAMPLE / "hf"), "--html", str(tmp_path / "no" / "page")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "no/page" in done.stderr and not done.stdout


DRIVER = """
<script>
const table = [...document.querySelectorAll("table.interactive")].at(-1);
const rows = () => [...table.tBodies[0].rows];
const found = { rows: rows().length };
const input = table.closest("details").querySelector("input");
input.value = "NORM";
input.dispatchEvent(new Event("input"));
found.shown = rows().length;
found.status = table.closest("details").querySelector("[role=status]").textContent;
input.value = "";
input.dispatchEvent(new Event("input"));
const head = [...table.tHead.rows[0].cells].find((cell) => cell.textContent === "up to");
const keys = () => rows().map((row) => Number(row.cells[head.cellIndex].dataset.key ?? 0));
head.querySelector("button").click();
found.up = keys();
found.up_sort = head.ariaSort;
head.querySelector("button").click();
found.down = keys();
found.tabbable = head.querySelector("button").tabIndex;
document.body.replaceChildren(JSON.stringify(found));
</script>
"""


def browse(path):
    chromium = shutil.which("chromium") or pytest.fail("chromium is needed (Debian: chromium)")
    words = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom", path.as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout


def test_tables_filter_and_sort_in_a_browser(tmp_path, changed):
    text, report = page(tmp_path, "explain", EXAMPLE / "hf", changed)
    assert "table" in browse(tmp_path / "report.html")
    (tmp_path / "driven.html").write_text(text.replace("</body>", DRIVER + "</body>"))
    found = json.loads(html.unescape(re.search(r"<body[^>]*>(.*)</body>", browse(tmp_path / "driven.html"), re.DOTALL)[1]))
    tensors = list(safetensors.torch.load_file(changed / "model.safetensors"))
    assert report["weights"][0]["matched"] == len(tensors)
    norms = sum("norm" in name for name in tensors)
    assert found["rows"] == len(tensors) and 0 < found["shown"] == norms < len(tensors)
    assert found["status"] == f"{norms} of {len(tensors)} rows shown"
    assert found["up"] == sorted(found["up"]) and found["down"] == sorted(found["down"], reverse=True)
    assert len(set(found["up"])) > 3 and found["up_sort"] == "ascending" and found["tabbable"] == 0
