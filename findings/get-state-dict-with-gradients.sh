#!/bin/bash
# torch 2.13.0: where one parameter has a gradient, get_state_dict() makes no state for a new optimizer, and dcp.load() then restores no moments.
#
# torch.distributed.checkpoint.load() fills the tensors of the state dict that it is given. For a new optimizer, which has none,
# get_state_dict() makes one by a step that changes nothing; but it returns before that if any parameter has a gradient, as after a
# backward pass that warms something up. Nothing is said: set_state_dict() takes what was not loaded, and Adam's moments start anew.
#
# Seen:
#   2.13.0: no gradient: moments of 2 of 2 parameters are those that were saved
#   2.13.0: a gradient: moments of 0 of 2 parameters are those that were saved
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'END'
import sys

import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict

folder = sys.argv[1]


def new():
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 4)
    return model, torch.optim.AdamW(model.parameters(), lr=0.1)


def backward(model):
    model(torch.ones(2, 3)).pow(2).mean().backward()


model, optimizer = new()
for _ in range(3):
    optimizer.zero_grad()
    backward(model)
    optimizer.step()
optimizer.zero_grad()
weights, state = get_state_dict(model, optimizer)
dcp.save({"model": weights, "optimizer": state}, checkpoint_id=f"{folder}/dcp", no_dist=True)
for gradient in (False, True):
    other, its = new()
    if gradient:
        backward(other)
    weights, state = get_state_dict(other, its)
    made = {"model": weights, "optimizer": state}
    dcp.load(made, checkpoint_id=f"{folder}/dcp", no_dist=True)
    set_state_dict(other, its, model_state_dict=made["model"], optim_state_dict=made["optimizer"])
    pairs = zip(model.parameters(), other.parameters())
    count = sum("exp_avg" in its.state[q] and torch.equal(optimizer.state[p]["exp_avg"], its.state[q]["exp_avg"]) for p, q in pairs)
    name = "a gradient" if gradient else "no gradient"
    print(f"{torch.__version__.split('+')[0]}: {name}: moments of {count} of 2 parameters are those that were saved")
END
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy
found=$("$folder/venv/bin/python" "$folder/look.py" "$folder" 2>/dev/null)
expected=$(sed -n 's/^#   \(2\.13\.0: \)/\1/p' "$0")
echo "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; echo "$expected"; exit 1; }
