"""Recordings of live models: what they hold against what torch computes, and what their comparison says."""

import json
import os
import pathlib
import random
import subprocess
import sys

import numpy
import pytest
import safetensors.numpy
import safetensors.torch
import torch
import torch.nn.functional as F
import transformers
from torch.utils.checkpoint import checkpoint

import live_docs
import live_models
import samebits
from samebits.record import Record, RecordError, compare_records, record, record_step


def fast(tensor):
    """XXH3 128 of its row-major bytes."""
    return samebits.fingerprint(tensor.detach().contiguous(), fast=True)


class Net(torch.nn.Module):
    """A repeated module, an inplace one, a dict and a tuple as outputs."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(inplace=True))
        self.norm = torch.nn.BatchNorm1d(8)
        self.twice = torch.nn.Linear(8, 8)
        self.drop = torch.nn.Dropout(0.5)
        self.head = Head()

    def forward(self, x):
        x = self.norm(self.first(x))
        return self.head(self.drop(self.twice(self.twice(x))))


class Head(torch.nn.Module):
    def forward(self, x):
        return {"sum": x.sum(1), "parts": (x, x.bool()), "count": 3, "none": None}


@pytest.fixture
def net():
    torch.manual_seed(1)
    return Net().eval()


@pytest.fixture
def x():
    return torch.randn(5, 6, generator=torch.Generator().manual_seed(2))


def places(recording):
    return [(call["module"], call["call"]) for call in recording.calls]


def test_calls_stand_in_the_order_in_which_they_end(net, x, tmp_path):
    with record(net, tmp_path / "a.safetensors"):
        net(x)
    recording = Record.load(tmp_path / "a.safetensors")
    assert places(recording) == [
        ("first.0", 0),
        ("first.1", 0),
        ("first", 0),
        ("norm", 0),
        ("twice", 0),
        ("twice", 1),
        ("drop", 0),
        ("head", 0),
        ("", 0),
    ]
    assert recording.call("first.0")["within"] == ["first", 0] and recording.call("")["within"] is None
    assert [recording.call(name)["entered"] for name in ("", "first", "first.0")] == [0, 1, 2]
    with pytest.raises(KeyError, match="twice has no call 2"):
        recording.call("twice", 2)


def test_digests_and_statistics_are_those_of_the_outputs(net, x):
    seen = {}
    handles = [
        module.register_forward_hook(lambda m, i, o, name=name: seen.setdefault(name, []).append(o.clone() if torch.is_tensor(o) else o))
        for name, module in net.named_modules()
    ]
    with record(net) as recording:
        net(x)
    for handle in handles:
        handle.remove()
    for name in ("first.0", "first.1", "norm", "drop"):
        (output,) = seen[name]
        (leaf,) = recording.record.call(name)["outputs"]
        assert leaf["xxh3_128"] == fast(output) and leaf["dtype"] == "float32" and leaf["shape"] == [5, 8] and leaf["device"] == "cpu"
        assert leaf["min"] == output.min().item() and leaf["max"] == output.max().item() and leaf["not_finite"] == 0
        assert leaf["mean"] == pytest.approx(output.mean().item()) and leaf["norm"] == pytest.approx(output.norm().item())
    assert [recording.record.call("twice", k)["outputs"][0]["xxh3_128"] for k in (0, 1)] == [fast(o) for o in seen["twice"]]
    leaves = {leaf["path"]: leaf for leaf in recording.record.call("head")["outputs"]}
    assert list(leaves) == ["['sum']", "['parts'][0]", "['parts'][1]", "['count']"] and leaves["['count']"]["value"] == "3"
    assert leaves["['parts'][1]"]["dtype"] == "bool" and leaves["['parts'][1]"]["mean"] == seen["head"][0]["parts"][1].float().mean().item()


@pytest.mark.parametrize(
    "values", [[1.0, float("nan"), 3.0], [float("inf"), -2.0, float("-inf")], [float("nan")] * 2, [], [3e38, 3e38, 3e38]], ids=str
)
def test_values_that_are_not_finite_are_counted_and_left_out_of_the_rest(values):
    with record(torch.nn.Identity()) as recording:
        recording.model(torch.tensor(values))
    (leaf,) = recording.record.call("")["outputs"]
    finite = numpy.array([v for v in values if numpy.isfinite(v)], "f8")
    assert leaf["not_finite"] == len(values) - len(finite)
    if finite.size:
        assert leaf["mean"] == pytest.approx(finite.mean()) and leaf["norm"] == pytest.approx(numpy.linalg.norm(finite))
        assert (leaf["min"], leaf["max"]) == (pytest.approx(finite.min()), pytest.approx(finite.max()))
    else:
        assert leaf["mean"] is leaf["norm"] is leaf["min"] is leaf["max"] is None


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int64", "uint8", "complex64", "float8_e4m3fn"])
def test_every_dtype_is_digested_and_kept(dtype, tmp_path):
    tensor = torch.tensor([[0.0, -0.0, 1.5], [2.0, 3.0, 250.0]]).abs().to(getattr(torch, dtype))
    model = torch.nn.Identity()
    with record(model, tmp_path / "a.safetensors", values="all"):
        model(tensor.t())
    recording = Record.load(tmp_path / "a.safetensors")
    (leaf,) = recording.call("")["outputs"]
    bits = tensor.t().contiguous().view(torch.uint8).numpy().tobytes()
    assert leaf["xxh3_128"] == fast(torch.tensor(list(bits), dtype=torch.uint8)) and leaf["dtype"] == dtype and leaf["shape"] == [3, 2]
    kept = recording.values["(model)"]
    assert kept.data.tobytes() == bits and kept.torch().dtype == tensor.dtype
    assert safetensors.torch.load_file(tmp_path / "a.safetensors")["(model)"].view(torch.uint8).numpy().tobytes() == bits
    if dtype == "float8_e4m3fn":
        with pytest.raises(TypeError, match="numpy has no float8_e4m3fn"):
            kept.numpy()
    else:
        assert numpy.array_equal(kept.numpy(), tensor.t().to(torch.float32 if dtype == "bfloat16" else tensor.dtype).numpy())


def test_values_are_kept_by_size_or_by_name(net, x, tmp_path):
    path = tmp_path / "a.safetensors"
    with record(net, path, values=["twice", "head"]):
        net(x)
    assert set(Record.load(path).values) == {"twice", "twice@1", "head['sum']", "head['parts'][0]", "head['parts'][1]"}
    with record(net, path, values="small"):
        net(torch.randn(600, 6))
    kept = set(Record.load(path).values)
    assert "head['sum']" in kept and "twice" not in kept
    with pytest.raises(ValueError, match="values is 'al'"):
        record(net, path, values="al")
    with pytest.raises(ValueError, match="names 'twise', which is no module of Net"):
        record(net, path, values=["twise"])


def test_the_file_is_a_trace_that_other_readers_take(net, x, tmp_path):
    path = tmp_path / "a.safetensors"
    with record(net, path, values="all"):
        net(x)
    with safetensors.safe_open(path, "numpy") as file:
        metadata = file.metadata()
        assert len(path.read_bytes()) > 0 and file.keys()
    trace = json.loads(metadata["samebits.trace"])
    assert trace["schema"] == "samebits.trace/1" and [point["name"] for point in trace["points"]][:3] == ["first.0", "first.1", "first"]
    assert metadata["threads"] == str(torch.get_num_threads()) and json.loads(metadata["samebits.record"])["schema"] == "samebits.record/1"
    assert (8 + int.from_bytes(path.read_bytes()[:8], "little")) % 64 == 0


def test_the_program_compares_two_recordings(tmp_path):
    program = os.environ.get("SAMEBITS", str(pathlib.Path(__file__).resolve().parents[2] / "build" / "release" / "samebits"))
    torch.manual_seed(0)
    model, inputs = live_models.vit()
    model.eval()
    for name in ("sdpa", "eager"):
        model.set_attn_implementation(name)
        with record(model, tmp_path / name, values="all"):
            model(*inputs)
    done = subprocess.run([program, "diff", "sdpa", "eager", "--json"], cwd=tmp_path, capture_output=True, text=True)
    report = json.loads(done.stdout)
    first = next(output for output in report["outputs"] if output["verdict"] != "identical")
    assert report["verdict"] == "different" and [subject["kind"] for subject in report["subjects"]] == ["trace", "trace"]
    assert first["point"] == compare_records(tmp_path / "sdpa", tmp_path / "eager").first["module"] == "vit.layers.0.attention.o_proj"


def test_no_file_is_left_by_an_exception(net, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"before")
    with pytest.raises(RuntimeError):
        with record(net, path):
            net(torch.randn(5, 7))
    assert path.read_bytes() == b"before" and [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in net.modules())
    with pytest.raises(FileNotFoundError):
        with record(net, tmp_path / "nowhere" / "a.safetensors"):
            pass


def test_a_call_that_raises_inside_is_named():
    class Tries(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fragile, self.other = torch.nn.Linear(3, 3), torch.nn.Linear(2, 2)

        def forward(self, x):
            try:
                return self.fragile(x)
            except RuntimeError:
                return self.other(x)

    with record(Tries()) as recording:
        recording.model(torch.randn(1, 2))
    assert places(recording.record) == [("other", 0), ("", 0)]
    assert recording.record.not_recorded == ["a call of fragile ended without an output"]


def test_files_that_are_no_recording_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.numpy.save_file({"x": numpy.zeros(3, "f4")}, path)
    with pytest.raises(RecordError, match="no metadata samebits.record"):
        Record.load(path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(RecordError, match="cut off"):
        Record.load(path)
    model = torch.nn.Identity()
    with record(model, path, values="all"):
        model(torch.zeros(4))
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(RecordError, match=r"\(model\) is to have 16 bytes"):
        Record.load(path)


# Random draws.


def test_draws_are_given_to_the_module_that_made_them(x):
    class Noisy(torch.nn.Module):
        def forward(self, x):
            return x + torch.rand(5, 6) + random.random() + numpy.random.rand()

    class Outer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.noisy, self.plain, self.drop = Noisy(), torch.nn.Linear(6, 6), torch.nn.Dropout(0.1)
            self.generator = torch.Generator()

        def forward(self, x):
            x = self.drop(self.plain(self.noisy(x)))
            return x + torch.randn(1) + torch.rand(6, generator=self.generator)

    model = Outer()
    with record(model) as recording:
        model(x)
        torch.rand(3)
    found = recording.record
    assert found.drawing_modules() == ["noisy", "drop", ""]
    assert {draw["generator"]: draw["count"] for draw in found.call("noisy")["draws"]} == {"cpu": 30, "python": None, "numpy": None}
    assert [(draw["generator"], draw["count"]) for draw in found.call("drop")["draws"]] == [("cpu", 60)]
    assert {draw["generator"]: draw["count"] for draw in found.call("")["draws"]} == {"cpu": 4, "generator": None}
    assert [(draw["generator"], draw["count"]) for draw in found.document["rng"]["outside"]] == [("cpu", 3)]


@pytest.mark.parametrize("count", [1, 623, 624, 625, 5000])
@pytest.mark.parametrize("before", [0, 1, 623, 624])
def test_draws_are_counted_exactly(count, before):
    class Draws(torch.nn.Module):
        def forward(self):
            return torch.rand(count)

    torch.manual_seed(3)
    torch.rand(before)
    with record(Draws()) as recording:
        recording.model()
    (draw,) = recording.record.call("")["draws"]
    assert draw["count"] == count


def test_a_seed_inside_is_no_count_of_draws():
    class Seeds(torch.nn.Module):
        def forward(self):
            torch.manual_seed(5)
            return torch.rand(2)

    with record(Seeds()) as recording:
        recording.model()
    assert recording.record.call("")["draws"][0]["count"] is None


def test_a_masked_autoencoder_draws_in_its_embeddings():
    config = transformers.ViTMAEConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
        decoder_hidden_size=16,
        decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=32,
    )
    model = transformers.ViTMAEForPreTraining(config).eval()
    with record(model) as recording, torch.no_grad():
        model(torch.randn(2, 3, 32, 32))
    assert recording.record.drawing_modules() == ["vit.embeddings"]
    assert recording.record.call("vit.embeddings")["draws"][0]["count"] == 2 * 16
    assert [leaf["path"] for leaf in recording.record.call("")["outputs"]][:2] == [".loss", ".logits"]
    assert (
        recording.record.document["model"]["attention"] == {"": "sdpa"}
        and recording.record.document["model"]["config"]["mask_ratio"] == 0.75
    )


def test_the_state_at_entry_can_be_given_back(net, x, tmp_path):
    net.train()
    with record(net, tmp_path / "a.safetensors", values=[""]):
        net(x)
    net.norm.reset_running_stats()
    torch.rand(7)
    random.random()
    recording = Record.load(tmp_path / "a.safetensors")
    recording.restore_random_state()
    assert torch.equal(net(x)["sum"], recording.values["(model)['sum']"].torch())
    drawn = random.random()
    recording.restore_random_state()
    assert random.random() == drawn


# What a recording must not change, and what it cannot see.


def test_outputs_have_the_same_bits_with_and_without(net, x):
    net.train()
    torch.manual_seed(7)
    plain = net(x)["sum"]
    plain.sum().backward()
    gradients = [p.grad.clone() for p in net.parameters()]
    after = torch.rand(1)
    net.zero_grad()
    torch.manual_seed(7)
    with record(net, values="all", inputs=True, weights=True):
        recorded = net(x)["sum"]
        recorded.sum().backward()
        assert torch.rand(1) == after
    assert torch.equal(plain, recorded) and all(torch.equal(g, p.grad) for g, p in zip(gradients, net.parameters()))


def test_a_compiled_model_is_seen_from_outside(net, x):
    compiled = torch.compile(net, backend="eager")
    with record(compiled, values="all") as recording:
        output = compiled(x)
    assert places(recording.record) == [("", 0)] and torch.equal(recording.record.values["(model)['sum']"].torch(), output["sum"])
    (sentence,) = recording.record.not_recorded
    assert sentence == "the model is compiled by torch.compile(): only its own inputs and outputs are seen, none of its modules'"


def test_a_module_compiled_in_place_is_seen_from_outside(net, x):
    net.first.compile(backend="eager")
    inside = net.first._compiled_call_impl
    with record(net) as recording:
        net(x)
    assert places(recording.record)[:2] == [("first", 0), ("norm", 0)]
    assert "first is compiled by module.compile()" in recording.record.not_recorded[0]
    assert net.first._compiled_call_impl is inside


def test_a_scripted_module_is_not_seen_and_named(x):
    model = torch.nn.Sequential(torch.jit.script(torch.nn.Sequential(torch.nn.Linear(6, 6), torch.nn.ReLU())), torch.nn.Linear(6, 2))
    with record(model) as recording:
        model(x)
    assert places(recording.record) == [("1", 0), ("", 0)]
    assert recording.record.not_recorded == ["0 is a TorchScript module: takes no hooks, so that nothing of it is seen"]


@pytest.mark.parametrize("reentrant", [True, False])
def test_what_checkpointing_computes_again_is_marked(x, reentrant):
    class Checkpointed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.block = torch.nn.Linear(6, 6)

        def forward(self, x):
            return checkpoint(self.block, x, use_reentrant=reentrant)

    model = Checkpointed()
    with record(model) as recording:
        model(x.requires_grad_()).sum().backward()
    assert [(call["module"], call["call"], call["recomputed"]) for call in recording.record.calls] == [
        ("block", 0, False),
        ("", 0, False),
        ("block", 1, True),
    ]
    again = recording.record.call("block", 1)["outputs"]  # the other way stops once it has what the backward pass needs
    assert again == (recording.record.call("block", 0)["outputs"] if reentrant else []) and recording.record.not_recorded == []


def test_autocast_and_settings_are_recorded(net, x):
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad(), record(net) as recording:
        net(x)
    document = recording.record.document
    assert document["environment"]["autocast"] == {"cpu": "bfloat16"} and document["environment"]["grad"] is False
    assert recording.record.call("first.0")["outputs"][0]["dtype"] == "bfloat16"
    assert document["environment"]["versions"]["torch"] == torch.__version__ and document["model"]["training"] == []
    tensors = {entry["name"]: entry for entry in document["model"]["tensors"]}
    assert tensors["twice.weight"]["alignment"] == net.twice.weight.data_ptr() % 64 and tensors["norm.running_mean"]["kind"] == "buffer"


def test_inference_mode_meta_and_sparse_tensors(tmp_path):
    class Odd(torch.nn.Module):
        def forward(self, x):
            return {"meta": torch.empty(2, device="meta"), "sparse": torch.eye(2).to_sparse(), "empty": torch.empty(0), "x": x}

    with torch.inference_mode(), record(Odd(), tmp_path / "a.safetensors", values="all") as recording:
        recording.model(torch.ones(1))
    leaves = {leaf["path"]: leaf for leaf in recording.record.call("")["outputs"]}
    assert leaves["['meta']"]["opaque"] == "a tensor without data" and leaves["['sparse']"]["opaque"] == "a tensor of layout sparse_coo"
    assert leaves["['empty']"]["xxh3_128"] == fast(torch.empty(0)) and "(model)['x']" in recording.record.values
    found = compare_records(recording.record, recording.record)
    assert found.verdict == "unknown" and len(found.not_checked) == 4


# Comparisons.


def test_equal_runs_are_the_same(net, x, tmp_path):
    for name in ("a", "b"):
        with record(net, tmp_path / name, weights=True):
            net(x)
    found = compare_records(tmp_path / "a", tmp_path / "b")
    assert found and found.verdict == "same" and found.compared == 9 and found.first is None and found.draws is None and found.facts == []
    assert str(found).splitlines()[0] == "same: every output has the same bits"


def test_the_first_module_that_differs_is_named_with_how(net, x):
    recordings = []
    for change in (0, 1):
        with torch.no_grad():
            net.norm.weight += change
        with record(net, values="all", inputs=True, weights=True) as recording:
            net(x)
        recordings.append(recording.record)
    found = compare_records(*recordings)
    assert found.verdict == "different" and (found.first["module"], found.first["call"], found.first["inputs"]) == ("norm", 0, "equal")
    a, b = (r.values["norm"].torch() for r in recordings)
    assert found.first["how"] == f"{(a != b).sum()} of 40 elements, up to {(a - b).abs().max().item():.3g}"
    assert found.differing == 6 and [fact[0] for fact in found.facts] == ["digest of norm.weight"]
    assert "part at   norm (BatchNorm1d)" in str(found) and json.loads(found.to_json())["first"]["module"] == "norm"


def test_without_values_the_statistics_tell(net, x):
    recordings = []
    for scale in (1, 2):
        with record(net) as recording:
            net(x * scale)
        recordings.append(recording.record)
    found = compare_records(*recordings)
    assert found.first["module"] == "first.0" and found.first["how"].startswith("mean ")


def test_another_dtype_shape_or_structure_is_said_to_be_one(net, x):
    class Returns(torch.nn.Module):
        def forward(self, value):
            return value

    def of(value):
        with record(Returns()) as recording:
            recording.model(value)
        return recording.record

    t = torch.ones(2, 3)
    assert compare_records(of(t), of(t.double())).first["how"] == "dtype float32 and float64"
    assert compare_records(of(t), of(t.T)).first["how"] == "shape [2, 3] and [3, 2]"
    assert compare_records(of((t, t)), of(t)).first["what"] == "structure"
    assert compare_records(of((t, 1)), of((t, 2))).first["how"] == "value 1 and 2"
    assert compare_records(of(t * 0), of(-t * 0)).first["how"] == "other bits, and the same mean, norm, min and max"


def test_draws_from_another_state_are_named(net, x):
    net.train()
    recordings = []
    for seed in (1, 2):
        net.norm.reset_running_stats()
        torch.manual_seed(seed)
        with record(net) as recording:
            net(x)
        recordings.append(recording.record)
    found = compare_records(*recordings)
    assert found.first["module"] == "drop" and found.draws["module"] == "drop"
    assert found.draws["how"] == "both drew from the generator cpu, from different states of it"
    assert "the state of the generator cpu at entry" in [fact[0] for fact in found.facts]
    net.eval()
    with record(net) as recording:
        net(x)
    assert compare_records(recordings[0], recording.record).draws["how"] == "A drew from the generator cpu, B did not"


def test_other_calls_and_other_models_are_no_same(net, x):
    with record(net) as one:
        net(x)
    with record(net) as two:
        net(x)
        net.twice(torch.ones(8))
    found = compare_records(one.record, two.record)
    assert found.verdict == "different" and found.only_b == ["twice@2"] and found.only_a == []
    with record(torch.nn.Sequential(torch.nn.Linear(6, 6))) as other:
        other.model[0](x)
    assert compare_records(one.record, other.record).verdict == "unknown"


def seen(model, *inputs):
    with record(model) as recording:
        model(*inputs)
    return recording.record


def test_other_inputs_are_said_first(net, x):
    found = compare_records(seen(net, x), seen(net, x + 1))
    assert found.verdict == "different" and found.inputs.startswith("(model): argument 0: mean")
    lines = str(found).splitlines()
    assert lines[0] == "different: outputs differ, and the model was given other inputs" and lines[1].startswith("  inputs    differ at (model): argument 0")
    assert compare_records(seen(net, x), seen(net, x)).inputs is None
    shorter = compare_records(seen(net, x), seen(net, x[:2]))
    assert shorter.inputs.startswith("(model): argument 0: shape [5, 6] and [2, 6]") and "shape: shape" not in str(shorter)


def test_diff_of_two_files_says_that_their_inputs_differ(net, x, tmp_path):
    for name, given in (("a", x), ("b", x + 1)):
        with record(net, tmp_path / f"{name}.safetensors", values="all"):
            net(given)
    report = json.loads(samebits.diff(tmp_path / "a.safetensors", tmp_path / "b.safetensors").to_json())
    first = report["findings"][0]
    assert (report["verdict"], first["cause"], first["summary"]) == ("different", "input.preprocessing", "the two recorded passes were given different inputs")


def test_more_passes_are_no_other_outputs(net, x):
    with record(net) as two:
        net(x)
        net(x)
    found = compare_records(two.record, seen(net, x))
    assert found.verdict == "different" and str(found).startswith("different: the calls that both have agree, and one recording has more of them")


def test_a_model_inside_another_module_is_compared_with_itself(x):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).eval()
    wrapped = torch.nn.Sequential(model).eval()
    for pair in ((model, wrapped), (wrapped, model)):
        found = compare_records(*[seen(each, x) for each in pair])
        assert found.verdict == "same" and found.compared == 4 and found.facts[0][0] == "the model", str(found)
    before = seen(model, x)
    with torch.no_grad():
        model[2].weight[0] += 1
    found = compare_records(before, seen(wrapped, x))
    assert found.first["module"] == "2" and found.first["inputs"] == "not recorded" and found.first["class"].endswith("Linear")


def test_threads_are_a_fact_of_the_comparison(net, x):
    recordings, threads = [], torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            with record(net) as recording:
                net(x)
            recordings.append(recording.record)
    finally:
        torch.set_num_threads(threads)
    assert ("environment.threads", "1", "2") in compare_records(*recordings).facts


# Steps.


def trained(net, x, path=None, rate=0.1, steps=2, scale=1.0):
    torch.manual_seed(11)
    optimizer = torch.optim.AdamW(net.parameters(), lr=rate)
    with record_step(net, optimizer, path) as recording:
        for _ in range(steps):
            optimizer.zero_grad()
            (F.mse_loss(net(x)["sum"], torch.ones(5)) * scale).backward()
            optimizer.step()
    return recording.record


def test_a_step_holds_gradients_weights_and_moments(net, x, tmp_path):
    before = {name: p.detach().clone() for name, p in net.named_parameters()}
    trained(net, x, tmp_path / "a.safetensors", steps=1)
    (step,) = Record.load(tmp_path / "a.safetensors").steps
    assert step["optimizer"] == "AdamW" and step["groups"][0]["lr"] == 0.1
    entries = {entry["name"]: entry for entry in step["parameters"]}
    assert list(entries) == list(before)
    for name, parameter in net.named_parameters():
        entry = entries[name]
        assert entry["before"]["xxh3_128"] == fast(before[name]) and entry["after"]["xxh3_128"] == fast(parameter)
        assert entry["gradient"]["xxh3_128"] == fast(parameter.grad) and set(entry["state"]) == {"step", "exp_avg", "exp_avg_sq"}
        assert entry["update"]["norm"] == pytest.approx((parameter - before[name]).norm().item())


def test_a_closure_computes_the_gradients_inside_the_step(net, x):
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)

    def closure():
        optimizer.zero_grad()
        loss = net(x)["sum"].square().sum()
        loss.backward()
        return loss

    with record_step(net, optimizer) as recording:
        optimizer.step(closure)
    entries = {entry["name"]: entry for entry in recording.record.steps[0]["parameters"]}
    assert all(entries[name]["gradient"]["xxh3_128"] == fast(p.grad) for name, p in net.named_parameters())


def test_steps_are_compared_in_the_order_in_which_they_compute(x):
    def fresh():
        torch.manual_seed(1)
        return Net().eval()

    base = trained(fresh(), x)
    assert compare_records(base, trained(fresh(), x)).verdict == "same"
    rate = compare_records(base, trained(fresh(), x, rate=0.2))
    assert rate.steps[0]["what"] == "groups" and rate.steps[0]["names"] == ["param_groups[0].lr 0.1 and 0.2"] and rate.first["call"] == 1
    scaled = compare_records(base, trained(fresh(), x, scale=2.0))
    assert scaled.steps[0]["what"] == "gradient" and scaled.steps[0]["step"] == 0
    fewer = compare_records(base, trained(fresh(), x, steps=1))
    assert fewer.steps[-1]["how"] == "A has 2 steps, B 1" and fewer.verdict == "different"


def test_how_a_step_is_computed_is_no_difference_of_its_own(x):
    def stepped(make):
        torch.manual_seed(1)
        model = Net().eval()
        optimizer = make(model.parameters())
        with record_step(model, optimizer) as recording:
            model(x)["sum"].square().sum().backward()
            optimizer.step()
        return recording.record

    base = stepped(lambda p: torch.optim.AdamW(p, lr=0.1))
    found = compare_records(base, stepped(lambda p: torch.optim.AdamW(p, lr=0.1, foreach=True)))
    assert found.verdict == "same" and ("param_groups[0].foreach", "None", "True") in found.facts
    other = compare_records(base, stepped(lambda p: torch.optim.SGD(p, lr=0.1)))
    assert other.steps[0]["how"] == "the optimizers are of two classes: AdamW and SGD"


def test_the_document_shows_what_is_printed(tmp_path):
    assert live_docs.run("record.md", tmp_path, {}) == 3


def test_torch_is_not_imported_before_it_is_needed():
    code = "import sys, samebits.record, samebits.resume_check, samebits.callbacks; sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0


def test_large_outputs_have_their_own_digests_whatever_is_done_to_them_later():
    class Writes(torch.nn.Module):
        """Passes on, writes in place with and without torch's knowledge, and gives equal sizes again and again."""

        def __init__(self):
            super().__init__()
            self.same, self.relu = torch.nn.Identity(), torch.nn.ReLU(inplace=True)

        def forward(self, x):
            for index in range(40):
                y = self.same(self.same(x + index))
                y.data[0, 0] = -5
                y = self.same(y)
                self.relu(y)
            return y

    model, x = Writes(), torch.randn(200, 300)
    expected = []
    for index in range(40):
        y = x + index
        first = fast(y)
        y[0, 0] = -5
        expected += [first, first, fast(y), fast(y.relu())]
    with record(model) as recording:
        model(x)
    calls = [call for call in recording.record.calls if call["module"]]
    assert [call["outputs"][0]["xxh3_128"] for call in calls] == expected
