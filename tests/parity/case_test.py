"""The case that the program exists for: one ViT-MAE, saved by every route, compared and explained."""

import copy
import json
import sys

import conftest
import pytest
import torch
from safetensors import safe_open

TENSORS = 78
TOKENS_KEPT, TOKENS, WIDTH = 1 + 4, 1 + 16, 32  # with the class token; mask_ratio 0.75 keeps 4 of 16 patches
FEW_RULES = 12


def described(folder):
    return json.loads((folder / "routes.json").read_text())


def names_in_file(folder):
    """The names of the directory's own file, which transformers 5 writes otherwise than it uses them."""
    with safe_open(folder / "model.safetensors", "pt") as file:
        return set(file.keys())


# What inspect says of each route.

KINDS = {
    "hf": "hf-directory", "whole.pth": "whole-module", "whole-training.pth": "whole-module", "whole-lightning.pth": "whole-module",
    "statedict.pth": "state-dict", "bare.pth": "state-dict", "compiled.pt": "state-dict", "lightning.ckpt": "lightning",
    "training.pth": "training-checkpoint", "ema.pth": "training-checkpoint", "parallel.pth.tar": "training-checkpoint",
}


@pytest.mark.parametrize("route", KINDS)
def test_kind_and_size(run, routes5, route):
    subject = run("inspect", routes5 / route).subject
    assert subject["kind"] == KINDS[route]
    assert subject["tensors"] == TENSORS
    assert subject["parameters"] == described(routes5)["parameters"]


@pytest.mark.parametrize("route", ["hf", "whole.pth", "whole-lightning.pth", "trainer"])
def test_config_is_carried(run, routes5, route):
    subject = run("inspect", routes5 / route).subject
    assert subject["model_type"] == "vit_mae"
    for field, value in described(routes5)["config"].items():
        assert subject["config"][field] == value


@pytest.mark.parametrize("route", ["statedict.pth", "bare.pth", "ema.pth"])
def test_config_that_is_not_carried_is_null(run, routes5, route):
    subject = run("inspect", routes5 / route).subject
    assert subject["config"] is None and subject["mode"] is None


@pytest.mark.parametrize("route, training", [("whole.pth", False), ("whole-training.pth", True)])
def test_mode_of_every_module(run, routes5, route, training):
    modules = described(routes5)["modules"]
    assert run("inspect", routes5 / route).subject["mode"] == {"modules": modules, "training": modules if training else 0}


def test_directory_names_its_producer(run, routes5, routes4):
    assert run("inspect", routes5 / "hf").subject["producer"]["transformers"] == "5.24.0"
    assert run("inspect", routes4 / "hf").subject["producer"]["transformers"] == "4.57.6"


@pytest.mark.parametrize("route, key", [("lightning.ckpt", "state_dict"), ("training.pth", "model"), ("parallel.pth.tar", "state_dict")])
def test_where_the_weights_were_found(run, routes5, route, key):
    report = run("inspect", routes5 / route)
    assert report.subject["weights_from"] == key
    inside = [entry for entry in report.part("entries") if entry.get("state_dict_name")]
    assert len(inside) == TENSORS
    assert all(entry["name"] == f"{key}.{entry['state_dict_name']}" for entry in inside)


def test_raw_and_averaged_weights_are_a_choice(run, routes5):
    subject = run("inspect", routes5 / "ema.pth").subject
    assert {subject["weights_from"], *subject["alternatives"]} == {"model", "ema"}
    assert run("inspect", routes5 / "ema.pth", "--key", "ema").subject["weights_from"] == "ema"


TRAINING = {
    "training.pth": {"optimizer", "step", "scheduler", "scaler", "rng"},
    "lightning.ckpt": {"optimizer", "step", "scheduler"},
    "trainer": {"optimizer", "step", "scheduler", "rng"},
    "ema.pth": {"step", "ema"},
    "statedict.pth": set(),
}


@pytest.mark.parametrize("route", TRAINING)
def test_training_state(run, routes5, route):
    training = run("inspect", routes5 / route).part("training")
    assert set(training) >= {"optimizer", "step", "scheduler", "scaler", "rng", "sampler", "ema"}
    found = {name for name, where in training.items() if where is not None and name != "values"}
    assert found - {"step"} == TRAINING[route] - {"step"}
    assert "step" not in TRAINING[route] or "step" in found


@pytest.mark.parametrize("route", ["whole.pth", "lightning.ckpt", "training.pth"])
def test_no_checkpoint_of_the_case_is_suspicious(run, routes5, route):
    report = run("inspect", routes5 / route)
    assert not [f for f in report.findings("file.calls") if f["role"] != "note"]
    calls = {call["global"]: call for call in report.part("calls")}
    assert calls["torch._utils._rebuild_tensor_v2"]["plain"]


# diff: every route holds the same bits.

PREFIX = {
    "whole.pth": "model.", "whole-lightning.pth": "model.", "whole-training.pth": "model.", "statedict.pth": "model.", "lightning.ckpt": "model.",
    "bare.pth": "", "training.pth": "", "compiled.pt": "_orig_mod.", "parallel.pth.tar": "module.",
}


def assert_identical(pair, renamed):
    assert (pair["verdict"], pair["matched"], pair["changed"]) == ("identical", TENSORS, 0)
    assert pair["only_a"] == [] and pair["only_b"] == []
    assert pair["renamed"] == renamed
    assert len(pair["rules"]) <= FEW_RULES and (renamed > 0) == (len(pair["rules"]) > 0)


@pytest.mark.parametrize("route", PREFIX)
def test_every_route_equals_the_directory(run, routes5, route):
    report = run("diff", routes5 / "hf", routes5 / route)
    names = {PREFIX[route] + name for name in described(routes5)["names"]}
    assert report["verdict"] == "same"
    assert_identical(report.pair("B"), TENSORS - len(names & names_in_file(routes5 / "hf")))
    assert not report.causes("cause", "contributes")


@pytest.mark.parametrize("route", PREFIX)
def test_every_route_of_the_other_version_equals_the_directory(run, routes5, routes4, route):
    report = run("diff", routes5 / "hf", routes4 / route)
    names = {PREFIX[route] + name for name in described(routes4)["names"]}
    assert report["verdict"] == "same"
    assert_identical(report.pair("B"), TENSORS - len(names & names_in_file(routes5 / "hf")))


def test_directories_of_both_versions(run, routes5, routes4):
    report = run("diff", routes4 / "hf", routes5 / "hf")
    assert report["verdict"] == "same"
    assert_identical(report.pair("B"), 2 * 16)
    assert report.finding("weights.renamed")["evidence"]["count"] == 2 * 16


@pytest.mark.parametrize("route, prefix", [("compiled.pt", "_orig_mod."), ("statedict.pth", "model."), ("parallel.pth.tar", "module.")])
def test_a_mere_prefix_is_one_rule(run, routes5, route, prefix):
    pair = run("diff", routes5 / "bare.pth", routes5 / route).pair("B")
    assert_identical(pair, TENSORS)
    assert [(rule["from"], rule["to"]) for rule in pair["rules"]] == [("", prefix)]


def test_a_file_equals_itself(run, routes5):
    report = run("diff", routes5 / "whole.pth", routes5 / "whole.pth")
    assert report["verdict"] == "same"
    assert_identical(report.pair("B"), 0)


def test_untrained_routes_are_identical_though_many_tensors_share_their_bytes(run, routes):
    for route in ("whole.pth", "statedict.pth", "bare.pth"):
        report = run("diff", routes / "zero" / "hf", routes / "zero" / route)
        assert report["verdict"] == "same"
        assert (report.pair("B")["verdict"], report.pair("B")["matched"]) == ("identical", TENSORS)


def test_three_subjects_are_compared_with_the_first(run, routes):
    folder = routes / "trained"
    report = run("explain", folder / "hf", folder / "whole.pth", folder / "statedict.pth")
    assert [(pair["a"], pair["b"]) for pair in report["weights"]] == [("A", "B"), ("A", "C")]


def test_a_training_that_diverged_is_seen(run, routes):
    """mask_ratio 0: the loss is a mean over no patch, and one step makes every weight NaN."""
    report = run("diff", routes / "zero" / "hf", routes / "zero" / "lightning.ckpt")
    assert report["verdict"] == "different" and report.findings("weights.invalid")
    assert not report.findings("file.mixup")


def test_the_report_is_deterministic(run, routes5):
    first, second = (run("diff", routes5 / "hf", routes5 / "lightning.ckpt") for _ in range(2))
    assert dict(first) == dict(second)


# diff: what differs.


def test_the_file_of_an_earlier_run_has_another_mask_ratio(run, routes):
    report = run("diff", routes / "trained" / "hf", routes / "trained-zero" / "whole.pth")
    assert report["verdict"] == "different"
    assert_identical(report.pair("B"), TENSORS)
    finding = report.finding("config.changed")
    assert finding["role"] in ("cause", "contributes") and finding["proof"] != "suspected"
    assert finding["evidence"]["fields"] == {"mask_ratio": [0.75, 0.0]}


def test_training_mode_without_dropout_moves_nothing(run, routes5):
    report = run("diff", routes5 / "whole.pth", routes5 / "whole-training.pth")
    assert report["verdict"] == "same"
    assert report.finding("mode.training")["role"] in ("risk", "note")


def test_training_mode_with_dropout_differs(run, routes):
    report = run("diff", routes / "dropout" / "whole.pth", routes / "dropout" / "whole-training.pth")
    assert report["verdict"] == "different"
    finding = report.finding("mode.training")
    assert finding["role"] in ("cause", "contributes") and finding["evidence"]["modules"]


def test_raw_against_averaged_weights(run, routes5):
    report = run("diff", routes5 / "ema.pth", routes5 / "ema.pth", "--key", "A=model", "--key", "B=ema")
    assert report["verdict"] == "different" and report.pair("B")["verdict"] == "different"
    assert report.findings("weights.averaged")
    assert run("diff", routes5 / "bare.pth", routes5 / "ema.pth", "--key", "B=model")["verdict"] == "same"


LAYER = "model.vit.layers.0."
QUERY, KEY = LAYER + "attention.q_proj.weight", LAYER + "attention.k_proj.weight"


def one_ulp(state):
    state[QUERY].view(torch.int32)[3, 5] += 1


def bfloat16(state):
    state.update({name: tensor.bfloat16() for name, tensor in state.items()})


def bfloat16_widened(state):
    state.update({name: tensor.bfloat16().float() for name, tensor in state.items()})


def double(state):
    state.update({name: tensor.double() for name, tensor in state.items()})


def query_and_key_exchanged(state):
    state[QUERY], state[KEY] = state[KEY], state[QUERY]


def blocks_exchanged(state):
    for name in [name for name in state if name.startswith(LAYER)]:
        other = name.replace("layers.0.", "layers.1.")
        state[name], state[other] = state[other], state[name]


def heads_exchanged(state):
    rows = torch.cat([torch.arange(8, 16), torch.arange(0, 8), torch.arange(16, 32)])
    for part in ("q_proj", "k_proj", "v_proj"):
        for kind in ("weight", "bias"):
            name = f"{LAYER}attention.{part}.{kind}"
            state[name] = state[name][rows].clone()


def one_missing(state):
    del state[KEY]


def one_more(state):
    state["model.extra.weight"] = torch.ones(3)


def layout_changed(state):
    state.update({name: tensor.t().contiguous().t() if tensor.dim() == 2 else tensor for name, tensor in state.items()})


VARIANTS = {
    one_ulp: ("different", "weights.changed"), bfloat16: ("rounded", "weights.rounded"), bfloat16_widened: ("rounded", "weights.rounded"),
    double: ("same-values", None), query_and_key_exchanged: ("different", "weights.rearranged"), blocks_exchanged: ("different", "weights.rearranged"),
    heads_exchanged: ("different", "weights.rearranged"), one_missing: ("different", "weights.missing"), one_more: ("different", "weights.missing"),
    layout_changed: ("identical", None),
}


@pytest.fixture
def variant(run, routes, tmp_path):
    original = routes / "trained" / "statedict.pth"

    def compare(change):
        state = dict(torch.load(original))
        change(state)
        torch.save(copy.copy(state), tmp_path / "variant.pth")
        return run("diff", original, tmp_path / "variant.pth")

    return compare


@pytest.mark.parametrize("change", VARIANTS, ids=lambda change: change.__name__)
def test_changed_weights(variant, change):
    verdict, cause = VARIANTS[change]
    report = variant(change)
    assert report.pair("B")["verdict"] == verdict
    if cause:
        assert report["verdict"] == "different"
        assert cause in report.causes("cause", "contributes") or (change is heads_exchanged and report.findings("weights.changed"))
    if verdict == "identical":
        assert report["verdict"] == "same"


def test_one_ulp_is_found_in_one_tensor(variant):
    report = variant(one_ulp)
    assert report.pair("B")["changed"] == 1 and report.pair("B")["matched"] == TENSORS
    evidence = report.finding("weights.changed")["evidence"]
    assert (evidence["count"], evidence["tensors"]) == (1, [QUERY])


def test_missing_tensors_are_named(variant):
    assert variant(one_missing).pair("B")["only_a"] == [KEY]
    assert variant(one_more).pair("B")["only_b"] == ["model.extra.weight"]


# Files that cannot be read wholly, or should not be believed.


def test_a_truncated_file_is_unknown(run, routes5, tmp_path):
    for route in ("whole.pth", "hf/model.safetensors", "lightning.ckpt"):
        data = (routes5 / route).read_bytes()
        (tmp_path / "cut").write_bytes(data[: len(data) * 2 // 3])
        assert run("inspect", tmp_path / "cut")["verdict"] == "unknown"
        assert run("diff", routes5 / "hf", tmp_path / "cut")["verdict"] == "unknown"


def test_a_file_that_is_not_there_is_unknown(run, routes5, tmp_path):
    assert run("inspect", tmp_path / "absent.pth")["verdict"] == "unknown"
    assert run("explain", routes5 / "hf", tmp_path / "absent.pth")["verdict"] == "unknown"


def test_values_of_small_files_are_read_unasked(run, routes, tmp_path):
    state = torch.load(routes / "trained" / "statedict.pth")
    state[QUERY][0, 0] = float("nan")
    torch.save(state, tmp_path / "nan.pth")
    report = run("inspect", tmp_path / "nan.pth")
    assert report["verdict"] == "risk" and not report["not_checked"]
    assert report.finding("weights.invalid")["evidence"]["tensors"] == [QUERY]
    assert "holds 1 NaN" in report["answers"]["trust"]


def test_values_of_large_files_are_read_where_that_is_asked(run, tmp_path):
    """Also of a small file whose tensors describe much."""
    large = torch.zeros(16_000_001)
    large[-1] = float("nan")
    torch.save({"w": large}, tmp_path / "large.pth")
    torch.save({"w": torch.full((1,), float("nan")).expand(16_000_001)}, tmp_path / "expanded.pth")
    for name in ("large.pth", "expanded.pth"):
        report = run("inspect", tmp_path / name)
        assert report["verdict"] == "clean" and "--deep" in report["not_checked"][0], name
        assert "values were not read" in report["answers"]["trust"]
        assert run("inspect", tmp_path / name, "--deep")["verdict"] == "risk", name


def test_deep_finds_a_flipped_bit_by_its_checksum(run, routes, tmp_path):
    path = routes / "trained" / "statedict.pth"
    weights = torch.load(path)[QUERY].numpy().tobytes()
    data = bytearray(path.read_bytes())
    assert data.count(weights) == 1
    data[data.index(weights) + 100] ^= 1
    (tmp_path / "flipped.pth").write_bytes(data)
    torch.load(tmp_path / "flipped.pth")  # torch checks no checksum
    report = run("inspect", tmp_path / "flipped.pth", "--deep")
    assert report.findings("weights.invalid") and report["verdict"] in ("risk", "unknown")
    assert run("diff", path, tmp_path / "flipped.pth")["verdict"] == "different"


# check: what stays random, by transformers' own word.


def target(version):
    return f"transformers-{version}:ViTMAEForPreTraining"


@pytest.mark.parametrize("version", [4, 5])
@pytest.mark.parametrize("saved_by", [4, 5])
@pytest.mark.parametrize("route", ["hf", "bare.pth"])
def test_check_agrees_with_transformers(run, loaded, routes4, routes5, route, saved_by, version):
    path = {4: routes4, 5: routes5}[saved_by] / route
    random = loaded[version][str(path)]["missing"]
    report = run("check", path, "--for", target(version))
    if random:
        finding = report.finding("weights.reinitialized")
        assert report["verdict"] == "risk"
        assert finding["evidence"]["count"] == len(random) and sorted(finding["evidence"]["tensors"]) == random
    else:
        assert report["verdict"] == "clean" and not report.findings("weights.reinitialized")


def test_the_known_loss_of_the_decoder(loaded, routes4, routes5):
    """Guards the truth: transformers 4 loses the decoder's layers of a directory that 5 wrote, and of no other."""
    assert len(loaded[4][str(routes5 / "hf")]["missing"]) == 2 * 16
    assert not any(loaded[v][str(routes4 / "hf")]["missing"] for v in (4, 5)) and not loaded[5][str(routes5 / "hf")]["missing"]


def test_check_for_another_checkpoint(run, routes5):
    assert run("check", routes5 / "statedict.pth", "--for", routes5 / "whole.pth")["verdict"] == "clean"
    report = run("check", routes5 / "bare.pth", "--for", routes5 / "whole.pth")
    assert report["verdict"] == "risk" and report.finding("weights.reinitialized")["evidence"]["count"] == TENSORS


# explain: the cause, proved.


def assert_noise(report, elements, verdict="different"):
    assert report["verdict"] == "different"
    first = report["findings"][0]
    assert (first["cause"], first["role"], first["proof"]) == ("rng.noise", "cause", "proved")
    assert first["subjects"] == [subject["label"] for subject in report["subjects"]]
    assert report.causes("cause") == {"rng.noise"} and first["remedy"]
    assert all(pair["verdict"] == "identical" for pair in report["weights"])
    assert first["evidence"]["equal_with_one_noise"] is True and first["evidence"]["self_difference"] > 0.01
    assert [(pair["a"], pair["b"]) for pair in report["outputs"]] == [("A", subject["label"]) for subject in report["subjects"][1:]]
    for pair in report["outputs"]:
        assert pair["point"] == "vit.layernorm" and pair["verdict"] == verdict and pair["elements"] == elements
        assert pair["max_abs"] > 0.01
    # Where nothing is removed, the tokens are the same but for their order, and rounding in that order.
    orders = report.findings("order.tokens")
    assert len(orders) == (len(report["outputs"]) if verdict == "permuted" else 0)
    assert all(order["proof"] == "proved" and order["evidence"]["in_one_order"] < 1e-4 for order in orders)
    assert report["not_checked"] == []


def test_files_alone_only_suspect_the_noise(run, routes):
    folder = routes / "trained"
    report = run("explain", folder / "hf", folder / "whole.pth", "--files-only")
    first = report["findings"][0]
    assert (first["cause"], first["role"], first["proof"]) == ("rng.noise", "cause", "suspected") and first["settle"]
    assert report["verdict"] == "different" and report["outputs"] == []
    assert any("outputs" in line for line in report["not_checked"])


@pytest.mark.parametrize("third", ["statedict.pth", "bare.pth", "lightning.ckpt"])
def test_explain_the_case(run, routes, third):
    folder = routes / "trained"
    report = run("explain", folder / "hf", folder / "whole.pth", folder / third)
    assert_noise(report, TOKENS_KEPT * WIDTH)
    assert [text for text in report["assumed"] if "C" in text and "config" in text and "A" in text]


@pytest.mark.parametrize("third", ["statedict.pth", "hf"])
def test_explain_with_mask_ratio_zero(run, routes, third):
    folder = routes / "trained-zero"
    assert_noise(run("explain", folder / "hf", folder / "whole.pth", folder / third), TOKENS * WIDTH, "permuted")


def test_explain_across_versions(run, routes4, routes5):
    folders = [routes4 / "hf", routes5 / "hf", routes5 / "whole.pth", routes4 / "whole.pth", routes4 / "lightning.ckpt"]
    assert_noise(run("explain", *folders), TOKENS_KEPT * WIDTH)


def test_explain_one_model_against_itself_still_draws_noise(run, routes):
    folder = routes / "trained"
    assert_noise(run("explain", folder / "hf", folder / "hf"), TOKENS_KEPT * WIDTH)


def test_explain_another_mask_ratio(run, routes):
    report = run("explain", routes / "trained" / "hf", routes / "trained-zero" / "whole.pth")
    assert report["verdict"] == "different" and report.pair("B")["verdict"] == "identical"
    assert "config.changed" in report.causes("cause") and "rng.noise" in report.causes("cause", "contributes")
    finding = report.finding("config.changed")
    assert finding["evidence"]["fields"] == {"mask_ratio": [0.75, 0.0]} and finding["proof"] == "proved"


def test_explain_changed_weights(run, routes, tmp_path):
    folder = routes / "trained"
    state = torch.load(folder / "statedict.pth")
    state[QUERY] *= -1
    torch.save(state, tmp_path / "variant.pth")
    report = run("explain", folder / "hf", tmp_path / "variant.pth")
    assert report["verdict"] == "different"
    assert "weights.changed" in report.causes("cause") and "rng.noise" in report.causes("cause", "contributes")
    assert report.finding("weights.changed")["proof"] == "proved"


def test_the_example_of_the_demo(run):
    folder = conftest.ROOT / "examples" / "vit-mae-tiny"
    assert_noise(run("explain", folder / "hf", folder / "whole.pth", folder / "statedict.pth"), TOKENS_KEPT * WIDTH)


# Base size, as in the case: made once and kept in the cache.

# With mask_ratio 0 the loss is a mean over no patch: a training step makes every weight NaN.
BASE_ROUTES = {0.75: ["hf", "whole", "statedict", "lightning"], 0.0: ["hf", "whole", "statedict"]}


def base_routes(python, version, mask_ratio):
    folder = conftest.cache() / "base" / f"transformers-{version}-ratio-{mask_ratio}"
    if not (folder / "routes.json").exists():
        options = ["--size", "base", "--mask-ratio", mask_ratio, "--routes", *BASE_ROUTES[mask_ratio]]
        conftest.call(python, "make_routes.py", folder, *options)
    return folder


@pytest.mark.parametrize("mask_ratio", [0.75, 0.0])
@pytest.mark.parametrize("version", [4, 5])
def test_base_size(run, python_t4, version, mask_ratio):
    folder = base_routes({4: python_t4, 5: sys.executable}[version], version, mask_ratio)
    files = {"hf": "hf", "whole": "whole.pth", "statedict": "statedict.pth", "lightning": "lightning.ckpt"}
    paths = [folder / files[route] for route in BASE_ROUTES[mask_ratio]]
    report = run("explain", *paths)
    assert_noise(report, (1 + int(196 * (1 - mask_ratio))) * 768, "different" if mask_ratio else "permuted")
    for pair in report["weights"]:
        assert (pair["verdict"], pair["matched"], pair["renamed"]) == ("identical", 334, 334) and len(pair["rules"]) <= FEW_RULES
    assert report["subjects"][0]["config"]["mask_ratio"] == report["subjects"][1]["config"]["mask_ratio"] == mask_ratio
