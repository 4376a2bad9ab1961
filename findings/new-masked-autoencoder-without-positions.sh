#!/bin/bash
# A new ViTMAEForPreTraining of transformers 5.24.0 has no positions: both of its tables, which do not learn, are zero. 4.57.6 fills
# the encoder's with sines and cosines, as the class means to, and zeroes the decoder's (torch 2.13.0).
#
# In 5.24.0 the function that fills the encoder's table returns at once where the projection is initialized, and its children are
# initialized first. _init_weights zeroes the decoder's table behind its constructor. A pretraining from a config learns without any
# position, and no warning is given; the class token, which was meant to be drawn, is zero too.
#
# Seen (largest element of the encoder's table, of the decoder's, of the class token):
#   4.57.6: 1.0 0.0 drawn
#   5.24.0: 0.0 0.0 zero
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'PYTHON'
import transformers
from transformers import ViTMAEConfig, ViTMAEForPreTraining
sizes = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4)
sizes |= {"decoder_" + key: sizes[key] for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")}
model = ViTMAEForPreTraining(ViTMAEConfig(**sizes))
tables = (model.vit.embeddings.position_embeddings, model.decoder.decoder_pos_embed)
token = "drawn" if model.vit.embeddings.cls_token.any() else "zero"
print(f"{transformers.__version__}:", *(table.max().item() for table in tables), token)
PYTHON
python3 -m venv "$folder/venv"
pip=("$folder/venv/bin/pip" install --quiet --disable-pip-version-check)
found=""
for packages in "transformers==4.57.6 huggingface_hub<1.0 tokenizers<0.23" "transformers==5.24.0"; do
  # shellcheck disable=SC2086
  "${pip[@]}" torch==2.13.0 $packages
  found+=$(HF_HUB_OFFLINE=1 "$folder/venv/bin/python" "$folder/look.py" 2>/dev/null)$'\n'
done
expected="4.57.6: 1.0 0.0 drawn
5.24.0: 0.0 0.0 zero
"
printf '%s' "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; printf '%s' "$expected"; exit 1; }
