#!/bin/bash
# An AdamW state of a ViT that was trained with transformers 4.57.6 does not fit the same ViT in 5.24.0 (torch 2.13.0).
#
# An optimizer's state numbers parameters by their place in model.parameters(). 4.57.6 has a block's perceptron before its norms,
# 5.24.0 behind them. load_state_dict() of the optimizer looks at the number of parameters alone and takes the state without a word: six
# moments of each block then belong to other parameters. The next step ends with an error about shapes that names no parameter.
#
# Seen:
#   4.57.6: taken, 0 moments of another shape, the next step is made
#   5.24.0: taken, 6 moments of another shape, the next step: RuntimeError
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PYTHON'
import os, sys, torch, transformers
from transformers import ViTConfig, ViTForImageClassification
os.chdir(sys.argv[1])
sizes = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4, num_labels=2)
first = not os.path.exists("optimizer.pt")
torch.manual_seed(0)
model = ViTForImageClassification(ViTConfig(**sizes)) if first else ViTForImageClassification.from_pretrained("model")
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)


def step():
    optimizer.zero_grad()
    images = torch.ones(2, 3, 8, 8) * torch.tensor([1.0, 2.0]).view(2, 1, 1, 1)
    model(images, labels=torch.tensor([0, 1])).loss.backward()
    optimizer.step()


if first:
    step()
    torch.save(optimizer.state_dict(), "optimizer.pt"), model.save_pretrained("model")
optimizer.load_state_dict(torch.load("optimizer.pt"))
moved = sum(optimizer.state[p]["exp_avg"].shape != p.shape for p in model.parameters())
try:
    step()
    outcome = "the next step is made"
except Exception as error:
    outcome = f"the next step: {type(error).__name__}"
print(f"{transformers.__version__}: taken, {moved} moments of another shape, {outcome}")
PYTHON
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
found=""
for packages in "transformers==4.57.6 huggingface_hub<1.0 tokenizers<0.23" "transformers==5.24.0"; do
  # shellcheck disable=SC2086
  "${pip[@]}" torch==2.13.0 $packages
  found+=$(HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/look.py" "$folder" 2>/dev/null)$'\n'
done
expected="4.57.6: taken, 0 moments of another shape, the next step is made
5.24.0: taken, 6 moments of another shape, the next step: RuntimeError
"
printf '%s' "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; printf '%s' "$expected"; exit 1; }
