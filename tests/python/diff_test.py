"""diff() and assert_same() of paths, state_dicts and modules say what the program says of files."""

import json
import subprocess

import numpy as np
import pytest
import torch

import samebits


def model(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.LayerNorm(16), torch.nn.Linear(16, 4))


def test_a_report_is_what_the_program_prints(example, program):
    paths = [str(example / name) for name in ("hf", "whole.pth")]
    report = samebits.diff(*paths)
    printed = subprocess.run([program, "diff", *paths, "--json"], capture_output=True, text=True)
    assert report.to_json() == printed.stdout
    assert report.exit_status == printed.returncode
    screen = subprocess.run([program, "diff", *paths], capture_output=True, text=True, env={"COLUMNS": "80"})
    assert str(report) + "\n" == screen.stdout
    assert report.text(all=True) == subprocess.run([program, "diff", *paths, "--all"], capture_output=True, text=True, env={}).stdout


def test_the_keys_of_the_json_are_attributes(example):
    report = samebits.diff(example / "hf", example / "whole.pth")
    data = json.loads(report.to_json())
    for key, value in data.items():
        assert getattr(report, key) == value, key
    assert report.weights[0].matched == data["weights"][0]["matched"]
    assert report.diagnosis in repr(report)
    with pytest.raises(AttributeError, match="nosuch"):
        report.nosuch
    with pytest.raises(TypeError):
        bool(report)
    assert report._repr_html_().startswith("<iframe srcdoc=")
    assert report.to_html().startswith("<!DOCTYPE html>")


def test_a_module_its_state_dict_and_its_file_are_the_same(tmp_path):
    one = model()
    torch.save(one.state_dict(), tmp_path / "one.pth")
    arrays = {name: value.numpy() for name, value in one.state_dict().items()}
    for other in (one, one.state_dict(), arrays, tmp_path / "one.pth"):
        report = samebits.diff(one.state_dict(), other)
        assert report.verdict == "same", report
        assert report.weights[0].verdict == "identical"
        samebits.assert_same(other, tmp_path / "one.pth")


def test_a_module_is_what_torch_save_would_write(tmp_path, example):
    one = model().eval()
    one.register_buffer("steps", torch.arange(3), persistent=False)
    torch.save(one, tmp_path / "one.pth")
    report = samebits.diff(one, tmp_path / "one.pth")
    assert (report.verdict, report.weights[0].verdict, report.findings) == ("same", "identical", []), report
    ours, theirs = report.subjects
    for key in ("kind", "description", "tensors", "parameters", "mode", "buffers", "config", "devices"):
        assert ours[key] == theirs[key], key


def test_a_real_model_is_its_file(example, tmp_path):
    from transformers import ViTMAEForPreTraining

    live = ViTMAEForPreTraining.from_pretrained(example / "hf")
    torch.save(live, tmp_path / "whole.pth")
    for other in (live, tmp_path / "whole.pth", example / "hf", live.state_dict()):
        report = samebits.diff(live, other)
        assert report.verdict == "same" and report.weights[0].verdict == "identical", report
    live.config.mask_ratio = 0.5
    live.train()
    causes = {finding.cause for finding in samebits.diff(live, tmp_path / "whole.pth").findings}
    assert {"config.changed", "mode.training"} <= causes


def test_mode_attributes_and_buffers_of_modules_count():
    def changed(change):
        other = model()
        change(other)
        return samebits.diff(model(), other)

    assert changed(lambda m: None).verdict == "same"
    assert changed(lambda m: setattr(m[1], "eps", 1e-3)).verdict == "different"
    assert any(f.cause == "mode.training" for f in changed(lambda m: m[1].eval()).findings)
    one, other = model(), model()
    for m, value in ((one, 1.0), (other, 2.0)):
        m.register_buffer("scale", torch.tensor(value), persistent=False)
    assert any(f.cause == "state.buffers" for f in samebits.diff(one, other).findings)


def test_a_module_that_cannot_be_pickled_says_what_is_not_compared():
    one, other = model(), model()
    one.scale = lambda x: x
    report = samebits.diff(one, other)
    (line,) = [line for line in report.not_checked if line.startswith("A: not compared: its mode, config, attributes")]
    assert "lambda" in line
    assert report.weights[0].verdict == "identical"
    other[0].bias.data[0] = 9
    assert samebits.diff(one, other).verdict == "different"


def test_one_bit_is_found_and_named():
    one, other = model(), model()
    with torch.no_grad():
        other[2].weight.view(torch.int32)[1, 2] ^= 1
    report = samebits.diff(one, other)
    assert report.verdict == "different"
    assert report.weights[0].tensors[0].a == "2.weight"
    assert report.weights[0].changed == 1
    with pytest.raises(samebits.NotSame) as caught:
        samebits.assert_same(one.state_dict(), other.state_dict())
    assert isinstance(caught.value, AssertionError)
    assert str(caught.value) == str(samebits.diff(one.state_dict(), other.state_dict()))
    assert "2.weight" in str(caught.value)
    samebits.assert_same(one, other, atol=1e-6)
    samebits.assert_same(one, other, filter="^0")


def test_memory_and_file_say_the_same_of_every_difference(tmp_path):
    base = {f"layers.{i}.{part}": torch.randn(8, 8) for i in range(4) for part in ("q", "k")}
    base["norm"] = torch.ones(8)
    renamed = {f"model.{name}": value for name, value in base.items()}
    swapped = {**base, "layers.0.q": base["layers.1.q"], "layers.1.q": base["layers.0.q"]}
    rounded = {name: value.bfloat16() for name, value in base.items()}
    missing = {name: value for name, value in base.items() if name != "norm"}
    turned = {**base, "layers.2.k": base["layers.2.k"].t()}
    torch.save(base, tmp_path / "a.pth")
    for number, other in enumerate([renamed, swapped, rounded, missing, turned]):
        path = tmp_path / f"{number}.pth"
        torch.save(other, path)
        files, memory = samebits.diff(tmp_path / "a.pth", path), samebits.diff(base, other)
        assert memory.verdict == files.verdict
        assert memory.weights == files.weights
        assert [f.cause for f in memory.findings if f.role != "note"] == [f.cause for f in files.findings if f.role != "note"]


def test_other_trainings_are_not_dated():
    report = samebits.diff(model(0), model(1))
    assert report.verdict == "different"
    assert "1970-" not in str(report) + report.to_json()


def test_ties_are_seen():
    tied = model().state_dict()
    tied["head"] = tied["2.weight"]
    apart = {name: value.clone() for name, value in tied.items()}
    assert samebits.diff(tied, apart).to_json() != samebits.diff(tied, dict(tied)).to_json()


VIEWS = {
    "transposed": lambda t: t.t(),
    "part": lambda t: t[1:, ::2],
    "expanded": lambda t: t[:1].expand(4, 8),
    "conjugate": lambda t: torch.complex(t, t).conj(),
    "negative": lambda t: torch.complex(t, t).conj().imag,
    "scalar": lambda t: t[0, 0],
    "empty": lambda t: t[:0],
    "bfloat16": lambda t: t.bfloat16(),
    "float8": lambda t: t.to(torch.float8_e5m2),
    "bool": lambda t: t > 0,
    "int64": lambda t: t.long(),
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_are_compared_as_torch_reads_them(name):
    view = VIEWS[name](torch.arange(64.0).reshape(8, 8) - 20)
    plain = view.resolve_conj().resolve_neg().clone(memory_format=torch.contiguous_format)
    assert samebits.fingerprint(view) == samebits.fingerprint(plain)
    other = {"x": view, "y": torch.ones(3)}
    assert samebits.diff(other, {"x": plain, "y": torch.ones(3)}).verdict == "same"


def test_arrays_of_numpy_in_any_layout():
    array = np.arange(24, dtype=np.float32).reshape(4, 6)
    for view in (array[::-1], array[:, ::2], array.T, array.astype(">f4"), np.asfortranarray(array), array[:0], np.float32(3)):
        assert samebits.fingerprint(np.asarray(view)) == samebits.fingerprint(np.ascontiguousarray(view, np.float32).reshape(np.shape(view)))


def test_what_cannot_be_compared_is_refused_by_name():
    cases = {
        "sparse": {"x": torch.eye(3).to_sparse()},
        "a dict of its own": {"x": {"y": torch.ones(2)}},
        "no tensor": {"x": torch.ones(2), "epoch": 3},
        "names are strings": {3: torch.ones(2)},
        "arrays of this type": {"x": np.array(["a"])},
    }
    for words, state in cases.items():
        with pytest.raises(samebits.Error, match=words if words != "sparse" else "several tensors"):
            samebits.diff(state, state)
    with pytest.raises(samebits.Error, match="neither a path"):
        samebits.diff(3, {})
    with pytest.raises(samebits.Error, match="no such file"):
        samebits.diff("nosuch", {"x": torch.ones(2)})
    with pytest.raises(samebits.Error) as caught:
        samebits.diff({"x": torch.ones(2)}, {"x": torch.ones(2)}, filter="(")
    assert caught.value.code == "usage"


def test_without_values_the_verdict_is_unknown():
    report = samebits.diff({"x": torch.ones(2, device="meta")}, {"x": torch.ones(2)})
    assert (report.verdict, report.exit_status) == ("unknown", 2)
    with pytest.raises(samebits.NotSame):
        samebits.assert_same({"x": torch.ones(2, device="meta")}, {"x": torch.ones(2, device="meta")})


def test_no_data_is_copied():
    import resource

    big = {"x": torch.ones(32 << 20), "y": torch.zeros(1000)}  # 128 MiB
    other = {name: value.clone() for name, value in big.items()}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert samebits.diff(big, other).verdict == "same"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


def test_a_report_keeps_what_it_is_about():
    import gc

    report = samebits.diff({"x": np.ones(1 << 20, np.float32)}, {"x": np.zeros(1 << 20, np.float32)})
    gc.collect()
    assert report.to_html() and report.verdict == "different"


def test_keys_choose(tmp_path):
    one, two = model(0).state_dict(), model(1).state_dict()
    torch.save({"model": one, "ema": two}, tmp_path / "both.pth")
    torch.save(two, tmp_path / "two.pth")
    assert samebits.diff(tmp_path / "both.pth", tmp_path / "two.pth").verdict == "different"
    assert samebits.diff(tmp_path / "both.pth", tmp_path / "two.pth", key=["ema", None]).verdict == "same"
    assert samebits.diff(samebits.open(tmp_path / "both.pth", key="ema"), tmp_path / "two.pth").verdict == "same"
    assert samebits.diff(tmp_path / "both.pth", tmp_path / "two.pth", key="ema").verdict == "same"
