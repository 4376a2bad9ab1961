#!/bin/bash
# A config.json with "num_labels": 5 and three names in id2label: transformers 4.57.6 has three labels, 5.24.0 five, without the names.
#
# 4.57.6 counts the names and leaves num_labels aside. 5.24.0 takes the number and replaces the names by LABEL_0 to LABEL_4, with no
# word. A checkpoint with a classifier of three rows then loads in the one and raises a size mismatch in the other.
#
# Seen:
#   4.57.6: 3 labels, {0: 'a', 1: 'b', 2: 'c'}
#   5.24.0: 5 labels, {0: 'LABEL_0', 1: 'LABEL_1', 2: 'LABEL_2', 3: 'LABEL_3', 4: 'LABEL_4'}
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'END'
import transformers
from transformers import ViTConfig
config = ViTConfig.from_dict({"num_labels": 5, "id2label": {"0": "a", "1": "b", "2": "c"}})
print(f"{transformers.__version__}: {config.num_labels} labels, {config.id2label}")
END
look() {
  python3 -m venv "$folder/$1"
  "$folder/$1/bin/pip" install --quiet --disable-pip-version-check "transformers==$1"
  HF_HUB_OFFLINE=1 "$folder/$1/bin/python" "$folder/look.py" 2>/dev/null
}
found=$(look 4.57.6 && look 5.24.0)
expected="4.57.6: 3 labels, {0: 'a', 1: 'b', 2: 'c'}
5.24.0: 5 labels, {0: 'LABEL_0', 1: 'LABEL_1', 2: 'LABEL_2', 3: 'LABEL_3', 4: 'LABEL_4'}"
echo "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; echo "$expected"; exit 1; }
