#!/usr/bin/env python3
"""Makes the pictures that the README shows: docs/page.png, of the page that samebits writes, in Chromium.

    python3 tools/make_pictures.py [build/release/samebits]
"""

import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))

import browser  # noqa: E402

WIDTH = 1000
LAST = "modules"  # the section with which the picture ends


def main():
    program = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "release" / "samebits").resolve()
    with tempfile.TemporaryDirectory() as name, browser.Browser() as chromium:
        folder = pathlib.Path(name)
        for model in ("base", "finetuned"):
            (folder / model).symlink_to(ROOT / "examples" / "gallery" / model)
        done = subprocess.run([program, "explain", "base", "finetuned", "--html", "report.html"], cwd=folder, capture_output=True, text=True)
        if done.returncode != 1:
            sys.exit(f"samebits explain ended with status {done.returncode}: {done.stderr}")
        chromium.open(folder / "report.html", width=WIDTH)
        end = chromium.run(f"document.querySelector('#{LAST}').parentElement.getBoundingClientRect().bottom")
        chromium.picture(ROOT / "docs" / "page.png", round(end) + 8)


if __name__ == "__main__":
    main()
