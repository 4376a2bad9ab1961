"""Runs of live models with factors set: what explain_live() asks a model, and nothing of how it searches.

A Runner has `run(label, exchanged, seed, ...)` -> Outcome. TorchRunner is that of two torch modules in this process; it takes back whatever
a run did: weights, buffers, attributes, config, modes, hooks, threads, flags. Generators are given back by close().
"""

import contextlib
import dataclasses
import inspect
import re

from . import live_alike, live_diff, live_factors, live_names, live_rng, live_state, live_tensors
from .live_facts import autocast
from .live_recorder import Recorder


@dataclasses.dataclass
class Live:
    """A live model together with how it is run, where that is not as things stand now.

    `inputs`: as for explain_live(). `threads`: torch.set_num_threads. `autocast`: a dtype, for torch.autocast on the model's device.
    `deterministic`: torch.use_deterministic_algorithms.
    """

    model: object
    inputs: object = None
    threads: int = None
    autocast: object = None
    deterministic: bool = None


SHOWN_INPUTS, SMALL_INPUT = 3, 4  # how many inputs are named, and up to how many elements they are shown
ABSENT = object()
NO_NUMBERS = {"elements": None, "differing": None, "max_abs": None}  # of values that are no tensors of one shape


class RestoreError(RuntimeError):
    """A model could not be given back as it was."""


@dataclasses.dataclass
class Outcome:
    """A run: its output's leaves (tensors detached and copied), and what a recorder saw, where one was asked for."""

    leaves: list
    left_out: list  # paths of leaves that are no rows of the batch, where two batches are compared
    recorder: object = None

    def same_bits(self, other):
        if [path for path, _ in self.leaves] != [path for path, _ in other.leaves]:
            return False
        return all(_same_leaf(x, y) for (_, x), (_, y) in zip(self.leaves, other.leaves))

    def difference(self, other):
        """Of the first leaf that differs: path and numbers, or None. Leaves of other types or shapes have no numbers."""
        import torch

        for (path, x), (other_path, y) in zip(self.leaves, other.leaves):
            if path != other_path or not _same_leaf(x, y):
                comparable = isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor) and x.shape == y.shape
                shown = {} if comparable and x.dtype == y.dtype else {"shown": _shown_pair(x, y)}
                return {"path": path, **(live_tensors.difference(x, y) if comparable else NO_NUMBERS), **shown}
        if len(self.leaves) != len(other.leaves):
            return {"path": "", **NO_NUMBERS, "shown": [f"{len(side.leaves)} values" for side in (self, other)]}
        return None


def _shown_pair(x, y):
    return [leaf.kind if isinstance(leaf, live_tensors.Opaque) else live_alike.shown(leaf if _is_tensor(leaf) else repr(leaf)) for leaf in (x, y)]


def _same_leaf(x, y):
    import torch

    if isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor):
        return live_alike.same_tensor(x, y)
    if isinstance(x, live_tensors.Opaque) and isinstance(y, live_tensors.Opaque):
        return x.kind == y.kind
    return type(x) is type(y) and repr(x) == repr(y)


class Side:
    """One of the two: label, model, inputs, settings."""

    def __init__(self, label, given, inputs):
        live = given if isinstance(given, Live) else Live(given)
        if not hasattr(live.model, "named_modules"):
            raise TypeError(
                f"{label} is no torch module (found {type(live.model).__name__}): of files, samebits.explain() says why they differ, and "
                'with_="torch" runs them'
            )
        self.label, self.model = label, live.model
        _demand_modules(label, live.model)
        self.arguments, self.keywords = as_call(inputs if live.inputs is None else live.inputs)
        self.settings = {"threads": live.threads, "autocast": live.autocast, "deterministic": live.deterministic}
        self.input_leaves = live_tensors.leaves((self.arguments, self.keywords))
        self.rows = None  # how many rows of the outputs are compared, where the batches differ
        self.batch = next((len(leaf) for _, leaf in self.input_leaves if _is_tensor(leaf) and leaf.dim()), None)


def _demand_modules(label, model):
    """Refuses what has no Python modules, or no weights yet."""
    import torch

    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise TypeError(
                f"{label}: {name or 'the model'} is TorchScript, in which nothing can be exchanged: give the module that it was made of; "
                "samebits.diff compares the weights"
            )
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
            raise ValueError(f"{label}: {name} has no shape yet: run the model once, or load its weights")


def demand_inputs(sides, call):
    """Refuses a call without inputs of a model that takes some, and inputs that one run uses up."""
    for side in sides:
        given = [*side.arguments, *side.keywords.values()]
        if any(hasattr(each, "__next__") for each in given):
            raise TypeError(f"an input of {side.label} is an iterator, which the first run uses up: give what it yields")
        if call is None and len(side.arguments) == 1 and side.arguments[0] is None and _takes_inputs(side.model):
            raise TypeError(f"{side.label} was given no inputs: explain_live(a, b, inputs), or Live(model, inputs=...)")


def _takes_inputs(model):
    """Whether its forward has an argument without a default."""
    try:
        asked = inspect.signature(inner(model).forward).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in asked)


def as_call(inputs):
    """Arguments and keywords of a call: a tuple is the arguments, a mapping the keywords, anything else the only argument."""
    if isinstance(inputs, tuple):
        return inputs, {}
    if hasattr(inputs, "keys"):
        return (), dict(inputs)
    return (inputs,), {}


def inner(model):
    """The module inside wrappers that compile or distribute it."""
    import torch

    while True:
        if type(model).__name__ == "OptimizedModule":
            model = model._orig_mod
        elif isinstance(model, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
            model = model.module
        else:
            return model


class TorchRunner:
    def __init__(self, a, b, call=None):
        self.a, self.b, self.call = a, b, call
        self.own = [*live_rng.own_generators(a.model), *[(f"B: {name}", g) for name, g in live_rng.own_generators(b.model)]]
        self._states = [live_state.ModelState(side.model) for side in (a, b)]
        self._random = live_rng.states(self.own)
        self._inputs = [
            (leaf, leaf.detach().clone()) for side in (a, b) for _, leaf in side.input_leaves if _is_tensor(leaf) and not live_tensors.unreadable(leaf)
        ]
        self._known_by_diff = None
        self._now = {}  # what exchanged factors of the run give B: settings, inputs, model

    def close(self):
        live_rng.restore(self._random, self.own)

    def factors(self):
        """The factors in which the two differ, and sentences on what cannot be exchanged."""
        found, not_checked = live_factors.find_factors(inner(self.a.model), inner(self.b.model), self.known())
        return [*self._own_factors(), *found], not_checked

    def known(self):
        """What samebits.diff says of the two; None where that was asked of their files."""
        if self._known_by_diff is None:
            self._known_by_diff = live_diff.Known(inner(self.a.model), inner(self.b.model))
        return self._known_by_diff

    def around(self):
        """Sentences on modules around a model that were looked through, and whose own code no exchange reaches."""
        models = inner(self.a.model), inner(self.b.model)
        return [
            f"what {side.label}'s {type(model).__name__} does around its {type(inside).__name__} is not exchanged"
            for side, model, inside in zip((self.a, self.b), models, live_names.unwrapped(*models))
            if inside is not model
        ]

    def stages(self, factors):
        """The factors among which a smallest set is looked for, and where these do not do, more of them."""
        return [factors]

    def _own_factors(self):
        found = []
        for name in ("threads", "autocast", "deterministic"):
            one, other = ({**_settings_now(), **_given(side)}[name] for side in (self.a, self.b))
            if one != other:
                found.append(self._factor(name, name, str(one), str(other), name, one))
        compiled = [type(side.model).__name__ == "OptimizedModule" for side in (self.a, self.b)]
        if compiled[1] and not compiled[0]:
            found.append(
                self._factor("compilation", "(model)", "not compiled", "compiled by torch.compile()", "model", inner(self.b.model))
            )
        for group in input_groups(self.a, self.b):
            given = (self.a.arguments, self.a.keywords, self.a.batch)
            found.append(self._factor(group, "inputs", *_shown_inputs(group, self.a, self.b), "inputs", given))
        return found

    def _factor(self, group, name, a, b, key, value):
        return live_factors.Factor(group, name, a, b, lambda: self._now.__setitem__(key, value))

    def run(self, label, exchanged=(), seed=None, eval_mode=False, threads=None, options=None, keep=False):
        """One run of the side with this label; `exchanged`: factors that B has from A. `seed`: of every generator, None goes on with them as they stand.
        `options`: of a recorder. `keep`: leaves what the run did to the model for the next one."""
        side = self.a if label == self.a.label else self.b
        self._now = {}
        try:
            live_factors.exchange(exchanged)
            settings = {**_given(side), **{key: self._now[key] for key in ("threads", "autocast", "deterministic") if key in self._now}}
            if threads is not None:
                settings["threads"] = threads
            if eval_mode:
                for module in self._now.get("model", side.model).modules():
                    vars(module)["training"] = False
            return self._forward(side, settings, seed, options)
        except Exception as error:
            if not exchanged:
                error.add_note(f"raised by the forward pass of {label}, which samebits ran on the inputs that it was given")
            raise
        finally:
            if not keep:
                self.restore()

    def _forward(self, side, settings, seed, options):
        import torch

        model = self._now.get("model", side.model)
        arguments, keywords, batch = self._now.get("inputs", (side.arguments, side.keywords, side.batch))
        recorder = Recorder(model, options) if options else None
        with _settings(settings, model):
            if seed is not None:
                live_rng.seed_all(seed, self.own)
            torch.clear_autocast_cache()  # of an autocast around us: it would hide exchanged weights
            if recorder:
                recorder.attach()
            try:
                output = self.call(model, *arguments, **keywords) if self.call else model(*arguments, **keywords)
            finally:
                if recorder:
                    recorder.detach()
        return Outcome(*_copied(live_tensors.leaves(output), batch, side.rows), recorder)

    def restore(self):
        """Takes back what runs did to both models and their inputs."""
        import torch

        for state in self._states:
            state.restore()
        with torch.no_grad():
            for leaf, copy in self._inputs:
                if not live_tensors.same_bits(leaf.detach(), copy):
                    leaf.detach().copy_(copy)

    def twice(self, label, seed):
        """The second of two runs of one model with one seed, without giving back what the first did to it; and what that was."""
        try:
            self.run(label, seed=seed, keep=True)
            moved = self._states[0 if label == self.a.label else 1].moved()
            return self.run(label, seed=seed), moved
        finally:
            self.restore()

    def keeps_what_it_draws(self, label):
        """Whether a second pass repeats the first, with fresh random numbers and with what the first one left in the model."""
        try:
            return self.run(label, keep=True).same_bits(self.run(label, keep=True))
        finally:
            self.restore()

    def kept_writes(self):
        """Labels of the models into whose weights a pass wrote and that are not given back, since they were too large to be copied."""
        written = self.wrote_weights()
        return [side.label for side, state in zip((self.a, self.b), self._states) if side.label in written and not state.is_copied]

    def wrote_weights(self):
        """Labels of the models whose parameters a forward pass wrote into."""
        return [side.label for side, state in zip((self.a, self.b), self._states) if state.changed()]


def input_groups(a, b):
    """Which factor the inputs are: none where they are the same bits; "batch" where the shorter one is the beginning of the longer one."""
    if len(a.input_leaves) != len(b.input_leaves):
        return ["inputs"]
    pairs = [(x, y) for (_, x), (_, y) in zip(a.input_leaves, b.input_leaves)]
    if [path for path, _ in a.input_leaves] != [path for path, _ in b.input_leaves]:
        return ["inputs"]
    if all(_same_leaf(x, y) for x, y in pairs):
        return ["input layout"] if any(_lie_otherwise(x, y) for x, y in pairs) else []
    rows = min(a.batch or 0, b.batch or 0)
    return ["batch"] if a.batch != b.batch and all(_same_leaf(_cut(x, a, rows), _cut(y, b, rows)) for x, y in pairs) else ["inputs"]


def _cut(leaf, side, rows):
    return leaf[:rows] if _is_tensor(leaf) and leaf.dim() and len(leaf) == side.batch else leaf


def _copied(leaves, batch, rows):
    """Leaves that stay as they are when the model runs again, of a batch the first rows alone where two batches are compared; and the
    paths of those that are then left out."""
    found, left_out = [], []
    for path, leaf in leaves:
        unreadable = live_tensors.unreadable(leaf) if _is_tensor(leaf) else ""
        if unreadable:
            found.append((path, live_tensors.Opaque(leaf, unreadable)))
        elif not _is_tensor(leaf):
            found.append((path, leaf))
        elif rows is None:
            found.append((path, leaf.detach().clone()))
        elif leaf.dim() and len(leaf) == batch:
            found.append((path, leaf.detach()[:rows].clone()))
        else:
            left_out.append(path)
    return found, left_out


def _lie_otherwise(x, y):
    """Whether two tensors of the same values have other strides."""
    if not _is_tensor(x) or live_tensors.unreadable(x) or x.numel() < 2:
        return False
    return [n for n, size in zip(x.stride(), x.shape) if size > 1] != [n for n, size in zip(y.stride(), y.shape) if size > 1]


def _shown_inputs(group, a, b):
    """What of the inputs differs, as A and as B have it."""
    ours, theirs = ({_input_name(path): leaf for path, leaf in side.input_leaves} for side in (a, b))
    names = [name for name in {**ours, **theirs} if name not in ours or name not in theirs]
    unlike = _lie_otherwise if group == "input layout" else _is_unlike
    names += [name for name in ours if name in theirs and unlike(ours[name], theirs[name])]
    pairs = [(name, ours.get(name, ABSENT), theirs.get(name, ABSENT)) for name in names[:SHOWN_INPUTS]]
    more = f" and {len(names) - SHOWN_INPUTS} more" if len(names) > SHOWN_INPUTS else ""
    one = ", ".join(_shown_input(name, x, group) for name, x, _ in pairs)
    other = ", ".join(_shown_input(name, y, group) + ("" if group == "input layout" else _distance(x, y)) for name, x, y in pairs)
    return [one + more, other + more]


def _is_unlike(x, y):
    return not _same_leaf(x, y)


def _shown_input(name, leaf, group):
    """One leaf of the inputs: small tensors with their values."""
    if leaf is ABSENT:
        return f"{name} (none)"
    if not _is_tensor(leaf):
        return f"{name} {_shown_pair(leaf, leaf)[0]}"
    if group == "input layout":
        return f"{name} {live_alike.shown(leaf)} with strides {leaf.stride()}"
    return f"{name} {leaf.tolist() if _is_small(leaf) else live_alike.shown(leaf)}"


def _is_small(leaf):
    return not live_tensors.unreadable(leaf) and not leaf.is_quantized and leaf.numel() <= SMALL_INPUT


def _distance(x, y):
    """How far two tensors of one kind are apart, where their values are not shown."""
    if not (_is_tensor(x) and _is_tensor(y)) or live_tensors.unreadable(x) or live_tensors.unreadable(y) or x.shape != y.shape or _is_small(x):
        return ""
    numbers = live_tensors.difference(x, y)
    most = "" if numbers["max_abs"] is None else f", up to {numbers['max_abs']:.3g}"
    return f", other in {numbers['differing']} of {numbers['elements']} elements{most}" if numbers["differing"] else ""


def _input_name(path):
    """A leaf of (arguments, keywords) as a caller knows it: "argument 0", "scale"."""
    keyword = re.match(r"\[1\]\['(\w+)'\](.*)", path, re.DOTALL)
    if keyword:
        return keyword[1] + keyword[2]
    place = re.match(r"\[0\]\[(\d+)\](.*)", path, re.DOTALL)
    return f"argument {place[1]}{place[2]}" if place else path


def _is_tensor(leaf):
    import torch

    return isinstance(leaf, torch.Tensor)


def _given(side):
    return {name: value for name, value in side.settings.items() if value is not None}


def _settings_now():
    import torch

    cast = autocast()
    return {"threads": torch.get_num_threads(), "autocast": cast or None, "deterministic": torch.are_deterministic_algorithms_enabled()}


@contextlib.contextmanager
def _settings(settings, model):
    """Threads, autocast and the deterministic flag for one run."""
    import torch

    threads, flag = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with contextlib.ExitStack() as stack:
        if settings.get("threads") not in (None, threads):
            stack.callback(torch.set_num_threads, threads)
            torch.set_num_threads(settings["threads"])
        if settings.get("deterministic") not in (None, flag):
            warn = torch.is_deterministic_algorithms_warn_only_enabled()
            stack.callback(torch.use_deterministic_algorithms, flag, warn_only=warn)
            torch.use_deterministic_algorithms(settings["deterministic"])
        if isinstance(settings.get("autocast"), torch.dtype):
            device = next((p.device.type for p in model.parameters()), "cpu")
            stack.enter_context(torch.autocast(device, settings["autocast"]))
        yield
