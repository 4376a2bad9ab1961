"""Quantized weights against the numbers that their libraries give: bitsandbytes, compressed-tensors, torchao, transformers' fp8, GPTQ, AWQ.

SAMEBITS_PYTHON_QUANTIZERS  an interpreter with tests/requirements-quantizers.txt
"""

import json
import os
import shutil
import subprocess

import pytest
import torch
from conftest import PROGRAM, call, missing
from safetensors.torch import load_file, save_file
from sampling import made_once

GROUPS = {
    "bitsandbytes": ("nf4", "fp4", "int8"),
    "compressed-tensors": ("packed", "naive", "float"),
    "fine-grained fp8": ("fine",),
    "torchao": ("ao",),
    "GPTQ and AWQ": ("gptq", "awq"),
}


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    python = os.environ.get("SAMEBITS_PYTHON_QUANTIZERS")
    if not python:
        missing("SAMEBITS_PYTHON_QUANTIZERS names no interpreter with bitsandbytes, compressed-tensors and torchao")
    return made_once(tmp_path_factory, "quantized", lambda out: call(python, "make_quantized.py", out))


def forms(made, group):
    found = {k: v for k, v in json.loads((made / "forms.json").read_text()).items() if k.startswith(GROUPS[group])}
    assert found
    return found.items()


def convert(source, target, *options):
    words = [str(PROGRAM), "convert", str(source), str(target), *options, "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    return done, json.loads(done.stdout)


def evidence_of(report):
    return report.finding("weights.quantized")["evidence"]


@pytest.mark.parametrize("group", GROUPS)
def test_codes_are_held_against_what_they_were_rounded_from(group, made, run):
    for name, form in forms(made, group):
        report = run("diff", made / "plain.safetensors", made / form["path"])
        evidence = evidence_of(report)
        assert (name, report["verdict"], evidence["computed"], evidence["forms"]) == (name, "different", 2, [form["form"]])
        assert evidence["beyond_rounding"] == 0 and 0.4 < evidence["largest_error"] < 1.5 and 0 < evidence["relative_error"] < 0.5, name
        assert "rounded to the nearest code" in report.finding("weights.quantized")["details"][0], name
        assert not report.findings("file.mixup") and not report["not_checked"] and not report.findings("weights.missing") and not report.findings("weights.changed"), name


def in_directory(folder, tensors, **quantization):
    folder.mkdir()
    shutil.copy(tensors, folder / "model.safetensors")
    config = {"model_type": "llama", "hidden_size": 64}
    (folder / "config.json").write_text(json.dumps(config | ({"quantization_config": quantization} if quantization else {})))
    return folder


def test_settings_by_which_stored_codes_are_not_read_are_notes(made, run, tmp_path):
    """bitsandbytes' from_prequantized() takes them from the file."""
    stored = made / dict(forms(made, "bitsandbytes"))["nf4-float32"]["path"]
    four = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "llm_int8_threshold": 6.0, "bnb_4bit_compute_dtype": "float32"}
    a = in_directory(tmp_path / "a", stored, **four)
    b = in_directory(tmp_path / "b", stored, **four | {"bnb_4bit_quant_type": "fp4", "llm_int8_threshold": 3.0})
    assert run("diff", a, b)["verdict"] == "same"
    c = in_directory(tmp_path / "c", stored, **four | {"bnb_4bit_compute_dtype": "bfloat16"})
    assert run("diff", a, c)["verdict"] == "different"
    report = run("diff", in_directory(tmp_path / "plain", made / "plain.safetensors"), a)
    (finding,) = report.findings("config.changed")
    assert finding["role"] == "note" and list(finding["evidence"]["fields"]) == ["quantization_config.quant_method"]


# What the libraries write back where the nearest code was taken, and the scale is not rounded in between.
WRITTEN_BACK = {"nf4-float32": "nf4 levels", "nf4-256": "nf4 levels", "nf4-nested-float32": "nf4 levels", "fp4-float32": "fp4 levels", "int8": "8-bit levels",
                "packed4": "4-bit levels", "packed8-zeros": "8-bit levels", "naive-rows": "8-bit levels", "float-one": "float8_e4m3fn levels", "ao-int8": "8-bit levels"}


@pytest.mark.parametrize("name", WRITTEN_BACK)
def test_numbers_that_were_written_back_are_told_from_a_training(name, made, run, tmp_path):
    truth, plain = load_file(made / f"{name}.truth.safetensors"), load_file(made / "plain.safetensors")
    save_file({k: plain[k] for k in truth}, tmp_path / "plain.safetensors")
    report = run("diff", tmp_path / "plain.safetensors", made / f"{name}.truth.safetensors")
    assert report["diagnosis"].startswith(f"B holds A's weights rounded to {WRITTEN_BACK[name]}, a scale for ")
    assert not report.findings("weights.changed") and not report.findings("file.mixup")


@pytest.mark.parametrize("group", GROUPS)
def test_the_numbers_are_those_of_the_library(group, made, tmp_path):
    for name, form in forms(made, group):
        done, said = convert(made / form["path"], tmp_path / name, "--to", "safetensors", "--dequantize")
        assert done.returncode == 0 and said["dequantized"] == 2, (name, done.stderr)
        found, truth = load_file(tmp_path / name), load_file(made / f"{name}.truth.safetensors")
        assert set(found) == set(truth) | {"0.bias", "2.bias"}, name
        for weight, value in truth.items():
            assert found[weight].dtype == value.dtype and torch.equal(found[weight], value), (name, weight)


@pytest.mark.parametrize("group", GROUPS)
def test_other_weights_are_beyond_rounding(group, made, run, tmp_path):
    plain = load_file(made / "plain.safetensors")
    plain["2.weight"] = plain["2.weight"].roll(1, 0)
    save_file(plain, tmp_path / "other.safetensors")
    for name, form in forms(made, group):
        report = run("diff", tmp_path / "other.safetensors", made / form["path"])
        evidence = evidence_of(report)
        assert evidence["computed"] == 2 and evidence["beyond_rounding"] == 1 and evidence["relative_error"] > 1, name
        assert "further than rounding goes" in report.finding("weights.quantized")["details"][0], name


@pytest.mark.parametrize("group", GROUPS)
def test_inspect_says_the_form(group, made, run):
    for name, form in forms(made, group):
        assert run("inspect", made / form["path"])["answers"]["model"].endswith(f"2 weights are quantized: {form['form']}"), name


@pytest.mark.parametrize("name", ["ao-int8", "ao-int8-bf16", "ao-int8-groups", "ao-int4", "ao-float8"])
def test_pickled_subclasses_of_torchao_are_read_too(name, made, run, tmp_path):
    evidence = evidence_of(run("diff", made / "plain.safetensors", made / f"{name}.pth"))
    assert (evidence["computed"], evidence["beyond_rounding"]) == (2, 0)
    done, said = convert(made / f"{name}.pth", tmp_path / "out", "--to", "safetensors", "--dequantize")
    truth, found = load_file(made / f"{name}.truth.safetensors"), load_file(tmp_path / "out")
    assert all(found[k].dtype == v.dtype and torch.equal(found[k], v) for k, v in truth.items())


def test_numbers_that_a_processor_may_round_otherwise_are_not_written(tmp_path):
    """torch's own tensors: whether product and shift are fused depends on the machine."""
    torch.save({"w": torch.quantize_per_tensor(torch.randn(4, 4), 0.1, 3, torch.qint8)}, tmp_path / "a.pth")
    done, _ = convert(tmp_path / "a.pth", tmp_path / "out", "--to", "safetensors", "--dequantize")
    assert done.returncode == 2 and "quantized in a form whose numbers are not known" in done.stderr and not (tmp_path / "out").exists()


# ---- Two quantized sides.
def rewritten(made, name, tmp_path, change):
    tensors = load_file(made / f"{name}.safetensors")
    change(tensors)
    save_file(tensors, tmp_path / "b.safetensors")
    return tmp_path / "b.safetensors"


def flip_one_code(tensors):
    tensors["0.weight"].view(torch.uint8).view(-1)[7] ^= 1


def scale_up(tensors):
    tensors["0.weight_scale"] *= 2


def match_of(report, name):
    return next(match for match in report["weights"][0]["tensors"] if match["a"] == name)


@pytest.mark.parametrize("name", ["nf4-float32", "naive-rows", "float-rows"])
def test_a_code_that_differs_is_one_number_that_differs(name, made, run, tmp_path):
    report = run("diff", made / f"{name}.safetensors", rewritten(made, name, tmp_path, flip_one_code))
    finding = report.finding("weights.changed")
    assert finding["evidence"]["quantized"] == finding["evidence"]["quantized"] | {"codes": 1, "scales": 0, "numbers": 1, "forms": 0}
    assert 0 < finding["evidence"]["quantized"]["relative"] < 0.1
    match = match_of(report, "0.weight")
    assert match["how"] == "codes read as numbers" and match["stats"]["differing"] == 1 and match["stats"]["max_abs"] < 1


def test_scales_that_differ_are_numbers_that_differ(made, run, tmp_path):
    report = run("diff", made / "naive-rows.safetensors", rewritten(made, "naive-rows", tmp_path, scale_up))
    evidence = report.finding("weights.changed")["evidence"]["quantized"]
    assert (evidence["codes"], evidence["scales"]) == (0, 1) and evidence["relative"] == pytest.approx(1)


def test_two_forms_of_the_same_weights(made, run):
    report = run("diff", made / "nf4-float32.safetensors", made / "float-rows.safetensors")
    finding = report.finding("weights.changed")
    assert finding["evidence"]["quantized"]["forms"] == 2 and 0.01 < finding["evidence"]["quantized"]["relative"] < 0.15
    assert match_of(report, "0.weight")["stats"]["cosine"] > 0.99


def test_codes_under_another_name_are_exchanged(run, tmp_path):
    def saved(name, order):
        made = {}
        for layer, seed in enumerate(order):
            weight = torch.randn(16, 16, generator=torch.Generator().manual_seed(seed))
            scale = weight.abs().amax(1, keepdim=True) / 127
            made |= {f"{layer}.weight": (weight / scale).round().to(torch.int8), f"{layer}.weight_scale": scale}
        save_file(made, tmp_path / name)
        return tmp_path / name

    report = run("diff", saved("a.safetensors", (1, 2, 3, 4)), saved("b.safetensors", (1, 3, 2, 4)))
    finding = report.finding("weights.rearranged")
    assert finding["role"] == "cause" and "1.weight" in finding["evidence"]["tensors"]


def test_packed_codes_and_tables_have_no_distances(made, run, tmp_path):
    def other_zeros(tensors):
        tensors["0.weight_zero_point"] ^= 3

    report = run("diff", made / "packed4-zeros.safetensors", rewritten(made, "packed4-zeros", tmp_path, other_zeros))
    match = match_of(report, "0.weight_zero_point")
    assert match["how"] == "codes" and match["stats"] is None
    assert report.finding("weights.changed")["evidence"]["quantized"]["scales"] == 1


# ---- What is not read.
def not_read(made, run, name, tmp_path, config=None, change=None):
    source = tmp_path / "changed"
    if (made / name).is_dir():
        shutil.copytree(made / name, source)
        said = json.loads((source / "config.json").read_text())
        said["quantization_config"] |= config or {}
        (source / "config.json").write_text(json.dumps(said))
    else:
        source = rewritten(made, name, tmp_path, change)
    report = run("diff", made / "plain.safetensors", source)
    return "computed" not in evidence_of(report) and any("2 quantized weights of B" in line for line in report["not_checked"])


@pytest.mark.parametrize("config", [{"checkpoint_format": "marlin"}, {"bits": 8}, {"group_size": 24}, {"quant_method": "other"}])
def test_gptq_of_another_layout_is_not_computed(config, made, run, tmp_path):
    assert not_read(made, run, "gptq4", tmp_path, config)


def test_awq_of_another_layout_is_not_computed(made, run, tmp_path):
    assert not_read(made, run, "awq", tmp_path, {"version": "gemv"})


def test_zero_points_that_readers_wrap_differently_are_not_computed(made, run, tmp_path):
    source = tmp_path / "changed"
    shutil.copytree(made / "gptq4", source)
    tensors = load_file(source / "model.safetensors")
    for layer in "02":
        tensors[f"{layer}.qzeros"][0, 0] |= 15
    save_file(tensors, source / "model.safetensors")
    report = run("diff", made / "plain.safetensors", source)
    assert "computed" not in evidence_of(report)


def test_an_order_of_inputs_is_no_exchange_of_weights(made, run):
    report = run("diff", made / "gptq4", made / "gptq-act-order")
    assert not report.findings("weights.rearranged") and match_of(report, "0.g_idx")["how"] == "codes"


@pytest.mark.parametrize("part", ["absmax", "quant_map", "quant_state.bitsandbytes__nf4"])
def test_a_form_without_one_of_its_tensors_is_not_computed(part, made, run, tmp_path):
    def drop(tensors):
        for layer in "02":
            del tensors[f"{layer}.weight.{part}"]

    assert not_read(made, run, "nf4-float32.safetensors".removesuffix(".safetensors"), tmp_path, change=drop)


def test_blocks_that_are_cut_need_the_configs_word(made, run):
    report = run("diff", made / "plain.safetensors", made / "fine-grained-cut" / "model.safetensors")
    assert "computed" not in evidence_of(report)


def test_blocks_that_transformers_takes_for_others_are_computed_and_not_written(made, run, tmp_path):
    """96 rows in blocks of 40 have three rows of scales, as blocks of 32 would: transformers 5.24.0 takes these."""
    tensors = load_file(made / "fine-grained-said" / "model.safetensors")
    source = tmp_path / "source"
    source.mkdir()
    codes, scales = {}, {}
    for name, value in load_file(made / "plain.safetensors").items():
        if not name.endswith("weight"):
            continue
        padded = torch.nn.functional.pad(value, (0, -value.shape[1] % 40, 0, -value.shape[0] % 40))
        blocks = padded.reshape(padded.shape[0] // 40, 40, -1, 40)
        scale = blocks.abs().amax((1, 3)) / 448
        codes[name] = (blocks / scale[:, None, :, None]).reshape(padded.shape)[: value.shape[0], : value.shape[1]].to(torch.float8_e4m3fn).contiguous()
        scales[f"{name}_scale_inv"] = scale
    save_file({k: v for k, v in tensors.items() if k.endswith("bias")} | codes | scales, source / "model.safetensors")
    config = {"model_type": "llama", "quantization_config": {"quant_method": "fp8", "weight_block_size": [40, 40]}}
    (source / "config.json").write_text(json.dumps(config))
    evidence = evidence_of(run("diff", made / "plain.safetensors", source))
    assert (evidence["computed"], evidence["beyond_rounding"]) == (2, 0)
    done, _ = convert(source, tmp_path / "out", "--to", "safetensors", "--dequantize")
    assert done.returncode == 2 and "whose numbers are not known to the last bit" in done.stderr


def test_groups_of_unequal_size_are_not_computed(made, run, tmp_path):
    def move_one(tensors):
        for layer in "02":
            order = tensors[f"{layer}.weight_g_idx"]
            order[0] = (order[0] + 1) % (order.max() + 1)

    assert not_read(made, run, "packed-act-order", tmp_path, change=move_one)


# ---- convert
def test_a_cast_of_scales_is_refused(made, tmp_path):
    done, _ = convert(made / "nf4-float32.safetensors", tmp_path / "out", "--to", "safetensors", "--dtype", "float16")
    assert done.returncode == 2 and "0.weight, 2.weight: stored quantized" in done.stderr and not (tmp_path / "out").exists()


def test_what_was_dequantized_is_what_the_codes_say(made, run, tmp_path):
    for name in ("nf4-nested-bfloat16", "packed4-zeros", "float-rows", "ao-int8-bf16"):
        convert(made / f"{name}.safetensors", tmp_path / name, "--to", "safetensors", "--dequantize")
        report = run("diff", tmp_path / name, made / f"{name}.safetensors")
        assert report.finding("weights.quantized")["details"] == ["computed for 2 of 2 weights: the codes say A's numbers exactly"], name


def test_numbers_may_be_cast(made, tmp_path):
    done, said = convert(made / "nf4-float32.safetensors", tmp_path / "out", "--to", "safetensors", "--dequantize", "--dtype", "bfloat16")
    truth = load_file(made / "nf4-float32.truth.safetensors")
    assert done.returncode == 0 and torch.equal(load_file(tmp_path / "out")["2.weight"], truth["2.weight"].bfloat16())


def test_a_directory_forgets_that_it_was_quantized(made, tmp_path):
    done, _ = convert(made / "gptq4", tmp_path / "out", "--to", "hf", "--dequantize")
    assert done.returncode == 0, done.stderr
    assert "quantization_config" not in json.loads((tmp_path / "out" / "config.json").read_text())
    assert sorted(load_file(tmp_path / "out" / "model.safetensors")) == ["0.bias", "0.weight", "2.bias", "2.weight"]


def test_metadata_of_torchao_is_not_carried_over(made, tmp_path):
    from safetensors import safe_open

    done, _ = convert(made / "ao-int8.safetensors", tmp_path / "out", "--to", "safetensors", "--dequantize")
    assert done.returncode == 0 and safe_open(tmp_path / "out", "pt").metadata() == {"format": "pt"}


def test_plain_weights_are_not_dequantized(made, tmp_path):
    done, _ = convert(made / "plain.safetensors", tmp_path / "out", "--to", "safetensors", "--dequantize")
    assert done.returncode == 2 and "none of its weights is known to be quantized" in done.stderr
