#!/usr/bin/env python3
"""Fails where a file of samebits/ includes a layer that its own layer does not stand on.

Usage: check_layers.py [ROOT]

The order of the layers is read from the samebits_layer() declarations of CMakeLists.txt: a layer may only depend on
layers declared before it, and its files may only include its own layer and those that it depends on, directly or not.
The table of layers in ARCHITECTURE.md must say the same. Prints one line for each violation; exit status 1 then.
"""

import pathlib
import re
import sys

DECLARATION = re.compile(r"^samebits_layer\(([a-z]+)([^)]*)\)", re.MULTILINE)
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]samebits/([^/">]+)/([^">]+)[">]')
TABLE_ROW = re.compile(r"^\| `([a-z]+)` \|([^|]*)\|", re.MULTILINE)


def declared_layers(root):
    """Layer to the layers that it names after DEPENDS, in the order of CMakeLists.txt."""
    layers = {}
    for name, arguments in DECLARATION.findall((root / "CMakeLists.txt").read_text()):
        depends = []
        keyword = None
        for word in arguments.split():
            if word in ("DEPENDS", "LIBRARIES", "WITHOUT"):
                keyword = word
            elif keyword == "DEPENDS":
                depends.append(word)
        layers[name] = depends
    return layers


def documented_layers(root):
    """The same from the table of ARCHITECTURE.md."""
    rows = TABLE_ROW.findall((root / "ARCHITECTURE.md").read_text())
    return {name: re.findall(r"`([a-z]+)`", depends) for name, depends in rows}


def reachable(layers):
    """Layer to the set of layers that its files may include. Expects the order that order_violations() checks."""
    seen = {}
    for name, depends in layers.items():
        seen[name] = {name}.union(*(seen.get(other, set()) for other in depends))
    return seen


def order_violations(layers):
    before = set()
    for name, depends in layers.items():
        for other in depends:
            if other not in before:
                yield f"CMakeLists.txt: {name} depends on {other}, which is not declared before it"
        before.add(name)


def folder_violations(root, layers):
    folders = {path.name for path in (root / "samebits").iterdir() if path.is_dir()}
    for name in sorted(folders - set(layers)):
        yield f"samebits/{name}: no samebits_layer({name}) in CMakeLists.txt"
    for name in sorted(set(layers) - folders):
        yield f"CMakeLists.txt: samebits_layer({name}) has no folder samebits/{name}"


def include_violations(root, layers):
    allowed = reachable(layers)
    for path in sorted((root / "samebits").rglob("*")):
        if path.suffix not in (".h", ".cc"):
            continue
        where = path.relative_to(root)
        layer = where.parts[1]
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if match is None:
                continue
            target, file = match.groups()
            if target not in allowed.get(layer, set()):
                yield f"{where}:{number}: {layer} may not include {target}/{file}"
            elif not (root / "samebits" / target / file).exists():
                yield f"{where}:{number}: samebits/{target}/{file} does not exist"


def violations(root):
    layers = declared_layers(root)
    if not layers:
        return ["CMakeLists.txt: no samebits_layer() found"]
    found = [*order_violations(layers), *folder_violations(root, layers), *include_violations(root, layers)]
    documented = documented_layers(root)
    if list(documented.items()) != list(layers.items()):
        found.append(f"ARCHITECTURE.md: its table of layers says {documented}, CMakeLists.txt says {layers}")
    return found


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    found = violations(root)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
