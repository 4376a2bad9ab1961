#!/bin/bash
# transformers 5.24.0 refuses a whole number where a config field is a float; 4.57.6 takes it.
#
# A config.json that says "mask_ratio": 0 or "layer_norm_eps": 0, as JSON writers and people do for 0.0, loads in 4.57.6. In 5.24.0 the
# config classes are checked for types, and an int is not a float: from_dict, and so from_pretrained, raises.
#
# Seen:
#   4.57.6: mask_ratio 0 accepted
#   5.24.0: mask_ratio 0 StrictDataclassFieldValidationError
#   5.24.0: mask_ratio 0.0 accepted
#
# Prints what it sees, and fails if that changes. Needs Python 3.10 or later and a package index.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/look.py" <<'END'
import sys
import transformers
from transformers import ViTMAEConfig
for text in sys.argv[1:]:
    value = float(text) if "." in text else int(text)
    try:
        ViTMAEConfig.from_dict({"mask_ratio": value})
        answer = "accepted"
    except Exception as error:
        answer = type(error).__name__
    print(f"{transformers.__version__}: mask_ratio {text} {answer}")
END
look() {
  python3 -m venv "$folder/$1"
  "$folder/$1/bin/pip" install --quiet --disable-pip-version-check "transformers==$1"
  HF_HUB_OFFLINE=1 "$folder/$1/bin/python" "$folder/look.py" "${@:2}" 2>/dev/null
}
found=$(look 4.57.6 0 && look 5.24.0 0 0.0)
expected="4.57.6: mask_ratio 0 accepted
5.24.0: mask_ratio 0 StrictDataclassFieldValidationError
5.24.0: mask_ratio 0.0 accepted"
echo "$found"
[[ "$found" == "$expected" ]] || { echo "this changed; it was:"; echo "$expected"; exit 1; }
