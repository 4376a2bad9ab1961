#!/bin/bash
# torch 2.13.0: a distributed checkpoint converted by dcp_to_torch_save() has text keys in the optimizer's state, and Adam's moments are then not used.
#
# optimizer.state_dict() numbers the parameters: {0: {...}, 1: {...}}. torch.distributed.checkpoint flattens names to text, and the
# converter leaves them so: {"0": {...}, "1": {...}}. load_state_dict() takes such a state without an error or a warning, under keys
# that belong to no parameter. The next step starts from empty moments, so that it goes elsewhere than the training that was saved.
#
# Seen:
#   2.13.0: keys in the converted file: ['0', '1']
#   2.13.0: parameters that have moments after load_state_dict: 0 of 2
#   2.13.0: the next step gives the same weights: False
#   2.13.0: with the keys made integers: 2 of 2, the same weights: True
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'END'
import copy
import sys

import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

folder = sys.argv[1]


def step(model, optimizer):
    optimizer.zero_grad()
    model(torch.ones(2, 3)).pow(2).mean().backward()
    optimizer.step()


def say(text):
    print(f"{torch.__version__.split('+')[0]}: {text}")


torch.manual_seed(0)
model = torch.nn.Linear(3, 4)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
for _ in range(3):
    step(model, optimizer)
dcp.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, checkpoint_id=f"{folder}/dcp", no_dist=True)
dcp_to_torch_save(f"{folder}/dcp", f"{folder}/converted.pt")
converted = torch.load(f"{folder}/converted.pt")
say(f"keys in the converted file: {sorted(converted['optimizer']['state'])}")
step(model, optimizer)


def resumed(state):
    other = torch.nn.Linear(3, 4)
    other.load_state_dict(converted["model"])
    its = torch.optim.AdamW(other.parameters(), lr=0.1)
    its.load_state_dict(copy.deepcopy(state))
    with_moments = sum(parameter in its.state for parameter in other.parameters())
    step(other, its)
    return with_moments, all(torch.equal(x, y) for x, y in zip(model.parameters(), other.parameters()))


count, same = resumed(converted["optimizer"])
say(f"parameters that have moments after load_state_dict: {count} of 2")
say(f"the next step gives the same weights: {same}")
state = converted["optimizer"]
state["state"] = {int(key): value for key, value in state["state"].items()}
count, same = resumed(state)
say(f"with the keys made integers: {count} of 2, the same weights: {same}")
END
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy
found=$("$folder/venv/bin/python" "$folder/look.py" "$folder" 2>/dev/null)
expected=$(sed -n 's/^#   \(2\.13\.0: \)/\1/p' "$0")
echo "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; echo "$expected"; exit 1; }
