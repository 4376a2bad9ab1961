"""Pages of reports in Chromium: layout, colours, keyboard, screen reader, paper, many tensors."""

import html
import json
import re
import subprocess
import sys

import browser
import conftest
import pytest

sys.path.insert(0, str(conftest.ROOT / "tools"))
import make_pictures  # noqa: E402

EXAMPLES = conftest.ROOT / "examples"
GALLERY = EXAMPLES / "gallery"
TINY = EXAMPLES / "vit-mae-tiny"
WIDTHS = (360, 800, 1400)
PAGES = {
    "finetuned": ["explain", GALLERY / "base", GALLERY / "finetuned"],
    "three": ["explain", TINY / "hf", TINY / "whole.pth", TINY / "statedict.pth"],
    "loaded": ["diff", GALLERY / "base", GALLERY / "loaded"],
    "renamed": ["diff", GALLERY / "base", GALLERY / "ddp.pth"],
    "module": ["inspect", TINY / "whole.pth", "--sha256"],
    "training": ["inspect", EXAMPLES / "training" / "complete.pt"],
    "check": ["check", TINY / "hf", "--for", "transformers-4"],
    "resume": ["resume", EXAMPLES / "training" / "usual.pt"],
}


def made(path, *arguments):
    words = [str(conftest.PROGRAM), *map(str, arguments), "--html", str(path), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def chromium():
    with browser.Browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """name -> (path, report): one page of each command, a trace against a model and a verification among them."""
    folder = tmp_path_factory.mktemp("pages")
    found = {name: (folder / f"{name}.html", made(folder / f"{name}.html", *words)) for name, words in PAGES.items()}
    lock, trace = folder / "base.lock", folder / "trace"
    for words in (["lock", GALLERY / "base", "--output", lock], ["run", GALLERY / "finetuned", "--trace", trace]):
        subprocess.run([str(conftest.PROGRAM), *map(str, words)], check=True, capture_output=True)
    for name, words in {"trace": ["explain", GALLERY / "base", trace], "verify": ["verify", GALLERY / "finetuned", lock]}.items():
        found[name] = (folder / f"{name}.html", made(folder / f"{name}.html", *words))
    return found


EVERY = sorted([*PAGES, "trace", "verify"])

# What is wrong with the layout, as sentences. Boxes are those of the elements that a person sees.
LAYOUT = """(() => {
  const wrong = [];
  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth) wrong.push(`the page scrolls sideways: ${page.scrollWidth} > ${page.clientWidth}`);
  const name = (element) => element.tagName + " " + element.textContent.trim().slice(0, 40);
  const blocks = [...document.querySelectorAll("h1, h2, h3, header p, nav li, section > *, article > *, .part, footer")];
  const boxes = blocks.filter((each) => each.checkVisibility()).map((each) => [each, each.getBoundingClientRect()]).filter(([, box]) => box.height > 0);
  for (const [element, box] of boxes) {
    if (box.left < -0.5 || box.right > page.clientWidth + 0.5) wrong.push(`outside of the page: ${name(element)}`);
    for (const [other, its] of boxes) {
      if (other === element || other.contains(element) || element.contains(other)) continue;
      const across = Math.min(box.right, its.right) - Math.max(box.left, its.left);
      const down = Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top);
      if (across > 1 && down > 1) wrong.push(`${name(element)} lies over ${name(other)}`);
    }
  }
  for (const text of document.querySelectorAll("svg text")) {
    const box = text.getBBox(), view = text.ownerSVGElement.viewBox.baseVal;
    if (!text.hasAttribute("transform") && (box.x < -1 || box.x + box.width > view.width + 1 || box.y + box.height > view.height + 1))
      wrong.push(`outside of its plot: ${name(text)}`);
  }
  for (const plot of document.querySelectorAll("svg")) {
    const labels = [...plot.querySelectorAll("text:not([transform])")].map((text) => [text, text.getBBox()]);
    for (const [text, box] of labels) for (const [other, its] of labels)
      if (text !== other && box.x < its.x + its.width && its.x < box.x + box.width && box.y < its.y + its.height - 2 && its.y < box.y + box.height - 2)
        wrong.push(`labels of a plot touch: ${name(text)}, ${name(other)}`);
  }
  return wrong;
})()"""

OPEN = "document.querySelectorAll('details').forEach((each) => { each.open = true; })"


@pytest.mark.parametrize("name", EVERY)
def test_nothing_lies_over_anything_or_outside_at_any_width(chromium, pages, name):
    for width in WIDTHS:
        chromium.open(pages[name][0], width=width)
        assert chromium.complaints == []
        assert chromium.run(LAYOUT) == [], width
        chromium.run(OPEN)
        assert chromium.run(LAYOUT) == [], width


@pytest.mark.parametrize("name", EVERY)
def test_the_order_is_answer_blocks_proof_and_then_the_rest(chromium, pages, name):
    path, report = pages[name]
    chromium.open(path)
    ids = chromium.run("[...document.querySelectorAll('main > section > h2')].map((each) => each.id)")
    first = [each for each in ids if each in ("blocks", "runs", "findings")]
    assert ids[: len(first)] == first == [each for each in ("blocks", "runs", "findings") if each in ids]
    answer = chromium.run("document.querySelector('h1').textContent")
    assert answer == report["diagnosis"]
    title = chromium.run("document.title")
    assert report["verdict"] in title and all(subject["path"] in title for subject in report["subjects"])
    shown = chromium.run("document.querySelector('.command').textContent")
    assert shown.startswith(f"$ samebits {report['command']} ") and shown.endswith(" --json") and str(path) in shown
    assert report["tool"]["version"] in chromium.run("document.querySelector('footer').textContent")


# Text whose contrast to what is painted behind it is too small, by the formula of WCAG 2.
CONTRAST = """(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = (color) => { const [r, g, b] = color.map((c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (element) => { for (let at = element; at; at = at.parentElement) { const back = rgb(getComputedStyle(at).backgroundColor); if (back[3] === 255) return back; } return rgb("Canvas"); };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + 0.05) / (y + 0.05); };
  const wrong = [];
  let tried = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility() || ["SCRIPT", "STYLE", "TITLE"].includes(element.tagName.toUpperCase())) continue;
    const style = getComputedStyle(element);
    const color = rgb(element.closest("svg") ? style.fill : style.color);
    ++tried;
    if (ratio(color, behind(element)) < 4.5) wrong.push(`${element.className.baseVal ?? element.className} ${node.textContent.trim().slice(0, 30)}: ${ratio(color, behind(element)).toFixed(2)}`);
  }
  for (const shape of document.querySelectorAll("circle, rect")) {
    ++tried;
    if (ratio(rgb(getComputedStyle(shape).fill), behind(shape.parentElement)) < 3) wrong.push(`shape ${shape.className.baseVal}`);
  }
  return { tried, wrong: [...new Set(wrong)] };
})()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_text_can_be_read(chromium, pages, dark):
    for name in EVERY:
        chromium.open(pages[name][0], dark=dark)
        chromium.run(OPEN)
        found = chromium.run(CONTRAST)
        assert found["tried"] > 20 and found["wrong"] == [], name
    back = chromium.run("getComputedStyle(document.body).backgroundColor")
    assert (back == "rgb(20, 23, 26)") == dark


@pytest.mark.parametrize("name", EVERY)
def test_a_screen_reader_finds_names_headings_and_landmarks(chromium, pages, name):
    chromium.open(pages[name][0])
    chromium.run(OPEN)
    nodes = chromium.accessible()
    roles = [node["role"] for node in nodes]
    assert chromium.run("document.documentElement.lang") == "en"
    assert [roles.count(role) for role in ("banner", "main", "contentinfo")] == [1, 1, 1]
    levels = [node["level"] for node in nodes if node["role"] == "heading"]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(following <= level + 1 for level, following in zip(levels, levels[1:]))
    named = ("button", "link", "searchbox", "textbox", "image", "img", "table", "region", "navigation", "heading", "DisclosureTriangle")
    assert [node for node in nodes if node["role"] in named and not node["name"].strip()] == []
    assert all(chromium.run("[...document.querySelectorAll('[role=group]')].map((each) => each.ariaLabel !== '')"))
    assert all(chromium.run("[...document.querySelectorAll('table')].map((each) => [...each.tHead.rows[0].cells].every((cell) => cell.scope === 'col' && cell.textContent.trim() !== ''))"))
    assert chromium.run("[...document.querySelectorAll('[id]')].length === new Set([...document.querySelectorAll('[id]')].map((each) => each.id)).size")
    assert all(chromium.run("[...document.querySelectorAll('nav a')].map((each) => document.querySelector(each.getAttribute('href')) !== null)"))


def test_marks_have_words(chromium, pages):
    path, report = pages["finetuned"]
    chromium.open(path)
    segments = report["weights"][0]["segments"]
    words = chromium.run("[...document.querySelectorAll('.strip li .spoken')].map((each) => each.textContent)")
    assert [text.split(": ")[0] for text in words] == [segment["name"] for segment in segments]
    for text, segment in zip(words, segments):
        assert ("equal" in text) == (segment["status"] == "identical")
    cells = chromium.run("[...document.querySelectorAll('.map td')].map((each) => each.title)")
    blocks = [segment for segment in segments if segment["kind"] == "block"]
    assert len(cells) % len(blocks) == 0 and all(cells)
    changed = {title.split(": ")[0] for title in cells if "relative change" in title}
    assert changed and all(title.startswith("vit.encoder.layer.3.") for title in changed)


def test_everything_is_reached_by_the_keyboard_in_the_order_of_the_page(chromium, pages):
    chromium.open(pages["loaded"][0])
    wanted = chromium.run("""[...document.querySelectorAll("a, summary, [tabindex], input, button")].filter((each) => each.checkVisibility() && !each.closest("details:not([open]) > :not(summary)")).length""")
    places = []
    for _ in range(wanted):
        chromium.press("Tab")
        places.append(chromium.run("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
        assert chromium.run("getComputedStyle(document.activeElement).outlineStyle") != "none", chromium.run("document.activeElement.outerHTML.slice(0, 300)")
    assert wanted > 5 and places == sorted(set(places))
    chromium.run("document.querySelector('#weights').parentElement.querySelector('summary').focus()")
    chromium.press("Enter")
    assert chromium.run("document.querySelector('#weights').parentElement.querySelector('details').open")
    chromium.run("document.querySelector('#weights').parentElement.querySelector('th button').focus()")
    chromium.press(" ")
    assert chromium.run("document.activeElement.closest('th').ariaSort") == "ascending"


def test_what_scrolls_is_reached_by_the_keyboard(chromium, pages):
    for width in WIDTHS:
        chromium.open(pages["loaded"][0], width=width)
        chromium.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        stops = chromium.run("[...document.querySelectorAll('.wide')].filter((each) => each.checkVisibility()).map((each) => [each.scrollWidth > each.clientWidth, each.tabIndex === 0])")
        assert all(scrolls == stop for scrolls, stop in stops)
        assert any(stop for _, stop in stops) == (width == 360)


def text_of(path):
    """The page's text, without its style and script."""
    return html.unescape(re.sub(r"<(style|script)>.*?</\1>|<[^>]*>", " ", path.read_text(), flags=re.DOTALL))


def test_check_names_every_tensor_that_is_not_loaded(pages, tmp_path):
    path, report = pages["check"]
    names = [name for load in report["loads"] for key in ("random", "dropped") for name in load[key]]
    assert len(names) > 100 and all(f" {name} " in text_of(path) for name in names)
    assert report["loads"][0]["repair"] and all(f" {rule['from']} " in text_of(path) for rule in report["loads"][0]["repair"])
    shapes = made(tmp_path / "shapes.html", "check", GALLERY / "ten-classes", "--for", GALLERY / "base")["loads"][0]
    assert shapes["mismatched"]
    for mismatch in shapes["mismatched"]:
        name = mismatch if isinstance(mismatch, str) else mismatch["name"]
        assert f" {name} " in text_of(tmp_path / "shapes.html")
    assert "[10, 16]" in text_of(tmp_path / "shapes.html") and "[5, 16]" in text_of(tmp_path / "shapes.html")


def test_inspect_shows_all_that_it_knows(pages):
    path, report = pages["module"]
    (subject,) = report["subjects"]
    text = text_of(path)
    for word in [*subject["config"], *(module["path"] for module in subject["modules"] if module["path"]), *(call["global"] for call in subject["calls"])]:
        assert f" {word} " in text, word
    assert "All of them rebuild data or make objects of a model." in text
    path, report = pages["training"]
    training = report["subjects"][0]["training"]
    shown = text_of(path)
    assert all(f" {training[part]} " in shown for part in ("optimizer", "step", "scheduler", "rng"))
    assert " global_step " in shown and str(training["values"]["global_step"]) in shown


def test_resume_shows_every_part(pages):
    path, report = pages["resume"]
    parts = re.findall(r"<td>([^<]*)</td><td class=\"(good|bad)\">([^<]*)</td>", path.read_text())
    assert [(name, state) for name, _, state in parts] == [(part["part"], part["state"]) for part in report["resume"]]
    assert all((color == "good") == (state == "present") for _, color, state in parts)


def test_without_a_script_everything_is_there(chromium, pages):
    path, report = pages["module"]
    chromium.open(path, script=False)
    text = html.unescape(path.read_text())
    for entry in report["subjects"][0]["entries"]:
        assert entry["name"] in text and entry["sha256"] in text
    rows = "document.querySelector('#contents').parentElement.querySelectorAll('details tbody tr').length"
    assert chromium.run(rows) == len(report["subjects"][0]["entries"])
    assert chromium.run("document.querySelectorAll('th button, input').length") == 0


def test_on_paper_everything_is_open(chromium, pages):
    chromium.open(pages["loaded"][0], width=700, media="print")
    tables = chromium.run("[...document.querySelectorAll('details table')].map((each) => each.getBoundingClientRect().height)")
    assert tables and all(height > 100 for height in tables)
    assert chromium.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    assert chromium.run("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"


def write_blocks(path, blocks, moved=0.0):
    """A safetensors file with ten small tensors in each block."""
    import safetensors.torch
    import torch

    draws = torch.Generator().manual_seed(1)
    state = {}
    for block in range(blocks):
        for part in ("q", "k", "v", "o", "fc1"):
            for kind in ("weight", "bias"):
                value = torch.randn(4, generator=draws)
                state[f"model.layers.{block}.{part}.{kind}"] = value * (1 + moved * (block % 3))
    safetensors.torch.save_file(state, path)
    return sorted(state)


def test_a_thousand_tensors_are_paged(chromium, tmp_path):
    names = write_blocks(tmp_path / "a", 300)
    write_blocks(tmp_path / "b", 300, 0.1)
    path = tmp_path / "page.html"
    made(path, "diff", tmp_path / "a", tmp_path / "b")
    chromium.open(path)
    rows = "document.querySelector('#weights').parentElement.querySelectorAll('tbody tr').length"
    chromium.run(OPEN)
    assert len(names) == 3000 and chromium.run(rows) == 200
    assert chromium.run(LAYOUT) == []
    status = "document.querySelector('#weights').parentElement.querySelector('[role=status]').textContent"
    assert chromium.run(status) == "200 of 3000 rows shown"
    find = """(() => { const input = document.querySelector('#weights').parentElement.querySelector('input');
      input.value = 'layers.299.'; input.dispatchEvent(new Event('input')); })()"""
    chromium.run(find)
    assert chromium.run(rows) == 10 and chromium.run(status) == "10 of 3000 rows shown"
    more = "document.querySelector('#weights').parentElement.querySelector('.more')"
    chromium.run(find.replace("layers.299.", ""))
    chromium.run(f"{more}.click()")
    assert chromium.run(rows) == 400 and chromium.run(f"{more}.textContent") == "Show 200 more rows"
    assert chromium.run("document.querySelectorAll('.map tbody tr').length") == 5
    assert chromium.run("document.querySelectorAll('.strip li').length") == 300


def test_names_stay_text_in_every_place(chromium, tmp_path):
    import safetensors.torch
    import torch

    name = "model.layers.{}.<img src=x onerror=alert(1)>\"'&.<script>alert(1)</script>"
    for file, scale in (("a", 1.0), ("b", 1.5)):
        state = {name.format(n): torch.arange(1, 5) * scale for n in range(3)} | {f"only.{file}.<b>alert(1)</b>": torch.ones(2)}
        safetensors.torch.save_file(state, tmp_path / file, metadata={"<i>": "</style><script>alert(1)</script>"})
    page = tmp_path / "it's <i>&.html"
    for words in (["diff", tmp_path / "a", tmp_path / "b"], ["inspect", tmp_path / "a"], ["check", tmp_path / "a", "--for", tmp_path / "b"]):
        made(page, *words)
        chromium.open(page)
        assert chromium.complaints == []
        assert chromium.run("document.querySelectorAll('img, b, i, main script').length") == 0
        assert chromium.run("document.body.textContent").count("alert(1)") >= 2
        assert r"/it'\''s <i>&.html' --json" in chromium.run("document.querySelector('.command').textContent")


def test_the_picture_of_the_readme_shows_the_page(chromium, pages):
    """Of its pixels only the size is held: fonts differ between machines. tools/make_pictures.py takes it anew."""
    picture = (conftest.ROOT / "docs" / "page.png").read_bytes()
    width, height = (int.from_bytes(picture[16 + at : 20 + at], "big") for at in (0, 4))
    assert picture[:8] == b"\x89PNG\r\n\x1a\n" and len(picture) < 250_000 and width == make_pictures.WIDTH
    assert "docs/page.png" in (conftest.ROOT / "README.md").read_text()
    chromium.open(pages["finetuned"][0], width=width)
    end = chromium.run(f"document.querySelector('#{make_pictures.LAST}').parentElement.getBoundingClientRect().bottom")
    assert 0.8 < height / end < 1.25
