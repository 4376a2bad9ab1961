#!/bin/bash
# Trainer.train(resume_from_checkpoint=...) of transformers 5.24.0 goes on with a model of which most tensors are not those of the
# checkpoint, without an error: it calls load_state_dict(strict=False) with the names in model.safetensors, and the names that
# save_pretrained writes for a ViT are not those of the model's modules (torch 2.13.0, accelerate 1.15.0). A warning lists the keys.
#
# Seen, for a ViTForImageClassification of two layers, in the first forward pass after the resume:
#   5.24.0: 8 of 40 tensors are those of the checkpoint
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PYTHON'
import sys
import torch, transformers
from transformers import Trainer, TrainerCallback, TrainingArguments, ViTConfig, ViTForImageClassification
config = ViTConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4)
data = [{"pixel_values": torch.randn(3, 8, 8), "labels": i % 2} for i in range(8)]

def trainer(steps, seed, *callbacks):
    torch.manual_seed(seed)
    arguments = TrainingArguments(f"{sys.argv[1]}/out", max_steps=steps, save_steps=2, per_device_train_batch_size=2, report_to=[], use_cpu=True, disable_tqdm=True, seed=seed)
    return Trainer(ViTForImageClassification(config), arguments, train_dataset=data, callbacks=list(callbacks))

class Look(TrainerCallback):
    def on_train_begin(self, *unused, model, **more):
        saved = ViTForImageClassification.from_pretrained(f"{sys.argv[1]}/out/checkpoint-2").state_dict()
        equal = sum(torch.equal(saved[name], tensor) for name, tensor in model.state_dict().items())
        print(f"{transformers.__version__}: {equal} of {len(saved)} tensors are those of the checkpoint", file=sys.stderr)

trainer(2, 0).train()
trainer(4, 1, Look()).train(resume_from_checkpoint=True)
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.24.0 accelerate==1.15.0
found=$(HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/look.py" "$folder" 2>&1 >/dev/null | grep "of the checkpoint")
expected="5.24.0: 8 of 40 tensors are those of the checkpoint"
echo "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; echo "$expected"; exit 1; }
