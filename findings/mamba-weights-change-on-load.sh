#!/bin/bash
# from_pretrained of transformers 5.24.0 gives other weights than the file holds: of Mamba, Mamba 2 and FalconMamba whose config has
# rescale_prenorm_residual, it divides every out_proj.weight by the square root of the number of layers, in each load. The division is
# meant for new weights; loaded ones are not left out of it. load_state_dict() takes them as they are, and so does 4.57.6.
#
# Seen, of 4 layers (factors of the weights that changed, after one load and after a second save and load):
#   5.24.0 Mamba: 4 of 43 tensors, times 0.5, then times 0.25
#   5.24.0 Mamba2: 4 of 39 tensors, times 0.5, then times 0.25
#   5.24.0 FalconMamba: 4 of 43 tensors, times 0.5, then times 0.25
#   4.57.6 Mamba: 0 of 43 tensors
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PYTHON'
import os, sys, torch, transformers as T

os.chdir(sys.argv[1])
T.logging.set_verbosity_error()
T.logging.disable_progress_bar()
for kind, more in (("Mamba", {}), ("Mamba2", {"num_heads": 8, "head_dim": 8, "n_groups": 2}), ("FalconMamba", {}))[: int(sys.argv[2])]:
    torch.manual_seed(0)
    sizes = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 4, "state_size": 4, "expand": 2}
    config = getattr(T, f"{kind}Config")(**sizes, **more, rescale_prenorm_residual=True)
    made = getattr(T, f"{kind}ForCausalLM")(config)
    made.save_pretrained("first")
    once = type(made).from_pretrained("first")
    once.save_pretrained("second")
    twice = type(made).from_pretrained("second")
    before, after, last = made.state_dict(), once.state_dict(), twice.state_dict()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    factors = sorted({round(float(x), 6) for state in (after, last) for name in changed for x in (state[name] / before[name]).unique()}, reverse=True)
    text = ", then times ".join(f"{factor:g}" for factor in factors)
    print(f"{T.__version__} {kind}: {len(changed)} of {len(before)} tensors" + (f", times {text}" if changed else ""))
PYTHON
python3 -m venv "$folder/venv"
pip() { "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "$@"; }
look() { HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/look.py" "$folder" "$1" 2>/dev/null; }
pip torch==2.13.0 numpy transformers==5.24.0
found=$(look 3)
pip transformers==4.57.6 'huggingface_hub<1.0' 'tokenizers<0.23'
found+=$'\n'$(look 1)
expected="5.24.0 Mamba: 4 of 43 tensors, times 0.5, then times 0.25
5.24.0 Mamba2: 4 of 39 tensors, times 0.5, then times 0.25
5.24.0 FalconMamba: 4 of 43 tensors, times 0.5, then times 0.25
4.57.6 Mamba: 0 of 43 tensors"
echo "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; echo "$expected"; exit 1; }
