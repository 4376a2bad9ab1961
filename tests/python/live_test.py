"""explain_live() on planted causes: it names what was planted, proves it by runs, and gives everything back."""

import copy
import json
import random
import threading
import weakref

import pytest
import torch
import torch.nn.functional as F
import transformers

import live_docs
import live_models
from samebits.live import Live, explain_live


def made(make, seed=0):
    torch.manual_seed(seed)
    model, inputs = make()
    return model.eval(), inputs


def causes(report):
    return [(finding.cause, finding.factor) for finding in report.findings if finding.role == "cause"]


def fields(report, factor):
    (finding,) = [finding for finding in report.findings if finding.factor == factor and finding.role == "cause"]
    evidence = finding.evidence
    assert finding.proof == "proved" and evidence["is_minimal"]
    return evidence.get("tensors") or evidence.get("modules") or list(evidence["fields"])


def state(model):
    """Everything that a run could leave behind."""
    return (
        {name: (id(p), p.data_ptr(), p.dtype, p.stride(), p.requires_grad) for name, p in model.named_parameters()},
        {name: (id(b), b.data_ptr(), b.flatten().tolist()) for name, b in model.named_buffers()},
        {
            name: (type(m), m.training, list(vars(m)), [id(c) for c in m.children()], len(m._forward_hooks))
            for name, m in model.named_modules()
        },
        repr(getattr(model, "config", None)),
    )


@pytest.fixture(autouse=True)
def one_thread_without_gradients():
    """Several threads of tiny models wait for one another on a busy machine."""
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("make", live_models.FAMILIES, ids=lambda make: make.__name__)
def test_a_copy_is_the_same_and_a_changed_weight_is_found(make):
    a, inputs = made(make)
    b = copy.deepcopy(a)
    same = explain_live(a, b, inputs)
    noisy = make is live_models.vit_mae
    assert causes(same) == ([("rng.noise", "random numbers")] if noisy else []) and same.first is None, str(same)
    assert same.verdict == ("different" if noisy else "unknown" if same.not_checked else "same")
    names = [name for name, p in b.named_parameters() if p.dim() > 1]
    planted = names[len(names) // 2]
    b.get_parameter(planted).view(-1)[::3] += 0.25
    before = [state(model) for model in (a, b)]
    report = explain_live(a, b, inputs)
    assert ("weights.changed", "weights") in causes(report) and fields(report, "weights") == [planted], str(report)
    assert report.verdict == "different" and report.first["module"] == planted.rpartition(".")[0] and report.first["inputs"] == "equal"
    assert [state(model) for model in (a, b)] == before


def test_of_many_changed_weights_the_needed_ones_are_named():
    class Forks(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.used = torch.nn.ModuleList(torch.nn.Linear(16, 16) for _ in range(3))
            self.unused = torch.nn.ModuleList(torch.nn.Linear(16, 16) for _ in range(20))

        def forward(self, x):
            return sum(module(x) for module in self.used)

    a, b = Forks(), Forks()
    b.used[1].load_state_dict(a.used[1].state_dict())
    report = explain_live(a, b, live_models.vector())
    assert fields(report, "weights") == ["used.0.weight", "used.0.bias", "used.2.weight", "used.2.bias"]
    (rest,) = [finding for finding in report.findings if finding.role == "contributes"]
    assert rest.cause == "weights.changed" and rest.proof == "observed" and rest.evidence["count"] == 40


def test_equal_outputs_with_other_weights_are_not_the_same():
    a = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.ReLU())
    b = copy.deepcopy(a)
    b[0].bias[0] = a[0].bias[0] - 100
    a[0].bias[0] -= 50
    report = explain_live(a, b, live_models.vector())
    assert report.verdict == "different" and report.outputs is None and causes(report) == []
    assert report.findings[0].role == "contributes" and "the outputs agree on these inputs all the same" in report.findings[0].details


def test_rounded_weights_are_said_to_be_rounded():
    a, inputs = made(live_models.resnet)
    b = copy.deepcopy(a).bfloat16().float()
    report = explain_live(a, b, inputs)
    assert ("weights.rounded", "weights") in causes(report)


def test_missing_weights_are_named():
    a, b = torch.nn.Linear(16, 4), torch.nn.Linear(16, 4, bias=False)
    b.weight.copy_(a.weight)
    report = explain_live(a, b, live_models.vector())
    assert causes(report) == [("weights.missing", "weights")] and fields(report, "weights") == ["bias"]


# Random numbers and modes.


def test_noise_in_eval_mode_is_proved_by_one_seed():
    model = live_models.Dropping().eval()
    report = explain_live(model, copy.deepcopy(model), live_models.vector())
    assert causes(report) == [("rng.noise", "random numbers")] and report.draws == {"A": ["(model)"], "B": ["(model)"]}
    (finding,) = report.findings
    assert finding.evidence["equal_with_one_seed"] and finding.evidence["self_difference"] > 0 and finding.proof == "proved"


def test_noise_and_another_cause_are_both_named():
    a, inputs = made(live_models.vit_mae)
    b = copy.deepcopy(a)
    b.vit.layernorm.eps = 0.1
    report = explain_live(a, b, inputs)
    assert causes(report) == [("rng.noise", "random numbers"), ("config.changed", "attributes")]
    assert fields(report, "attributes") == ["vit.layernorm.eps"] and report.draws == {"A": ["vit.embeddings"], "B": ["vit.embeddings"]}
    assert report.first["point"] == "vit.layernorm"


def test_dropout_left_in_training_mode_on_both_sides():
    a, inputs = made(live_models.bert)
    a.train()
    report = explain_live(a, copy.deepcopy(a), inputs)
    assert causes(report) == [("mode.training", "random numbers")] and "embeddings.dropout" in report.draws["A"]
    assert "in eval mode A and B repeat" in report.findings[0].details


def test_dropout_left_in_training_mode_on_one_side_is_found_by_exchange():
    a, inputs = made(live_models.bert)
    b = copy.deepcopy(a)
    b.encoder.layer[1].output.dropout.train()
    report = explain_live(a, b, inputs)
    assert set(cause for cause, _ in causes(report)) == {"mode.training"} and fields(report, "mode") == ["encoder.layer.1.output.dropout"]


def test_batch_norms_in_training_mode():
    a, inputs = made(live_models.resnet)
    b = copy.deepcopy(a)
    b[1].bn1.train()
    running = b[1].bn1.running_mean.clone()
    report = explain_live(a, b, inputs)
    assert causes(report) == [("mode.training", "mode")] and fields(report, "mode") == ["1.bn1"]
    assert torch.equal(b[1].bn1.running_mean, running) and b[1].bn1.num_batches_tracked == 0


def test_a_forward_that_reads_the_generator_is_found():
    model = live_models.Reading().eval()
    torch.rand(1)

    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.reads, self.draws = live_models.Reading(), torch.nn.Dropout(0.5)

        def forward(self, x):
            return self.reads(x) + self.draws(x)

    assert explain_live(model, copy.deepcopy(model), live_models.vector()).verdict == "same"  # nothing draws between two calls
    model = Both()
    model.draws.train()
    report = explain_live(model, copy.deepcopy(model), live_models.vector())
    assert ("mode.training", "random numbers") in causes(report)


def test_noise_and_dropout_are_told_apart():
    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.noise, self.drop = live_models.Dropping(), torch.nn.Dropout(0.5)

        def forward(self, x):
            return self.drop(self.noise(x))

    model = Both().train()
    report = explain_live(model, copy.deepcopy(model), live_models.vector())
    assert [(f.cause, f.evidence["modules"], f.details[-1]) for f in report.findings] == [
        ("rng.noise", ["noise"], "with every generator seeded alike A and B give the same bits"),
        ("mode.training", ["drop"], "in eval mode these modules draw nothing"),
    ]


def test_a_model_that_carries_something_from_call_to_call():
    class Carries(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros(1))
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            self.seen += 1
            return x * self.seen

    a, b = Carries(), Carries()
    report = explain_live(a, b, live_models.vector())
    assert (
        report.verdict == "same"
        and [(f.cause, f.role, f.evidence) for f in report.findings] == [("state.buffers", "risk", {"changes": ["seen", "calls"]})] * 2
    )
    assert a.seen == 0 and a.calls == 0
    a(live_models.vector())
    assert fields(explain_live(a, b, live_models.vector()), "buffers") == ["seen"]


@pytest.mark.parametrize(
    "draw",
    [lambda x: x + random.random(), lambda x: x + torch.rand(16), lambda x: x + torch.empty(16).normal_()],
    ids=["python", "rand", "normal"],
)
def test_a_forward_that_draws_from_a_global_generator(draw):
    class Draws(torch.nn.Module):
        def forward(self, x):
            return draw(x)

    report = explain_live(Draws().eval(), Draws().eval(), live_models.vector())
    assert causes(report) == [("rng.noise", "random numbers")]


def test_what_depends_on_no_generator_is_said_not_to_repeat():
    class Counts(torch.nn.Module):
        calls = 0

        def forward(self, x):
            Counts.calls += 1
            return x + Counts.calls

    report = explain_live(Counts(), Counts(), live_models.vector())
    assert [(finding.cause, finding.factor, finding.subjects) for finding in report.findings] == [
        (None, "repeat", ["A"]),
        (None, "repeat", ["B"]),
    ]
    assert report.verdict == "different" and report.findings[0].evidence["one_thread"] is False


# Everything else that can differ.


def test_a_buffer_that_state_dict_leaves_out():
    a = live_models.Buffered().eval()
    b = copy.deepcopy(a)
    b.table += 0.5
    assert a.state_dict().keys() == {"fc.weight", "fc.bias"}
    report = explain_live(a, b, live_models.vector())
    assert causes(report) == [("state.buffers", "buffers")] and fields(report, "buffers") == ["table"]


def test_running_statistics():
    a, inputs = made(live_models.resnet)
    b = copy.deepcopy(a).train()
    b(*inputs)
    b.eval()
    report = explain_live(a, b, inputs)
    assert causes(report) == [("state.buffers", "buffers")] and "num_batches_tracked" not in " ".join(fields(report, "buffers"))


@pytest.mark.parametrize(
    "make, path, attribute, value",
    [
        (live_models.vit, "vit.layernorm", "eps", 0.1),
        (live_models.resnet, "0", "stride", (1, 1)),
        (live_models.unet, "", "act", F.relu),
        (live_models.unet, "down.0.1", "num_groups", 4),
        (live_models.gpt2, "transformer.h.0.attn", "scaling", 0.5),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", str(value)),
)
def test_attributes_of_modules(make, path, attribute, value):
    a, inputs = made(make)
    b = copy.deepcopy(a)
    assert hasattr(b.get_submodule(path), attribute)
    setattr(b.get_submodule(path), attribute, value)
    report = explain_live(a, b, inputs)
    assert causes(report) == [("config.changed", "attributes")], str(report)
    assert fields(report, "attributes") == [f"{path}.{attribute}" if path else attribute]


def test_a_config_field_that_a_pass_reads():
    a, inputs = made(live_models.vit_mae)
    b = copy.deepcopy(a)
    b.config.mask_ratio = 0.5
    b.config.initializer_range = 0.5
    report = explain_live(a, b, inputs)
    assert ("config.changed", "config") in causes(report) and fields(report, "config") == ["mask_ratio"]
    assert [finding.summary for finding in report.findings if finding.role == "note"] == [
        "fields of the config differ, which passes usually do not read: initializer_range"
    ]


def test_another_activation_module():
    a, inputs = made(live_models.resnet)
    b = copy.deepcopy(a)
    b[2].relu = torch.nn.SiLU()
    report = explain_live(a, b, inputs)
    assert (
        causes(report) == [("code.version", "classes")] and fields(report, "classes") == ["2.relu"] and isinstance(b[2].relu, torch.nn.SiLU)
    )


def test_another_class_of_the_same_parts():
    class Doubled(torch.nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    a = torch.nn.Sequential(torch.nn.Linear(16, 16))
    b = copy.deepcopy(a)
    b[0].__class__ = Doubled
    report = explain_live(a, b, live_models.vector())
    assert causes(report) == [("code.version", "classes")] and type(b[0]) is Doubled


def test_a_hook_that_changes_outputs():
    a, inputs = made(live_models.resnet)
    b = copy.deepcopy(a)
    b[1].bn2.register_forward_hook(lambda module, arguments, output: output * 1.5)
    report = explain_live(a, b, inputs)
    assert causes(report) == [(None, "hooks")] and fields(report, "hooks") == ["1.bn2"] and len(b[1].bn2._forward_hooks) == 1


def test_eager_attention_against_sdpa():
    a, inputs = made(live_models.vit)
    b = copy.deepcopy(a)
    b.set_attn_implementation("eager")
    report = explain_live(a, b, inputs)
    assert report.verdict == "different" and causes(report) == [("numerics.attention", "attention")], str(report)
    assert b.config._attn_implementation == "eager" and report.outputs["max_abs"] < 1e-5


def test_dtypes():
    a, inputs = made(live_models.resnet)
    b = copy.deepcopy(a)
    b[5].double()
    b[5].register_forward_pre_hook(lambda module, arguments: (arguments[0].to(module.weight.dtype),))
    a[5].register_forward_pre_hook(lambda module, arguments: (arguments[0].to(module.weight.dtype),))
    report = explain_live(a, b, inputs)
    assert causes(report) == [("numerics.dtype", "dtype")] and set(fields(report, "dtype")) == {"5.weight", "5.bias"}


def test_addresses_of_weights_at_batch_one():
    from samebits.live_state import placed

    a = torch.nn.Sequential(torch.nn.Linear(768, 1000))
    b = copy.deepcopy(a)
    shifted = torch.frombuffer(bytearray(128), dtype=torch.float32)[2:]
    odd = next(shifted[start:] for start in range(16) if shifted[start:].data_ptr() % 64 == 8)
    b[0].weight.data = placed(a[0].weight, a[0].weight, odd)
    assert b[0].weight.data_ptr() % 64 == 8 and torch.equal(a[0].weight, b[0].weight)
    x = torch.randn(1, 768)
    report = explain_live(a, b, x)
    if torch.equal(a(x), b(x)):  # a processor whose matrix products do not depend on addresses
        assert report.verdict == "same" and report.findings[0].role == "risk"
    else:
        assert causes(report) == [("numerics.alignment", "alignment")] and fields(report, "alignment") == ["0.weight"]
    assert b[0].weight.data_ptr() % 64 == 8


def test_threads_autocast_and_batch_of_one_side():
    a, inputs = made(live_models.vit)
    report = explain_live(a, Live(a, autocast=torch.bfloat16), inputs)
    assert causes(report) == [("numerics.dtype", "autocast")] and fields(report, "autocast") == ["autocast"]
    threads = torch.get_num_threads()
    one = explain_live(Live(a, threads=1), Live(a, threads=2), inputs)
    assert causes(one) in ([], [("numerics.threads", "threads")]) and torch.get_num_threads() == threads
    assert one.verdict == ("different" if causes(one) else "same")
    model = torch.nn.Linear(768, 1000)
    x = torch.randn(8, 768)
    batch = explain_live(Live(model, x[:1]), Live(model, x))
    equal = torch.equal(model(x[:1]), model(x)[:1])
    assert causes(batch) == ([] if equal else [("numerics.batch", "batch")])


def test_other_inputs():
    model = torch.nn.Linear(16, 16)
    report = explain_live(Live(model, live_models.vector()), Live(model, live_models.vector() + 1))
    assert causes(report) == [(None, "inputs")]


def test_a_quantized_module():
    a = torch.nn.Sequential(torch.nn.Linear(16, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4)).eval()
    b = torch.ao.quantization.quantize_dynamic(a, {torch.nn.Linear})
    report = explain_live(a, b, live_models.vector())
    assert causes(report) == [("weights.quantized", "modules")] and fields(report, "modules") == ["0", "2"]


def test_an_adapter():
    a, inputs = made(live_models.bert)
    b = copy.deepcopy(a)
    attention = b.encoder.layer[0].attention.self
    attention.query = live_models.LoraLinear(attention.query)
    report = explain_live(a, b, inputs)
    assert causes(report) == [("weights.adapted", "modules")] and fields(report, "modules") == ["encoder.layer.0.attention.self.query"]


def test_what_a_module_computes_itself_is_not_laid_on_its_parts():
    a, inputs = made(live_models.vit)
    b = copy.deepcopy(a)
    b.vit.embeddings.cls_token += 1
    report = explain_live(a, b, inputs)
    assert (report.first["point"], report.first["inputs"], report.first["computed_in"]) == (
        "vit.embeddings.dropout",
        "different",
        "vit.embeddings",
    )
    assert "its inputs differ already: vit.embeddings computes them in its own" in str(report)


def test_two_causes_are_both_needed():
    a, inputs = made(live_models.resnet)
    b = copy.deepcopy(a)
    b[1].bn1.eps = 0.5
    b[2].conv2.weight += 1
    report = explain_live(a, b, inputs)
    assert set(causes(report)) == {("config.changed", "attributes"), ("weights.changed", "weights")}
    assert all("without any one of these exchanges it does not" in finding.details[-1] for finding in report.findings)


def test_a_compiled_side_is_run_without():
    class Reordered(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = torch.nn.Linear(16, 16)

        def forward(self, x):
            return self.fc(x) + (1 if torch.compiler.is_compiling() else 0)

    a = Reordered()
    report = explain_live(a, torch.compile(copy.deepcopy(a), backend="eager"), live_models.vector())
    assert causes(report) == [(None, "compilation")]


def test_models_of_other_parts_are_not_explained_away():
    a, b = torch.nn.Linear(16, 16), live_models.Buffered()
    report = explain_live(a, b, live_models.vector())
    assert report.verdict == "different" and causes(report) == []
    assert any("the models are of two classes" in sentence for sentence in report.not_checked)
    assert any(sentence.startswith("the cause was not found") for sentence in report.not_checked)
    assert report.diagnosis == "the outputs differ, and the cause was not found"


def test_generators_threads_and_models_are_given_back():
    a, inputs = made(live_models.vit_mae)
    b = copy.deepcopy(a)
    b.vit.layers[1].mlp.fc1.weight += 1
    before = torch.get_rng_state(), random.getstate(), state(a), state(b), torch.get_num_threads()
    explain_live(a, b, inputs)
    after = torch.get_rng_state(), random.getstate(), state(a), state(b), torch.get_num_threads()
    assert torch.equal(before[0], after[0]) and before[1:] == after[1:]


def test_an_exception_of_the_model_is_the_callers_and_leaves_no_trace():
    a, inputs = made(live_models.resnet)
    b = copy.deepcopy(a)
    before = state(b)
    with pytest.raises(RuntimeError):
        explain_live(a, b, (torch.randn(2, 5, 32, 32),))
    assert state(b) == before


def test_the_search_ends_with_its_budget_and_says_so():
    a = torch.nn.Sequential(*(torch.nn.Linear(16, 16) for _ in range(12)))
    b = copy.deepcopy(a)
    for index in range(0, 12, 2):
        b[index].weight += 1
    report = explain_live(a, b, live_models.vector(), max_runs=5)
    (finding,) = report.findings
    assert finding.evidence["is_minimal"] is False and "the search ended before every one of them was shown to be needed" in finding.details


def test_the_report_as_text_and_json():
    a, inputs = made(live_models.resnet)
    b = copy.deepcopy(a)
    b[1].conv1.weight[0] += 1
    report = explain_live(a, b, inputs)
    text = str(report)
    assert text.startswith("different: weights have other values: 1.conv1.weight\n") and "part at     1.conv1 (Conv2d)" in text
    assert max(map(len, text.splitlines())) <= 80
    value = json.loads(report.to_json())
    assert (
        value["schema"] == "samebits.live/1" and value["findings"][0]["cause"] == "weights.changed" and value["first"]["point"] == "1.conv1"
    )


def test_the_document_shows_what_is_printed(tmp_path):
    assert live_docs.run("live.md", tmp_path, {}) == 3


@pytest.mark.parametrize("mode", [torch.enable_grad, torch.inference_mode], ids=lambda mode: mode.__name__)
def test_with_gradients_and_in_inference_mode(mode):
    a, inputs = made(live_models.gpt2)
    b = copy.deepcopy(a)
    b.transformer.h[1].mlp.c_fc.weight += 0.5
    b.transformer.h[0].ln_1.eps = 0.1
    before = state(b)
    with mode():
        report = explain_live(a, b, inputs)
    assert set(causes(report)) == {("weights.changed", "weights"), ("config.changed", "attributes")} and report.not_checked == []
    assert state(b) == before and not any(p.is_inference() for p in b.parameters())


def test_a_pass_that_writes_into_its_weights_proves_nothing():
    """Embedding with max_norm shortens the rows that it reads, in place."""
    torch.manual_seed(0)
    a, b = torch.nn.Embedding(10, 4).eval(), torch.nn.Embedding(10, 4, max_norm=0.1).eval()
    b.load_state_dict(a.state_dict())
    before = b.weight.detach().clone()
    report = explain_live(a, b, torch.tensor([1, 2, 3]))
    assert torch.equal(before, b.weight) and report.not_checked == []
    said = report.findings[0]
    assert report.verdict == "different" and said.summary.startswith("a forward pass of B writes into its own weights")
    assert any("max_norm" in line for line in said.details)
    assert all(f.proof != "proved" and f.cause != "mode.training" for f in report.findings) and "not needed" not in str(report)
    assert any("max_norm" in str(f.evidence) for f in report.findings if f.factor == "attributes")


def test_frequencies_are_not_mended_by_eval_mode():
    def llama(theta):
        torch.manual_seed(0)
        sizes = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2, intermediate_size=48, vocab_size=60)
        config = transformers.LlamaConfig(**sizes, rope_parameters={"rope_type": "default", "rope_theta": theta})
        return transformers.LlamaForCausalLM(config).eval()

    report = explain_live(llama(1e4), llama(1e6), torch.arange(9)[None])
    (said,) = [f for f in report.findings if f.cause == "state.buffers" and f.role == "cause"]
    assert "eval()" not in said.remedy and said.remedy.startswith("Build both models with the same settings")


def test_what_is_no_module_and_what_a_pass_raises():
    model = torch.nn.Linear(4, 2)
    with pytest.raises(TypeError, match=r"A is no torch module \(found str\): of files, samebits.explain"):
        explain_live("weights.pth", model, torch.ones(1, 4))
    with pytest.raises(RuntimeError) as raised:
        explain_live(model, copy.deepcopy(model), torch.ones(1, 5))
    assert "raised by the forward pass of A" in str(raised.value.__notes__)


def test_a_call_of_ones_own():
    a, inputs = made(live_models.gpt2)
    b = copy.deepcopy(a)
    b.transformer.wpe.weight[9] += 1  # a position that only generated tokens reach

    def generate(model, ids):
        return model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=6, do_sample=False, output_scores=True, return_dict_in_generate=True
        ).scores

    assert causes(explain_live(a, b, inputs)) == []
    assert causes(explain_live(a, b, inputs, call=generate)) == [("weights.changed", "weights")]


class Holder(torch.nn.Module):
    """What a user's module may hold beside its parameters: its own parts, locks, handles, weak references, functions."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.first, self.second = torch.nn.Linear(8, 8), torch.nn.Linear(8, 8)
        self.order, self.named = [self.first, self.second], {"weight": self.first.weight}
        self.lock, self.reference, self.generator = threading.Lock(), weakref.ref(self.first), torch.Generator()
        self.handle = self.first.register_forward_hook(lambda module, inputs, output: output)
        self.scaled = lambda x: x * scale
        object.__setattr__(self, "itself", self)

    def forward(self, x):
        for layer in self.order:
            x = self.scaled(layer(x))
        return x


KEEPERS = {
    "lstm": lambda: torch.nn.LSTM(8, 12, 2, batch_first=True), "gru": lambda: torch.nn.GRU(8, 12, batch_first=True),
    "rnn": lambda: torch.nn.RNN(8, 12, batch_first=True), "own": Holder,
    "weight_norm": lambda: torch.nn.Sequential(torch.nn.utils.weight_norm(torch.nn.Linear(8, 8))),
    "spectral_norm": lambda: torch.nn.Sequential(torch.nn.utils.spectral_norm(torch.nn.Linear(8, 8))),
}


@pytest.mark.parametrize("name", KEEPERS)
@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
def test_what_modules_keep_of_their_own_parts_is_no_setting(name):
    x = torch.randn(2, 5, 8)
    a, b = KEEPERS[name]().eval(), KEEPERS[name]().eval()
    b.load_state_dict(a.state_dict())
    report = explain_live(a, b, x)
    assert report.verdict == "same" and not report.findings
    changed = next(parameter for parameter in b.parameters() if parameter.dim() > 1)
    changed[0, 0] += 1
    before = state(b)
    report = explain_live(a, b, x)
    assert causes(report) == [("weights.changed", "weights")] and len(report.findings) == 1 and state(b) == before


def test_other_sizes_of_a_recurrent_module_are_exchanged_with_its_lists():
    a, b = torch.nn.LSTM(8, 12, batch_first=True).eval(), torch.nn.LSTM(8, 16, batch_first=True).eval()
    report = explain_live(a, b, torch.randn(2, 5, 8))
    assert sorted(causes(report)) == [("config.changed", "attributes"), ("weights.changed", "weights")]
    assert fields(report, "attributes") == ["hidden_size"]


def test_own_parts_in_another_order_are_a_cause_without_addresses():
    torch.manual_seed(1)
    a, b = Holder().eval(), Holder().eval()
    b.load_state_dict(a.state_dict())
    b.order.reverse()
    report = explain_live(a, b, torch.randn(2, 8))
    assert causes(report) == [("config.changed", "attributes")] and fields(report, "attributes") == ["order"]
    assert "0x" not in report.to_json()
