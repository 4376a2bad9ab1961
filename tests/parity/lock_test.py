"""lock and verify, against digests that hashlib and torch compute from docs/lock.md, and what is and is not the same model."""

import json
import re
import subprocess

import lock_digests as spec
import pytest
import torch
from conftest import PROGRAM, ROOT
from safetensors.torch import load_file, save_file, save_model

ALGORITHMS = {"sha256": [], "xxh3-128": ["--fast"]}


def lock(path, *options, key=None):
    words = [str(PROGRAM), "lock", str(path), *options, *(["--key", key] if key else [])]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stdout


def tiny():
    torch.manual_seed(0)
    shared = torch.randn(4, 6)
    return {
        "embed.weight": shared, "head.weight": shared, "fc.weight": torch.randn(3, 4), "fc.t": torch.randn(5, 3).t(),
        "norm.weight": torch.ones(4), "norm.bias": torch.zeros(4), "twin.bias": torch.zeros(4), "half": torch.randn(7).half(),
        "bf": torch.randn(2, 2).bfloat16(), "steps": torch.tensor(3), "none": torch.zeros(0, 4), "flags": torch.tensor([True, False]),
        "conj": torch.randn(3, dtype=torch.complex64).conj(), "fp8": torch.randn(4).to(torch.float8_e4m3fn),
    }


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_digest_is_the_specified_one(algorithm, tmp_path):
    state = tiny()
    torch.save(state, tmp_path / "a.pth")
    locked, _ = lock(tmp_path / "a.pth", *ALGORITHMS[algorithm])
    assert locked["algorithm"] == algorithm
    assert [row["name"] for row in locked["tensors"]] == sorted(state)
    for row in locked["tensors"]:
        tensor = state[row["name"]]
        assert row["digest"] == spec.digest(spec.tensor_bytes(tensor), algorithm), row["name"]
        assert (row["dtype"], row["shape"]) == (str(tensor.dtype)[6:], list(tensor.shape))
        constant = tensor.numel() < 2 or bool((tensor == tensor.reshape(-1)[0]).all())
        assert row.get("constant", False) == constant, row["name"]
    assert {row["name"]: row["tied_to"] for row in locked["tensors"] if "tied_to" in row} == spec.ties(state) == {"head.weight": "embed.weight"}
    assert locked["contents"] == spec.contents(state, algorithm)
    assert locked["named"] == spec.named(state, algorithm)


def test_the_vectors_of_the_document(tmp_path):
    text = (ROOT / "docs" / "lock.md").read_text()
    vectors = dict(re.findall(r"\| `?([a-z ]+)`? \| `([0-9a-f]{64})` \|", text))
    a = torch.arange(4.0).reshape(2, 2)
    state = {"a": a, "b": torch.tensor([1, 2, 3]), "c": a, "d": torch.tensor(0.5)}
    config = {"model_type": "vit", "eps": 1e-12, "hidden_size": 32, "flags": [True, None]}
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "config.json").write_text(json.dumps(config))
    torch.save(state, tmp_path / "hf" / "pytorch_model.bin")
    locked, _ = lock(tmp_path / "hf")
    rows = {row["name"]: row["digest"] for row in locked["tensors"]}
    got = {"a": rows["a"], "b": rows["b"], "d": rows["d"], "contents": locked["contents"], "named": locked["named"],
           "the config": locked["config_digest"]}
    assert got == vectors
    assert vectors["contents"] == spec.contents(state) and vectors["the config"] == spec.config_digest(config)
    assert lock(tmp_path / "hf", "--fast")[0]["contents"] == re.search(r"`contents` is `([0-9a-f]{32})`", text).group(1)


CONFIGS = [
    {}, {"a": 1, "b": 1.0, "c": -5, "d": 1e300, "e": 0.1, "f": 18446744073709551615, "z": -0.0},
    {"nested": {"b": [], "a": [{"y": None, "x": False}]}, "text": "ü\n\"", "": "", "ä": 2, "z": 1}, {"big": 1e16, "small": 1e-5, "inf": float("inf")},
]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_config_has_the_specified_digest(config, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file({"w": torch.ones(2)}, tmp_path / "model.safetensors")
    expected = {key: {float("inf"): "Infinity"}.get(value, value) if isinstance(value, float) else value for key, value in config.items()}
    assert lock(tmp_path)[0]["config_digest"] == spec.config_digest(expected)


def test_the_container_the_order_and_the_shards_do_not_matter(tmp_path):
    state = {name: tensor for name, tensor in tiny().items() if name not in ("conj", "head.weight")}
    plain = {name: tensor.contiguous().clone() for name, tensor in state.items()}
    torch.save(state, tmp_path / "zip.pth")
    torch.save(dict(reversed(state.items())), tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    save_file(plain, tmp_path / "a.safetensors")
    (tmp_path / "sharded").mkdir()
    names = list(plain)
    shards = {f"model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
    for shard, part in shards.items():
        save_file({name: plain[name] for name in part}, tmp_path / "sharded" / shard)
    index = {"metadata": {}, "weight_map": {name: shard for shard, part in shards.items() for name in part}}
    (tmp_path / "sharded" / "model.safetensors.index.json").write_text(json.dumps(index))
    texts = {lock(tmp_path / name)[1] for name in ("zip.pth", "legacy.pth", "a.safetensors", "sharded")}
    assert len(texts) == 1


@pytest.fixture
def verify(run, tmp_path):
    """verify(state saved, state locked) -> Report."""

    def compare(held, locked):
        for name, state in (("held.pth", held), ("locked.pth", locked)):
            torch.save(state, tmp_path / name)
        done = subprocess.run([str(PROGRAM), "lock", str(tmp_path / "locked.pth"), "-o", str(tmp_path / "x.lock")], capture_output=True, text=True)
        assert done.returncode == 0 and re.search(r"contents [0-9a-f]{64}\n$", done.stdout), done.stderr
        return run("verify", tmp_path / "held.pth", tmp_path / "x.lock")

    return compare


def test_the_same_is_the_same(verify):
    report = verify(tiny(), tiny())
    assert (report["verdict"], report.status, report["findings"]) == ("same", 0, [])
    assert report["weights"][0]["verdict"] == "identical" and report["weights"][0]["matched"] == len(tiny())
    assert [subject["kind"] for subject in report["subjects"]] == ["state-dict", "lock"]


def test_one_bit_is_found_and_named(verify):
    state = tiny()
    state["fc.weight"] = state["fc.weight"].clone()
    state["fc.weight"].view(torch.int32)[1, 2] ^= 1
    report = verify(state, tiny())
    assert (report["verdict"], report.status) == ("different", 1)
    assert report.finding("weights.changed")["evidence"] == {"count": 1, "tensors": ["fc.weight"]}
    assert [row["a"] for row in report["weights"][0]["tensors"] if row["kind"] == "changed"] == ["fc.weight"]


@pytest.mark.parametrize("change", [lambda t: t.double(), lambda t: t.bfloat16()])
def test_another_type_is_another_tensor(change, verify):
    report = verify(tiny() | {"fc.weight": change(tiny()["fc.weight"])}, tiny())
    assert (report["verdict"], report.causes("cause")) == ("different", {"weights.changed"})
    assert "float32 became" in str(report.finding("weights.changed"))


def test_other_names_are_a_renaming(verify):
    report = verify({f"model.{name}": tensor for name, tensor in tiny().items()}, tiny())
    assert (report["verdict"], report.status, report.causes("note")) == ("same", 0, {"weights.renamed"})
    assert report["weights"][0]["renamed"] == len(tiny())


@pytest.mark.parametrize("prefix", ["", "model."])
def test_two_in_each_others_place_are_a_difference(prefix, verify):
    state = {f"blocks.{i}.{part}.weight": torch.randn(4, 4) for i in range(3) for part in "qk"}
    other = dict(state)
    for part in "qk":
        other[f"blocks.0.{part}.weight"], other[f"blocks.1.{part}.weight"] = state[f"blocks.1.{part}.weight"], state[f"blocks.0.{part}.weight"]
    report = verify({prefix + name: tensor for name, tensor in other.items()}, state)
    assert (report["verdict"], report.status) == ("different", 1)
    assert report.causes("cause") == {"weights.rearranged"}
    assert "exchanged" in report.finding("weights.rearranged")["summary"]


def test_constants_are_told_apart(verify):
    state = {"a.weight": torch.ones(8), "a.bias": torch.zeros(8), "fc": torch.randn(8, 8)}
    swapped = state | {"a.weight": torch.zeros(8), "a.bias": torch.ones(8)}
    report = verify(swapped, state)
    assert (report["verdict"], report.status) == ("different", 1)


def test_what_is_missing_and_what_is_new(verify):
    report = verify({name: tensor for name, tensor in tiny().items() if name != "half"} | {"extra": torch.randn(9)}, tiny())
    assert report["weights"][0]["only_a"] == ["extra"] and report["weights"][0]["only_b"] == ["half"]
    assert {f["evidence"]["side"] for f in report.findings("weights.missing")} == {"A", "B"}


def test_a_tied_tensor_without_its_tie_is_a_risk(verify):
    state = tiny()
    report = verify(state | {"head.weight": state["head.weight"].clone()}, state)
    assert (report["verdict"], report.status) == ("same", 1)
    assert report.finding("weights.tied")["role"] == "risk"


def test_reshaped_values_are_the_same_values(verify):
    report = verify(tiny() | {"fc.weight": tiny()["fc.weight"].reshape(3, 4, 1, 1)}, tiny())
    assert report.finding("weights.rearranged")["role"] == "note" and report["verdict"] == "same"


def test_a_config_field_a_mode_and_preprocessing_are_found(run, routes, tmp_path):
    folder = routes / "zero"
    subprocess.run([str(PROGRAM), "lock", str(folder / "hf"), "-o", str(tmp_path / "hf.lock")], check=True, capture_output=True)
    for name in ("hf", "whole.pth", "statedict.pth", "ema.pth"):
        report = run("verify", folder / name, tmp_path / "hf.lock")
        assert report["verdict"] == "same" and not report.causes("cause", "contributes"), name
    report = run("verify", routes / "trained-zero" / "hf", tmp_path / "hf.lock")
    assert report["verdict"] == "different" and "weights.changed" in report.causes("cause")
    subprocess.run([str(PROGRAM), "lock", str(routes / "trained" / "hf"), "-o", str(tmp_path / "trained.lock")], check=True, capture_output=True)
    report = run("verify", routes / "trained-zero" / "hf", tmp_path / "trained.lock")
    assert report.causes("cause") == {"config.changed"}
    assert report.finding("config.changed")["evidence"]["fields"] == {"mask_ratio": [0.0, 0.75]}


def test_the_mode_of_modules_is_locked(run, routes, tmp_path):
    folder = routes / "dropout"
    subprocess.run([str(PROGRAM), "lock", str(folder / "whole.pth"), "-o", str(tmp_path / "x.lock")], check=True, capture_output=True)
    assert run("verify", folder / "whole.pth", tmp_path / "x.lock").status == 0
    report = run("verify", folder / "whole-training.pth", tmp_path / "x.lock")
    assert report["verdict"] == "different" and "mode.training" in report.causes("cause")


def test_an_attribute_of_a_module_leaves_it_unknown(run, tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.LayerNorm(3, eps=1e-5))
    torch.save(model, tmp_path / "a.pth")
    subprocess.run([str(PROGRAM), "lock", str(tmp_path / "a.pth"), "-o", str(tmp_path / "x.lock")], check=True, capture_output=True)
    assert run("verify", tmp_path / "a.pth", tmp_path / "x.lock")["verdict"] == "same"
    model[1].eps = 1e-3
    torch.save(model, tmp_path / "b.pth")
    report = run("verify", tmp_path / "b.pth", tmp_path / "x.lock")
    assert report["verdict"] == "unknown" and "attributes of modules" in str(report["not_checked"])


def test_what_no_lock_covers_is_said(run, tmp_path):
    model = torch.nn.Linear(3, 3)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, tmp_path / "a.pt")
    subprocess.run([str(PROGRAM), "lock", str(tmp_path / "a.pt"), "-o", str(tmp_path / "x.lock")], check=True, capture_output=True)
    report = run("verify", tmp_path / "a.pt", tmp_path / "x.lock")
    assert report["verdict"] == "same" and "outside the weights" in str(report["not_checked"])


@pytest.mark.parametrize("old, new, says", [
    ('"contents": "', '"contents": "0', "contents"), ('"digest":"', '"digest":"g', "no digest"), ("samebits.lock/1", "samebits.lock/9", "version"),
    ('"sha256"', '"md5"', "algorithm"), ("[2]", "[3]", "contradicts itself"), ("{", "", ""),
])
def test_a_damaged_lock_is_refused(old, new, says, run, tmp_path):
    save_file({"w": torch.randn(2), "v": torch.randn(3)}, tmp_path / "a.safetensors")
    _, text = lock(tmp_path / "a.safetensors")
    (tmp_path / "x.lock").write_text(text.replace(old, new, 1))
    report = run("verify", tmp_path / "a.safetensors", tmp_path / "x.lock")
    assert (report["verdict"], report.status) == ("unknown", 2) and says in str(report["not_checked"])


def refused(*words):
    done = subprocess.run([str(PROGRAM), *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    return done.stderr


def test_what_cannot_be_locked_is_refused(tmp_path):
    save_file({"w": torch.randn(2)}, tmp_path / "model-00001-of-00002.safetensors")
    shards = {"w": "model-00001-of-00002.safetensors", "v": "model-00002-of-00002.safetensors"}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    assert "a shard of the model is missing" in refused("lock", tmp_path)
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    assert "no weights" in refused("lock", tmp_path / "none.pth")
    torch.save({"w": torch.randn(64)}, tmp_path / "a.pth")
    data = bytearray((tmp_path / "a.pth").read_bytes())
    data[data.index(b"FB", data.index(b"data/0")) + 200] ^= 1
    (tmp_path / "a.pth").write_bytes(data)
    assert "checksum" in refused("lock", tmp_path / "a.pth")


def test_a_lock_of_safetensors_save_model_names_what_it_left_out(verify, tmp_path):
    """save_model writes a tied tensor once; torch.save under both names."""
    model = torch.nn.Module()
    model.a, model.b = torch.nn.Linear(3, 3, bias=False), torch.nn.Linear(3, 3, bias=False)
    model.b.weight = model.a.weight
    save_model(model, str(tmp_path / "once.safetensors"))
    assert len(load_file(tmp_path / "once.safetensors")) == 1
    once, twice = lock(tmp_path / "once.safetensors")[0], spec.contents(model.state_dict())
    assert once["contents"] == twice


def test_fused_tensors_leave_it_unknown(run, routes, tmp_path):
    """timm's and mae's qkv is transformers' query, key and value, stacked: a lock holds digests of one or the other."""
    hf = routes / "trained" / "hf"
    for name, words in (("hf", ["lock", hf]), ("mae", ["convert", hf, tmp_path / "mae.pth", "--to", "mae"]), ("mae", ["lock", tmp_path / "mae.pth"])):
        words += ["-o", tmp_path / f"{name}.lock"] if words[0] == "lock" else []
        subprocess.run([str(PROGRAM), *map(str, words)], check=True, capture_output=True)
    for path, locked in ((tmp_path / "mae.pth", "hf"), (hf, "mae")):
        report = run("verify", path, tmp_path / f"{locked}.lock")
        assert report["verdict"] == "unknown" and "fused on one side" in str(report["not_checked"])
        assert report["weights"][0]["verdict"] == "unknown" and not report.causes("cause", "contributes")
    state = torch.load(tmp_path / "mae.pth", weights_only=True)["model"]
    state["blocks.0.mlp.fc1.bias"] += 1
    torch.save({"model": state}, tmp_path / "mae.pth")
    assert run("verify", tmp_path / "mae.pth", tmp_path / "hf.lock").causes("cause") == {"weights.changed"}


def mixtral(folder, name, order=None):
    """Saved as a directory, its experts one by one, and as a state dict of transformers 5, which holds them in one tensor."""
    import transformers

    torch.manual_seed(4)
    config = transformers.MixtralConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                                        num_local_experts=4, vocab_size=60)
    model = transformers.MixtralForCausalLM(config)
    if order is not None:
        model.load_state_dict({name: value[order] if ".mlp." in name else value for name, value in model.state_dict().items()})
    model.save_pretrained(folder / name)
    torch.save(model.state_dict(), folder / f"{name}.pth")


def test_experts_of_a_lock(run, tmp_path):
    mixtral(tmp_path, "locked")
    mixtral(tmp_path, "moved", torch.tensor([1, 0, 3, 2]))
    subprocess.run([str(PROGRAM), "lock", str(tmp_path / "locked"), "-o", str(tmp_path / "lock")], check=True, capture_output=True)
    stacked = run("verify", tmp_path / "locked.pth", tmp_path / "lock")
    assert stacked["verdict"] == "unknown" and "fused on one side" in str(stacked["not_checked"]) and not stacked.causes("cause", "contributes")
    found = run("verify", tmp_path / "moved", tmp_path / "lock")
    said = found.finding("weights.changed")
    assert {name.split(".")[-2] for name in said["evidence"]["tensors"]} == {"gate"}
    assert [line.split(": ")[1] for line in said["details"][:2]] == ["another digest"] * 2
