"""Models of the ViT family inside larger models, saved by transformers 4.57.6 and 5.24.0, all values differing."""

import subprocess
import sys

import pytest

SAVE = '''
import sys
import torch, transformers as T
T.logging.set_verbosity_error()
out = sys.argv[1]
SIZE = dict(hidden_size=48, num_hidden_layers=2, num_attention_heads=3, image_size=32, patch_size=8)
MLP = dict(SIZE, intermediate_size=96)
torch.manual_seed(int(T.__version__[0]))
def state(name, config, **fields):
    model = getattr(T, name)(getattr(T, config)(**fields))
    return {k: v + torch.randn(v.shape) * 0.05 for k, v in model.state_dict().items()}
models = {
    "vit": state("ViTModel", "ViTConfig", **MLP), "deit": state("DeiTModel", "DeiTConfig", **MLP), "dinov2": state("Dinov2Model", "Dinov2Config", **SIZE),
    "mae": state("ViTMAEForPreTraining", "ViTMAEConfig", **MLP, decoder_hidden_size=32, decoder_num_hidden_layers=2, decoder_num_attention_heads=2, decoder_intermediate_size=64),
}
extra = {f"predictor.{i}.{w}": torch.randn(s) for i in range(6) for w, s in (("weight", (48, 48)), ("bias", (48,)))}
for name, tensors in models.items():
    for prefix in ("encoder.", "net.0.", "vit."):
        torch.save({prefix + k: v for k, v in tensors.items()} | extra, f"{out}/{name}-{prefix}pth")
other = state("ViTModel", "ViTConfig", **MLP)
torch.save({"student." + k: v for k, v in models["vit"].items()} | {"teacher." + k: v for k, v in other.items()} | extra, f"{out}/two.pth")
torch.save({"image." + k: v for k, v in models["vit"].items()} | {"depth." + k: v for k, v in models["dinov2"].items()} | extra, f"{out}/mixed.pth")
'''


@pytest.fixture(scope="module")
def folders(tmp_path_factory, python_t4):
    made = []
    for name, python in (("four", python_t4), ("five", sys.executable)):
        folder = tmp_path_factory.mktemp(name)
        done = subprocess.run([str(python), "-c", SAVE, str(folder)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-2000:]
        made.append(folder)
    return made


def as_in_5(name):
    """A name of a ViT of 4.57.6 in 5.24.0."""
    for old, new in (("encoder.layer.", "layers."), ("attention.attention.query", "attention.q_proj"), ("attention.attention.key", "attention.k_proj"),
                     ("attention.attention.value", "attention.v_proj"), ("attention.output.dense", "attention.o_proj"),
                     ("intermediate.dense", "mlp.fc1"), ("output.dense", "mlp.fc2")):
        name = name.replace(old, new)
    return name


@pytest.mark.parametrize("name", [f"{m}-{p}pth" for m in ("vit", "deit", "dinov2", "mae") for p in ("encoder.", "net.0.", "vit.")] + ["two.pth", "mixed.pth"])
def test_all_tensors_pair_by_names(name, run, folders):
    report = run("diff", folders[0] / name, folders[1] / name)
    pair = report.pair("B")
    assert pair["verdict"] == "different" and not pair["only_a"] and not pair["only_b"]
    assert pair["matched"] == report["subjects"][0]["tensors"] == report["subjects"][1]["tensors"]


def test_each_of_two_models_pairs_with_its_own(run, folders):
    pairs = {tensor["a"]: tensor["b"] for tensor in run("diff", folders[0] / "two.pth", folders[1] / "two.pth").pair("B")["tensors"]}
    assert len(pairs) > 20
    for a, b in pairs.items():
        prefix, _, name = a.partition(".")
        assert b == f"{prefix}.{as_in_5(name)}"
