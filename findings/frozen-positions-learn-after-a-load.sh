#!/bin/bash
# The position tables of a ViTMAEForPreTraining do not learn: its class makes them with requires_grad=False. from_pretrained of
# transformers 5.24.0 gives them back with requires_grad=True; 4.57.6 keeps them frozen (torch 2.13.0).
#
# A training that goes on from a saved directory then moves the two tables, which the first one left alone, and AdamW has two
# parameters more.
#
# Seen:
#   4.57.6: built False False, loaded False False
#   5.24.0: built False False, loaded True True
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PYTHON'
import sys
import transformers
from transformers import ViTMAEConfig, ViTMAEForPreTraining
sizes = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4)
sizes |= {"decoder_" + key: sizes[key] for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")}
def learns(model):
    return " ".join(str(table.requires_grad) for table in (model.vit.embeddings.position_embeddings, model.decoder.decoder_pos_embed))
built = ViTMAEForPreTraining(ViTMAEConfig(**sizes))
built.save_pretrained(sys.argv[1])
print(f"{transformers.__version__}: built {learns(built)}, loaded {learns(ViTMAEForPreTraining.from_pretrained(sys.argv[1]))}")
PYTHON
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
found=""
for packages in "transformers==4.57.6 huggingface_hub<1.0 tokenizers<0.23" "transformers==5.24.0"; do
  # shellcheck disable=SC2086
  "${pip[@]}" torch==2.13.0 $packages
  found+=$(HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/look.py" "$folder/model" 2>/dev/null)$'\n'
done
expected="4.57.6: built False False, loaded False False
5.24.0: built False False, loaded True True
"
printf '%s' "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; printf '%s' "$expected"; exit 1; }
