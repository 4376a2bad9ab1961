#!/bin/bash
# from_pretrained of transformers 5.24.0 takes fp8 weights apart by blocks that the checkpoint does not have, without a word
# (torch 2.13.0, accelerate 1.15.0).
#
# config.json says weight_block_size: [128, 128]. A matrix of 192 rows has two rows of scales then: for 128 rows, and for 64. With
# "dequantize": true the size of a block is the number of rows through that of scales instead, 96: rows 96 to 127 are multiplied by
# the scale of the rows behind them.
#
# Seen:
#   down_proj [128, 192]: 4096 of 24576 numbers are others
#   gate_proj [192, 128]: 4096 of 24576 numbers are others
#   up_proj [192, 128]: 4096 of 24576 numbers are others
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PYTHON'
import json, os, sys, torch
from safetensors.torch import load_file, save_file
from torch.nn.functional import pad
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

os.chdir(sys.argv[1])
torch.manual_seed(0)
sizes = dict(vocab_size=64, hidden_size=128, num_hidden_layers=1, num_attention_heads=2, intermediate_size=192)
LlamaForCausalLM(LlamaConfig(**sizes)).save_pretrained("model")
tensors, numbers = load_file("model/model.safetensors"), {}
for name, weight in list(tensors.items()):
    if "_proj" not in name:
        continue
    rows, columns = weight.shape
    whole = pad(weight, (0, -columns % 128, 0, -rows % 128))
    scales = whole.reshape(whole.shape[0] // 128, 128, -1, 128).abs().amax((1, 3)) / 448
    each = scales.repeat_interleave(128, 0).repeat_interleave(128, 1)[:rows, :columns]
    tensors[name], tensors[f"{name}_scale_inv"] = (weight / each).to(torch.float8_e4m3fn), scales
    numbers[name] = tensors[name].float() * each
save_file(tensors, "model/model.safetensors", metadata={"format": "pt"})
with open("model/config.json") as file:
    config = json.load(file)
said = {"quant_method": "fp8", "weight_block_size": [128, 128], "activation_scheme": "dynamic", "dequantize": True}
with open("model/config.json", "w") as file:
    json.dump(config | {"quantization_config": said}, file)
loaded = AutoModelForCausalLM.from_pretrained("model", dtype=torch.float32).state_dict()
for name, expected in sorted(numbers.items()):
    others = int((loaded[name] != expected).sum())
    if others:
        print(f"{name.split('.')[-2]} {list(expected.shape)}: {others} of {expected.numel()} numbers are others")
PYTHON
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 transformers==5.24.0 accelerate==1.15.0
found=$(HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/look.py" "$folder" 2>/dev/null)
expected="down_proj [128, 192]: 4096 of 24576 numbers are others
gate_proj [192, 128]: 4096 of 24576 numbers are others
up_proj [192, 128]: 4096 of 24576 numbers are others"
echo "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; echo "$expected"; exit 1; }
