"""convert and check --write: what they write, loaded by torch, safetensors, numpy and both versions of transformers."""

import hashlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import numpy
import pytest
import torch
from check_targets_test import CONFIGS
from conftest import PROGRAM
from safetensors import safe_open
from safetensors.torch import load_file, save_file

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


def convert(*words, status=0):
    done = subprocess.run([str(PROGRAM), "convert", *map(str, words), "--json"], capture_output=True, text=True, timeout=120)
    assert done.returncode == status, done.stderr
    if status:
        assert json.loads(done.stdout)["not_checked"]
        return done.stderr
    written = json.loads(done.stdout)
    assert written["schema"] == "samebits.convert/1" and written["verified"] is True
    return written


def raw(tensor):
    return (tensor.dtype, tuple(tensor.shape), tensor.detach().resolve_conj().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")


def assert_same(found, expected):
    assert list(found) and set(found) == set(expected)
    for name, tensor in expected.items():
        assert raw(found[name]) == raw(tensor), name


def every_type():
    torch.manual_seed(0)
    kinds = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz,
             torch.float8_e5m2fnuz, torch.float8_e8m0fnu, torch.complex64, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16,
             torch.uint32, torch.uint64, torch.bool]
    state = {}
    for kind in kinds:
        size = torch.empty(0, dtype=kind).element_size()
        data = torch.randint(0, 2 if kind == torch.bool else 120, (5 * size,), dtype=torch.uint8)
        state[f"of.{str(kind)[6:]}"] = data.view(kind).clone()
    return state | {
        "scalar": torch.tensor(1.5), "empty": torch.zeros(0, 3), "transposed": torch.randn(3, 5).t(), "part": torch.randn(4, 4)[1:3, :2],
        "expanded": torch.randn(3, 1).expand(3, 4), "conj": torch.randn(3, dtype=torch.complex64).conj(), "ünï": torch.randn(2),
    }


def test_torch_reads_every_type_with_weights_only(tmp_path):
    state = every_type() | {"wide": torch.randn(2, dtype=torch.complex128), "half": torch.randn(2, dtype=torch.complex64).to(torch.complex32)}
    torch.save(state, tmp_path / "in.pth")
    for name in ("a.pth", "b.pth"):
        written = convert(tmp_path / "in.pth", tmp_path / name, "--to", "torch")
    assert written["tensors"] == len(state) and written["renamed"] == 0
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "b.pth").read_bytes()
    for mmap in (False, True):
        loaded = torch.load(tmp_path / "a.pth", weights_only=True, mmap=mmap)
        assert_same(loaded, state)
        assert list(loaded) == list(state)
    subprocess.run([sys.executable, "-m", "zipfile", "-t", str(tmp_path / "a.pth")], check=True, capture_output=True)


def test_safetensors_reads_every_type_that_it_has(tmp_path):
    state = every_type()
    torch.save(state, tmp_path / "in.pth")
    convert(tmp_path / "in.pth", tmp_path / "a.safetensors", "--to", "safetensors")
    assert_same(load_file(tmp_path / "a.safetensors"), state)
    header = int.from_bytes((tmp_path / "a.safetensors").read_bytes()[:8], "little")
    assert (8 + header) % 64 == 0
    assert "complex128, which the format has not" in refused_type(state | {"x": torch.randn(2, dtype=torch.complex128)}, tmp_path, "safetensors")


def refused_type(state, tmp_path, form):
    torch.save(state, tmp_path / "other.pth")
    text = convert(tmp_path / "other.pth", tmp_path / "refused", "--to", form, status=2)
    assert not (tmp_path / "refused").exists()
    return text


def test_numpy_reads_every_type_that_it_has(tmp_path):
    state = {name: tensor for name, tensor in every_type().items() if "float8" not in name and name != "of.bfloat16"}
    torch.save(state, tmp_path / "in.pth")
    convert(tmp_path / "in.pth", tmp_path / "a.npz", "--to", "npz")
    with numpy.load(tmp_path / "a.npz", allow_pickle=False) as arrays:
        assert_same({name: torch.from_numpy(arrays[name].copy()) for name in arrays.files}, state)
    assert "bfloat16, which the format has not" in refused_type(every_type(), tmp_path, "npz") or "float8" in refused_type(every_type(), tmp_path, "npz")


def test_ties_are_written_as_each_format_writes_them(tmp_path):
    shared = torch.randn(3, 4)
    state = {"b": shared, "a": shared, "view": shared[:2], "c": shared.clone()}
    torch.save(state, tmp_path / "in.pth")
    assert convert(tmp_path / "in.pth", tmp_path / "a.pth", "--to", "torch")["tied"] == 1
    loaded = torch.load(tmp_path / "a.pth", weights_only=True)
    assert_same(loaded, state)
    assert loaded["a"].data_ptr() == loaded["b"].data_ptr() != loaded["c"].data_ptr()
    convert(tmp_path / "in.pth", tmp_path / "a.safetensors", "--to", "safetensors")
    with safe_open(tmp_path / "a.safetensors", "pt") as file:
        assert set(file.keys()) == {"a", "view", "c"} and file.metadata() == {"format": "pt", "b": "a"}
    convert(tmp_path / "in.pth", tmp_path / "a.npz", "--to", "npz")
    with numpy.load(tmp_path / "a.npz") as arrays:
        assert set(arrays.files) == set(state)


@pytest.mark.parametrize("to", ["float64", "float32", "float16", "bfloat16"])
def test_casts_are_those_of_torch(to, tmp_path):
    torch.manual_seed(1)
    values = torch.cat([torch.randn(3000) * 10.0 ** torch.randint(-44, 38, (3000,)), torch.tensor([0.0, -0.0, float("inf"), -float("inf"), 65519.0, 65520.0, 6e-8, 3e-8])])
    state = {str(kind)[6:]: values.to(kind) for kind in DTYPES.values()} | {"fp8": values[:100].to(torch.float8_e5m2), "ids": torch.arange(4), "mask": torch.tensor([True])}
    kind = getattr(torch, to)
    state = {name: tensor[~tensor.isnan() & (tensor.to(kind).isinf() == tensor.isinf())] if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    torch.save(state, tmp_path / "in.pth")
    written = convert(tmp_path / "in.pth", tmp_path / "out.safetensors", "--to", "safetensors", "--dtype", to)
    expected = {name: tensor.to(kind) if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    assert_same(load_file(tmp_path / "out.safetensors"), expected)
    changed = [name for name, tensor in state.items() if not torch.equal(tensor.double(), expected[name].double())]
    assert written["rounded"] == len(changed) and written["cast"] == sum(state[n].dtype != expected[n].dtype for n in state)


def test_nan_and_what_would_become_infinite_are_not_cast(tmp_path):
    save_file({"w": torch.tensor([1.0, float("nan")])}, tmp_path / "in.safetensors")
    assert "w: it holds NaN" in convert(tmp_path / "in.safetensors", tmp_path / "out", "--to", "torch", "--dtype", "bfloat16", status=2)
    save_file({"w": torch.tensor([1.0, 7e4])}, tmp_path / "large.safetensors")
    said = convert(tmp_path / "large.safetensors", tmp_path / "out", "--to", "torch", "--dtype", "float16", status=2)
    assert "w: it holds 70000, which would become infinite in float16" in said and not (tmp_path / "out").exists()
    convert(tmp_path / "large.safetensors", tmp_path / "large", "--to", "torch", "--dtype", "bfloat16")
    convert(tmp_path / "in.safetensors", tmp_path / "out", "--to", "torch")
    assert raw(torch.load(tmp_path / "out")["w"]) == raw(load_file(tmp_path / "in.safetensors")["w"])


def test_nothing_is_overwritten_and_nothing_half_written_stays(tmp_path):
    save_file({"w": torch.ones(2)}, tmp_path / "in.safetensors")
    for form, out in (("torch", "a"), ("safetensors", "a")):
        (tmp_path / "a").write_text("mine")
        assert "it exists" in convert(tmp_path / "in.safetensors", tmp_path / out, "--to", form, status=2)
        assert (tmp_path / "a").read_text() == "mine"
        convert(tmp_path / "in.safetensors", tmp_path / out, "--to", form, "--force")
    assert "not overwritten" in convert(tmp_path / "in.safetensors", tmp_path / "in.safetensors", "--to", "torch", "--force", status=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "in.safetensors"]


def test_prefix_and_key(tmp_path):
    state = {"model.a": torch.randn(2), "model.b": torch.randn(3)}
    torch.save({"state_dict": state, "ema": {name: tensor + 1 for name, tensor in state.items()}, "epoch": 3}, tmp_path / "in.pth")
    written = convert(tmp_path / "in.pth", tmp_path / "a.pth", "--to", "torch", "--strip-prefix", "model.")
    assert_same(torch.load(tmp_path / "a.pth"), {"a": state["model.a"], "b": state["model.b"]})
    assert "2 tensors outside the weights" in str(written["left_out"])
    convert(tmp_path / "in.pth", tmp_path / "b.pth", "--to", "torch", "--key", "ema")
    assert_same(torch.load(tmp_path / "b.pth"), {name: tensor + 1 for name, tensor in state.items()})
    assert "model.a does not begin with model.b" in convert(tmp_path / "in.pth", tmp_path / "c", "--to", "torch", "--strip-prefix", "model.b", status=2)


REFUSED = {
    "quantized": lambda: {"w": torch.quantize_per_tensor(torch.randn(4), 0.1, 0, torch.qint8)},
    "sparse": lambda: {"w": torch.eye(3).to_sparse()},
    "extra": lambda: {"w": torch.randn(3), "_extra_state": {"scale": 3}},
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_written_exactly_is_refused_by_name(kind, tmp_path):
    torch.save(REFUSED[kind](), tmp_path / "in.pth")
    text = convert(tmp_path / "in.pth", tmp_path / "out", "--to", "safetensors", status=2)
    assert ("_extra_state" if kind == "extra" else "w") in text and not (tmp_path / "out").exists()


def test_a_tensor_without_a_name_is_refused(tmp_path):
    numpy.save(tmp_path / "one.npy", numpy.ones(3, "f4"))
    torch.save(torch.ones(3), tmp_path / "one.pth")
    for name in ("one.npy", "one.pth"):
        said = convert(tmp_path / name, tmp_path / "out", "--to", "safetensors", status=2)
        assert f"{name}: it is one tensor without a name, which all formats need" in said and not (tmp_path / "out").exists()


@pytest.mark.parametrize("to", ["timm", "torchvision"])
def test_a_model_that_a_library_does_not_know_is_refused_with_what_to_say_here(to, tmp_path):
    torch.save(torch.nn.Linear(3, 4).state_dict(), tmp_path / "in.pth")
    said = convert(tmp_path / "in.pth", tmp_path / "out", "--to", to, status=2)
    assert "in.pth: nothing says which class" in said and f"Name it: --to {to}:ClassName; or keep the names" in said


LOAD = '''
import hashlib, json, sys, warnings
warnings.simplefilter("ignore")
import torch, transformers as T
T.logging.set_verbosity_error()
T.logging.disable_progress_bar()
found = {}
for folder, name in json.loads(sys.argv[1]):
    model, info = getattr(T, name).from_pretrained(folder, output_loading_info=True)
    problems = {key: sorted(map(str, value)) for key, value in info.items() if value}
    model.eval()
    torch.manual_seed(3)
    size = model.config.image_size
    images = torch.randn(2, 3, *([size, size] if isinstance(size, int) else size))
    torch.manual_seed(4)
    with torch.no_grad():
        out = model(images.to(model.dtype))
    digest = hashlib.sha256()
    for key, value in out.items():
        if isinstance(value, torch.Tensor):
            digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    state = {key: hashlib.sha256(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest() for key, value in model.state_dict().items()}
    found[folder] = {"problems": problems, "outputs": digest.hexdigest(), "state": state, "dtype": str(model.dtype)}
print(json.dumps(found))
'''
SAVE = '''
import json, os, sys, warnings
warnings.simplefilter("ignore")
import torch, transformers as T
T.logging.set_verbosity_error()
T.logging.disable_progress_bar()
out = sys.argv[1]
for name, fields in json.loads(sys.argv[2]).items():
    torch.manual_seed(1)
    config = getattr(T, name).config_class(**fields)
    model = getattr(T, name)(config).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn(p.shape) * 0.05)
    model.save_pretrained(f"{out}/{name}/hf")
    torch.save(model.state_dict(), f"{out}/{name}/bare.pth")
    try:
        torch.save(torch.nn.Sequential(model), f"{out}/{name}/whole.pth")
    except AttributeError:  # 5.24.0 hooks some models with local functions, which no pickle holds
        os.remove(f"{out}/{name}/whole.pth")
'''


def python(interpreter, script, *arguments):
    done = subprocess.run([str(interpreter), "-c", textwrap.dedent(script), *map(str, arguments)], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def saved(tmp_path_factory, python_t4):
    """Folder of every class, for each version that saved it."""
    out = tmp_path_factory.mktemp("saved")
    for version, interpreter in (("5", sys.executable), ("4", python_t4)):
        (out / version).mkdir()
        python(interpreter, SAVE, out / version, json.dumps(CONFIGS))
    return out


@pytest.fixture(scope="module")
def directories(saved):
    """(version that saved it, class, route) -> the hf directory that convert wrote."""
    made = {}
    for version in "54":
        for name in CONFIGS:
            folder = saved / version / name
            for route in ("hf", "bare.pth", "whole.pth"):
                if not (folder / route).exists():
                    continue
                out = folder / f"from-{route}"
                words = ["--config", folder / "hf" / "config.json"] if route == "bare.pth" else []
                written = convert(folder / route, out, "--to", f"hf:{name}", *words)
                assert written["target"] == f"transformers-4:{name}"
                made[version, name, route] = out
    assert len(made) > 5 * len(CONFIGS)
    return made


@pytest.mark.parametrize("loader", ["5", "4"])
def test_both_versions_load_every_class_in_full_with_equal_bits(loader, directories, saved, python_t4):
    interpreter = sys.executable if loader == "5" else python_t4
    wanted = [(str(path), name) for (_, name, _), path in directories.items()]
    wanted += [(str(saved / loader / name / "hf"), name) for name in CONFIGS]
    found = json.loads(python(interpreter, LOAD, json.dumps(wanted)))
    for (version, name, route), path in directories.items():
        truth, loaded = found[str(saved / loader / name / "hf")], found[str(path)]
        assert not loaded["problems"], (version, name, route, loaded["problems"])
        if version == loader:  # the same seed gives both versions other weights
            assert loaded == truth, (version, name, route)
        state = hashes(saved / version / name / "bare.pth")
        assert sorted(state) == sorted(loaded["state"].values()), (version, name, route)


def hashes(path):
    return [hashlib.sha256(t.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest() for t in torch.load(path, weights_only=True).values()]


@pytest.mark.parametrize("library, first", [("timm", "blocks.0.attn.qkv.weight"), ("mae", "blocks.0.attn.qkv.weight"), ("torchvision", "encoder.layers.encoder_layer_0.self_attention.in_proj_weight")])
def test_other_libraries_names_and_back(library, first, saved, run, tmp_path):
    name = "ViTMAEForPreTraining" if library == "mae" else "ViTForImageClassification"
    hf = saved / "5" / name / "hf"
    convert(hf, tmp_path / "there.pth", "--to", library)
    state = torch.load(tmp_path / "there.pth", weights_only=True)
    state = state["model"] if library == "mae" else state
    assert first in state
    assert run("check", tmp_path / "there.pth", "--for", library)["verdict"] == "clean"
    convert(tmp_path / "there.pth", tmp_path / "back", "--to", f"hf:{name}", "--config", hf / "config.json")
    report = run("diff", hf, tmp_path / "back")
    assert report["verdict"] == "same" and report["weights"][0]["verdict"] == "identical"
    done = subprocess.run([str(PROGRAM), "diff", str(hf), str(tmp_path / "there.pth"), "--json"], capture_output=True, timeout=60)
    weights = json.loads(done.stdout)["weights"][0]
    assert done.returncode == 0 and weights["verdict"] in ("identical", "same-values") and not weights["only_a"] + weights["only_b"]


def test_a_spoiled_decoder_is_repaired_and_proved(saved, tmp_path, python_t4):
    """5.24.0 writes the decoder of ViT-MAE under names that 4.57.6 leaves at random values."""
    hf = saved / "5" / "ViTMAEForPreTraining" / "hf"
    for target in ("transformers-4", "transformers-4:ViTMAEForPreTraining"):
        out = tmp_path / target.replace(":", "-")
        done = subprocess.run([str(PROGRAM), "check", str(hf), "--for", target, "--write", str(out), "--json"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        written = json.loads(done.stdout)
        assert written["loads"]["loaded"] == written["loads"]["target_tensors"] == written["tensors"]
        assert written["outputs"] == f"outputs are bit-identical to those of {hf}"
        for interpreter in (sys.executable, python_t4):
            found = json.loads(python(interpreter, LOAD, json.dumps([[str(out), "ViTMAEForPreTraining"]])))[str(out)]
            assert not found["problems"]
    before = json.loads(python(sys.executable, LOAD, json.dumps([[str(hf), "ViTMAEForPreTraining"], [str(out), "ViTMAEForPreTraining"]])))
    assert before[str(hf)] == before[str(out)]
    again = subprocess.run([str(PROGRAM), "check", str(out), "--for", "transformers-4", "--write", str(tmp_path / "x")], capture_output=True, text=True)
    assert again.returncode == 2 and "nothing is to be repaired" in again.stderr


def test_a_repair_for_a_target_file(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    torch.save({f"module.net.{name}": tensor for name, tensor in model.state_dict().items()}, tmp_path / "in.pth")
    (tmp_path / "list.json").write_text(json.dumps({name: list(t.shape) for name, t in model.state_dict().items()}))
    words = [str(PROGRAM), "check", str(tmp_path / "in.pth"), "--for", str(tmp_path / "list.json"), "--write", str(tmp_path / "out.pth")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "4 of 4 tensors load into" in done.stdout and "outputs were not compared" in done.stdout
    model.load_state_dict(torch.load(tmp_path / "out.pth"), strict=True)
    assert_same(torch.load(tmp_path / "out.pth"), model.state_dict())


@pytest.mark.parametrize("sizes", [(8, 8, 8, 2), (8, 8, 8, 8)])
def test_a_repair_of_layers_that_are_counted_otherwise(sizes, tmp_path):
    """Layers 0, 1, 2 for 0, 2, 4 of a Sequential with activations: names of both mean other layers, and values tell."""
    layers = [torch.nn.Linear(x, y) for x, y in itertools.pairwise(sizes)]
    torch.save(torch.nn.Sequential(*layers).state_dict(), tmp_path / "dense.pth")
    model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1], torch.nn.ReLU(), layers[2])
    torch.save(model.state_dict(), tmp_path / "target.pth")
    made = check_lines(tmp_path / "dense.pth", tmp_path / "target.pth", torch.load(tmp_path / "dense.pth"))
    assert_same(dict(sorted(made.items())), dict(sorted(model.state_dict().items())))
    words = [str(PROGRAM), "check", str(tmp_path / "dense.pth"), "--for", str(tmp_path / "target.pth"), "--write", str(tmp_path / "out.pth")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert_same(dict(sorted(torch.load(tmp_path / "out.pth").items())), dict(sorted(model.state_dict().items())))


def check_lines(source, target, state):
    """What --python prints, run on the tensors."""
    done = subprocess.run([str(PROGRAM), "check", str(source), "--for", str(target), "--python"], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    space = {}
    exec(compile(done.stdout, "repair", "exec"), space)
    before = dict(state)
    made = space["repaired"](state)
    assert list(state) == list(before) and all(state[name] is before[name] for name in state)
    return made


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_a_repair_that_cuts_and_stacks(library, there, saved, tmp_path):
    """Into a file's names: written by --write, and by the lines that --python prints."""
    hf = saved / "5" / "ViTForImageClassification" / "hf"
    convert(hf, tmp_path / "plain.pth", "--to", "torch")
    convert(hf, tmp_path / "other.pth", "--to", library)
    source, target = (tmp_path / name for name in (("plain.pth", "other.pth") if there else ("other.pth", "plain.pth")))
    wanted = torch.load(target, weights_only=True)
    made = check_lines(source, target, torch.load(source, weights_only=True))
    assert_same(dict(sorted(made.items())), dict(sorted(wanted.items())))
    done = subprocess.run([str(PROGRAM), "check", str(source), "--for", str(target), "--write", str(tmp_path / "fixed.pth")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written = torch.load(tmp_path / "fixed.pth", weights_only=True)
    assert_same(dict(sorted(written.items())), dict(sorted(wanted.items())))


def test_lines_for_renamings(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    wrapped = {f"module.net.{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save(wrapped, tmp_path / "in.pth")
    torch.save(model.state_dict(), tmp_path / "target.pth")
    assert_same(check_lines(tmp_path / "in.pth", tmp_path / "target.pth", wrapped), model.state_dict())
    words = [str(PROGRAM), "check", str(tmp_path / "target.pth"), "--for", str(tmp_path / "target.pth"), "--python"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 2 and "nothing is to be repaired" in done.stderr


def test_shards_are_those_that_transformers_loads(saved, tmp_path, python_t4):
    hf = saved / "4" / "ViTModel" / "hf"
    written = convert(hf, tmp_path / "out", "--to", "hf", "--shard-size", "20KB")
    shards = [name for name in written["files"] if name.startswith("model-")]
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert len(shards) > 2 and set(index["weight_map"].values()) == set(shards)
    assert index["metadata"]["total_size"] == written["bytes"]
    sizes = [sum(t.numel() * t.element_size() for t in load_file(tmp_path / "out" / shard).values()) for shard in shards]
    assert all(size <= 20_000 or len(load_file(tmp_path / "out" / shard)) == 1 for shard, size in zip(shards, sizes))
    for interpreter in (sys.executable, python_t4):
        found = json.loads(python(interpreter, LOAD, json.dumps([[str(hf), "ViTModel"], [str(tmp_path / "out"), "ViTModel"]])))
        assert found[str(hf)] == found[str(tmp_path / "out")]


def test_a_cast_directory_loads_in_its_type(saved, tmp_path, python_t4):
    hf = saved / "5" / "ViTModel" / "hf"
    convert(hf, tmp_path / "out", "--to", "hf", "--dtype", "bfloat16")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"
    found = json.loads(python(sys.executable, LOAD, json.dumps([[str(tmp_path / "out"), "ViTModel"]])))[str(tmp_path / "out")]
    assert found["dtype"] == "torch.bfloat16" and not found["problems"]
    expected = {name: tensor.bfloat16() for name, tensor in load_file(hf / "model.safetensors").items()}
    assert sorted(map(raw, load_file(tmp_path / "out" / "model.safetensors").values()), key=str) == sorted(map(raw, expected.values()), key=str)


def test_a_directory_is_replaced_only_where_nothing_else_is_lost(saved, tmp_path):
    hf, out = saved / "5" / "ViTModel" / "hf", tmp_path / "out"
    (tmp_path / "in").mkdir()
    shutil.copytree(hf, tmp_path / "in", dirs_exist_ok=True)
    (tmp_path / "in" / "notes.txt").write_text("mine")
    (tmp_path / "in" / "preprocessor_config.json").write_text('{"size": 16}')
    written = convert(tmp_path / "in", out, "--to", "hf")
    assert (out / "preprocessor_config.json").read_text() == '{"size": 16}' and written["left_out"] == ["notes.txt"]
    assert "not empty" in convert(hf, out, "--to", "hf", status=2)
    convert(hf, out, "--to", "hf", "--force")
    assert not (out / "preprocessor_config.json").exists()
    (out / "mine.txt").write_text("mine")
    assert "mine.txt" in convert(hf, out, "--to", "hf", "--force", status=2)
    assert (out / "mine.txt").exists() and sorted(p.name for p in tmp_path.iterdir()) == ["in", "out"]


def test_a_config_is_needed_and_every_tensor_needs_a_place(saved, tmp_path):
    folder = saved / "5" / "ViTForImageClassification"
    assert "--config" in convert(folder / "bare.pth", tmp_path / "x", "--to", "hf", status=2)
    text = convert(folder / "hf", tmp_path / "x", "--to", "hf:ViTModel", status=2)
    assert "classifier.weight" in text or "pooler" in text
    state = torch.load(folder / "bare.pth", weights_only=True)
    torch.save({name: tensor for name, tensor in state.items() if "fc1" not in name}, tmp_path / "less.pth")
    assert "needs" in convert(tmp_path / "less.pth", tmp_path / "x", "--to", "hf", "--config", folder / "hf" / "config.json", status=2)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("form", ["torch", "hf"])
def test_an_interrupt_leaves_nothing(form, tmp_path):
    (tmp_path / "in").mkdir()
    save_file({f"w{i}": torch.zeros(1 << 22) for i in range(8)}, tmp_path / "in" / "model.safetensors")
    (tmp_path / "in" / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "out").mkdir()
    target = tmp_path / "out" / "x"
    running = subprocess.Popen([str(PROGRAM), "convert", str(tmp_path / "in"), str(target), "--to", form], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while running.poll() is None and not list((tmp_path / "out").iterdir()):
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    left = [path.name for path in (tmp_path / "out").iterdir()]
    assert left == [] or left == ["x"]
    if left:  # it was done before the signal came
        assert subprocess.run([str(PROGRAM), "diff", tmp_path / "in", target], capture_output=True, timeout=120).returncode == 0


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    save_file({"w": torch.zeros(1 << 20)}, tmp_path / "in.safetensors")
    (tmp_path / "out").mkdir()
    words = f"ulimit -f 1024; exec '{PROGRAM}' convert '{tmp_path}/in.safetensors' '{tmp_path}/out/x' --to torch"
    done = subprocess.run(["bash", "-c", words], capture_output=True, text=True)
    assert done.returncode == 2 and "cannot write" in done.stderr and os.listdir(tmp_path / "out") == []
    assert pathlib.Path(tmp_path / "in.safetensors").exists()
