#!/bin/bash
# torch.load of torch 2.13.0 refuses a file that holds `...` and advises add_safe_globals([Ellipsis]), which raises an AttributeError:
# the constant has no __module__.
#
# A pair of the constant and its full name is taken instead: add_safe_globals([(Ellipsis, "builtins.Ellipsis")]).
#
# Seen:
#   advised: torch.serialization.add_safe_globals([Ellipsis])
#   as advised: AttributeError: 'ellipsis' object has no attribute '__module__'
#   with its name: {'index': Ellipsis}
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PYTHON'
import os, re, sys, torch

os.chdir(sys.argv[1])
torch.save({"index": ...}, "saved.pt")
try:
    torch.load("saved.pt")
except Exception as refused:
    print("advised:", re.search(r"torch\.serialization\.add_safe_globals\(\[.*?\]\)", str(refused))[0])
for what, names in (("as advised", [Ellipsis]), ("with its name", [(Ellipsis, "builtins.Ellipsis")])):
    try:
        with torch.serialization.safe_globals(names):
            print(f"{what}: {torch.load('saved.pt')}")
    except AttributeError as error:
        print(f"{what}: AttributeError: {error}")
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0
found=$("$folder/venv/bin/python" "$folder/look.py" "$folder" 2>/dev/null)
expected="advised: torch.serialization.add_safe_globals([Ellipsis])
as advised: AttributeError: 'ellipsis' object has no attribute '__module__'
with its name: {'index': Ellipsis}"
echo "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; echo "$expected"; exit 1; }
