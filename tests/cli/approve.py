#!/usr/bin/env python3
"""Writes the answers of today into the transcripts. Look at the difference before you commit it.

Usage: approve.py [FILE.transcript ...]   (default: all; SAMEBITS names the program)
"""

import pathlib
import sys
import tempfile

import transcript


def main():
    for path in [pathlib.Path(name) for name in sys.argv[1:]] or transcript.files():
        with tempfile.TemporaryDirectory() as folder:
            environment = transcript.prepare(pathlib.Path(folder))
            old = path.read_text()
            new = transcript.replay(old, folder, environment)
        if new != old:
            path.write_text(new)
            print(f"{path.name}: changed")


if __name__ == "__main__":
    main()
