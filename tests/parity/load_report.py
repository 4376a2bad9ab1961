"""What a transformers release really does: files that it writes, and reports of its own loads.

    load_report.py make OUT CASES            a folder for each case: saved/ by save_pretrained, raw/ with its state_dict()
    load_report.py load REQUESTS             a JSON report for each load, on standard output

CASES and REQUESTS are JSON files. Runs under any interpreter with transformers 4.57 or 5.
"""

import json
import os
import pathlib
import re
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "critical")

import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402


def build(case):
    cls = getattr(transformers, case["class"])
    return cls(cls.config_class(**case["config"]), **case.get("arguments", {})).eval()


def make(out, cases):
    for case in cases:
        torch.manual_seed(0)
        model = build(case)
        folder = pathlib.Path(out) / case["name"]
        model.save_pretrained(folder / "saved")
        (folder / "raw").mkdir(parents=True)
        save_file({k: v.clone() for k, v in model.state_dict().items()}, folder / "raw/model.safetensors", {"format": "pt"})
        (folder / "raw/config.json").write_text((folder / "saved/config.json").read_text())


def error_line(error):
    return f"{type(error).__name__}: {str(error).splitlines()[0]}"


def shapes(model):
    return {name: list(value.shape) for name, value in model.state_dict().items()}


def from_pretrained(cls, request):
    arguments = request.get("arguments", {})
    report = {"raises": ""}
    try:
        cls.from_pretrained(request["folder"], **arguments)
    except Exception as error:  # noqa: BLE001 - what it raises is the result
        report["raises"] = error_line(error)
    try:
        model, info = cls.from_pretrained(request["folder"], output_loading_info=True, ignore_mismatched_sizes=True, **arguments)
    except Exception as error:  # noqa: BLE001
        return report | {"fatal": error_line(error)}
    names = [entry if isinstance(entry, str) else entry[0] for entry in info["mismatched_keys"]]
    return report | {"missing": sorted(info["missing_keys"]), "unexpected": sorted(info["unexpected_keys"]),
                     "mismatched": sorted(names), "table": shapes(model)}


def state_dict(cls, request):
    model = cls(cls.config_class.from_pretrained(request["folder"]), **request.get("arguments", {}))
    weights = load_file(f"{request['folder']}/model.safetensors")
    raises, mismatched = "", []
    try:
        result = model.load_state_dict(weights, strict=False)
    except RuntimeError as error:
        raises = error_line(error)
        mismatched = re.findall(r"size mismatch for (\S+): ", str(error))
        result = model.load_state_dict({k: v for k, v in weights.items() if k not in mismatched}, strict=False)
    missing = set(result.missing_keys) - set(mismatched)
    return {"raises": raises, "missing": sorted(missing), "unexpected": sorted(result.unexpected_keys),
            "mismatched": sorted(mismatched), "table": shapes(model)}


def load(requests):
    ways = {"from_pretrained": from_pretrained, "state_dict": state_dict}
    return [ways[request["way"]](getattr(transformers, request["class"]), request) for request in requests]


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], json.loads(pathlib.Path(sys.argv[3]).read_text()))
    else:
        print(json.dumps(load(json.loads(pathlib.Path(sys.argv[2]).read_text()))))
