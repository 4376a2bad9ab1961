#!/bin/bash
# save_pretrained of transformers 5.24.0 writes an ESM with rotary embeddings under names that its modules do not have: weight and bias of the
# two norms of each layer as gamma and beta, and the one inv_freq under a name with an asterisk in it. 5.24.0 reads all of it back; 4.57.6 reads
# every weight, and reports the frequencies of each layer as missing and the name with the asterisk as unexpected.
#
# Seen, of 2 layers:
#   5.24.0 writes 43 names, 9 of them no module's: esm.encoder.layer.*.attention.self.rotary_embeddings.inv_freq, and 8 gamma or beta
#   5.24.0 reads it: missing 0, unexpected 0, other values 0
#   4.57.6 reads it: missing 2, unexpected 1, other values 0
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PYTHON'
import os, sys, safetensors.torch, torch, transformers as T

os.chdir(sys.argv[1])
T.logging.set_verbosity_error()
T.logging.disable_progress_bar()
if sys.argv[2] == "save":
    torch.manual_seed(0)
    sizes = {"vocab_size": 33, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = T.EsmConfig(**sizes, max_position_embeddings=64, pad_token_id=1, mask_token_id=2, position_embedding_type="rotary")
    model = T.EsmForMaskedLM(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    model.save_pretrained("saved")
    torch.save(model.state_dict(), "state.pth")
    names = sorted(safetensors.torch.load_file("saved/model.safetensors"))
    other = [name for name in names if name not in model.state_dict()]
    old = [name for name in other if name.endswith((".gamma", ".beta"))]
    rest = ", ".join(name for name in other if name not in old)
    print(f"{T.__version__} writes {len(names)} names, {len(other)} of them no module's: {rest}, and {len(old)} gamma or beta")
state = torch.load("state.pth")
model, info = T.EsmForMaskedLM.from_pretrained("saved", output_loading_info=True)
loaded = model.state_dict()
changed = [name for name, value in state.items() if name in loaded and not torch.equal(loaded[name], value)]
print(f"{T.__version__} reads it: missing {len(info['missing_keys'])}, unexpected {len(info['unexpected_keys'])}, other values {len(changed)}")
PYTHON
python3 -m venv "$folder/venv"
pip() { "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "$@"; }
look() { HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/look.py" "$folder" "$1" 2>/dev/null; }
pip torch==2.13.0 numpy transformers==5.24.0
found=$(look save)
pip transformers==4.57.6 'huggingface_hub<1.0' 'tokenizers<0.23'
found+=$'\n'$(look load)
expected="5.24.0 writes 43 names, 9 of them no module's: esm.encoder.layer.*.attention.self.rotary_embeddings.inv_freq, and 8 gamma or beta
5.24.0 reads it: missing 0, unexpected 0, other values 0
4.57.6 reads it: missing 2, unexpected 1, other values 0"
echo "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; echo "$expected"; exit 1; }
