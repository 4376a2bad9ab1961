#!/bin/bash
# A ViTForImageClassification that was called with labels once saves another config.json than one that was not: the forward pass writes
# problem_type into the model's config (transformers 5.24.0, torch 2.13.0).
#
# The weights are the same, no optimizer ran. Two saves of one model, before and after an evaluation with a loss, then differ in a field
# that nobody set.
#
# Seen:
#   5.24.0: before None, after 'single_label_classification', weights equal True
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PYTHON'
import json, sys
import torch, transformers
from transformers import ViTConfig, ViTForImageClassification
config = ViTConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4, num_labels=5)
model = ViTForImageClassification(config).eval()
found, weights = [], []
for name in ("before", "after"):
    model.save_pretrained(f"{sys.argv[1]}/{name}")
    found.append(json.load(open(f"{sys.argv[1]}/{name}/config.json")).get("problem_type"))
    weights.append({key: value.clone() for key, value in model.state_dict().items()})
    with torch.no_grad():
        model(torch.randn(2, 3, 8, 8), labels=torch.tensor([0, 1]))
equal = all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
print(f"{transformers.__version__}: before {found[0]!r}, after {found[1]!r}, weights equal {equal}")
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.24.0
found=$(HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/look.py" "$folder" 2>/dev/null)
expected="5.24.0: before None, after 'single_label_classification', weights equal True"
echo "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; echo "$expected"; exit 1; }
