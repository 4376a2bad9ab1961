#!/bin/bash
# ViTMSNForImageClassification saved by transformers 5.24.0: 4.57.6 finds none of its blocks and leaves them at random values.
#
# save_pretrained() of 5.24.0 writes the embeddings as vit.embeddings.*, and the blocks without that prefix, as encoder.layer.*.
# 5.24.0 reads this again in full. 4.57.6 looks for vit.encoder.layer.*, warns that these were newly initialized, and goes on.
#
# Seen:
#   5.24.0: 0 missing, 0 not used
#   4.57.6: 16 missing, 16 not used
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/save.py" <<'END'
import sys
import torch
from transformers import ViTMSNConfig, ViTMSNForImageClassification

torch.manual_seed(0)
config = ViTMSNConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=16, patch_size=8)
ViTMSNForImageClassification(config).save_pretrained(sys.argv[1])
END
cat > "$folder/load.py" <<'END'
import sys
import transformers
from transformers import ViTMSNForImageClassification

_, found = ViTMSNForImageClassification.from_pretrained(sys.argv[1], output_loading_info=True)
print(f"{transformers.__version__}: {len(found['missing_keys'])} missing, {len(found['unexpected_keys'])} not used")
END
install() {
  python3 -m venv "$folder/$1"
  "$folder/$1/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy "transformers==$1"
}
install 5.24.0
install 4.57.6
export HF_HUB_OFFLINE=1
"$folder/5.24.0/bin/python" "$folder/save.py" "$folder/saved" 2>/dev/null
found=$(for version in 5.24.0 4.57.6; do "$folder/$version/bin/python" "$folder/load.py" "$folder/saved" 2>/dev/null; done)
expected=$(sed -n 's/^#   \([45]\.\)/\1/p' "$0")
echo "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; echo "$expected"; exit 1; }
