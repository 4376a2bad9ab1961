#!/bin/bash
# A directory whose config says tie_word_embeddings: true, and whose file holds an lm_head.weight that is not its embeddings, is two
# models: 4.57.6 ties and drops the file's head without a word, 5.24.0 keeps both and warns (torch 2.13.0).
#
# In neither does output_loading_info name a missing, unexpected or mismatched key.
#
# Seen:
#   4.57.6: the head is the embeddings, keys named: 0
#   5.24.0: the head is the file's, keys named: 0
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PYTHON'
import json, os, sys, torch, transformers
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM
os.chdir(sys.argv[1])
if not os.path.exists("model"):
    sizes = dict(vocab_size=20, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    LlamaForCausalLM(LlamaConfig(**sizes, tie_word_embeddings=False)).save_pretrained("model")
    with open("model/config.json") as file:
        config = json.load(file)
    with open("model/config.json", "w") as file:
        json.dump(config | {"tie_word_embeddings": True}, file)
model, said = LlamaForCausalLM.from_pretrained("model", output_loading_info=True)
head = load_file("model/model.safetensors")["lm_head.weight"]
held = "the file's" if torch.equal(model.lm_head.weight, head) else "the embeddings"
named = sum(len(said[kind]) for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
print(f"{transformers.__version__}: the head is {held}, keys named: {named}")
PYTHON
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
found=""
for packages in "transformers==4.57.6 huggingface_hub<1.0 tokenizers<0.23" "transformers==5.24.0"; do
  # shellcheck disable=SC2086
  "${pip[@]}" torch==2.13.0 $packages
  found+=$(HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/look.py" "$folder" 2>/dev/null)$'\n'
done
expected="4.57.6: the head is the embeddings, keys named: 0
5.24.0: the head is the file's, keys named: 0
"
printf '%s' "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; printf '%s' "$expected"; exit 1; }
