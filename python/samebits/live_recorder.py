"""Hooks on every module of a model, and what they see: outputs in call order, and who drew random numbers.

`Recorder` is the engine of samebits.record() and of explain_live(). It changes nothing that the model computes: hooks only read, and
draw nothing. Every hook goes away again in detach().
"""

import dataclasses
import threading

from . import live_rng, live_tensors

SMALL = 4096  # elements up to which values="small" keeps a tensor
SCRIPTED, COMPILED_IN_PLACE = "a TorchScript module", "compiled by module.compile()"
OUTSIDE = "only its own inputs and outputs are seen, none of its modules'"
ROOT_POINT = "(model)"  # the model itself, which has no name, as a point of a file


@dataclasses.dataclass
class Options:
    values: object = "none"  # "none", "small", "all", or names of modules
    statistics: bool = True
    inputs: bool = False  # digests of every module's inputs; those of the model are always taken
    python_random: bool = True  # look at the generators of Python and numpy, too


class _Frame:
    """A call that is under way."""

    def __init__(self, name, module, call, outer):
        self.name, self.module, self.call, self.outer = name, module, call, outer
        self.draws, self.inputs, self.recomputed = [], None, _in_backward()


class Recorder:
    """attach() to a model, run it, detach(); then `calls`, `kept` (point -> tensor) and `not_recorded` hold what was seen."""

    def __init__(self, model, options=None):
        self.model, self.options = model, options or Options()
        self.calls, self.kept, self.not_recorded, self.outside = [], {}, [], []
        self.step = 0  # raised by whoever records optimizer steps
        self._counts, self._handles, self._undo = {}, [], []
        self._local, self._lock = threading.local(), threading.Lock()
        self._own = live_rng.own_generators(model)
        self._entered = 0

    # Attaching.

    def attach(self):
        self._cursor = live_rng.states(self._own, self.options.python_random)
        for name, module, compiled in boundaries(self.model):
            if compiled:
                seen = "takes no hooks, so that nothing of it is seen" if compiled == SCRIPTED else OUTSIDE
                self.not_recorded.append(f"{name or 'the model'} is {compiled}: {seen}")
            if compiled == COMPILED_IN_PLACE:
                self._wrap_compiled(name, module)
            elif compiled != SCRIPTED:
                self._handles.append(module.register_forward_pre_hook(self._before(name), with_kwargs=True, prepend=True))
                self._handles.append(module.register_forward_hook(self._after(name), with_kwargs=True))
        return self

    def detach(self):
        for handle in self._handles:
            handle.remove()
        for undo in self._undo:
            undo()
        self._handles, self._undo = [], []
        self._see([])  # what was drawn behind the last call
        stack = self._stack()
        while stack:
            self._abandon(stack.pop())

    def _wrap_compiled(self, name, module):
        """Its hooks would be compiled with it; a function around the compiled one is not."""
        compiled, before, after = module._compiled_call_impl, self._before(name), self._after(name)

        def call(*arguments, **keywords):
            before(module, arguments, keywords)
            output = compiled(*arguments, **keywords)
            after(module, arguments, keywords, output)
            return output

        module._compiled_call_impl = call
        self._undo.append(lambda: setattr(module, "_compiled_call_impl", compiled))

    # What the hooks do.

    def _stack(self):
        if not hasattr(self._local, "stack"):
            self._local.stack = []
        return self._local.stack

    def _before(self, name):
        def hook(module, arguments, keywords):
            with self._lock:
                stack = self._stack()
                self._see(stack, module)
                call = self._counts.get(name, 0)
                self._counts[name] = call + 1
                frame = _Frame(name, module, call, stack[-1] if stack else None)
                frame.entered, self._entered = self._entered, self._entered + 1
                if self.options.inputs or not stack:
                    frame.inputs = self._describe((arguments, keywords))
                stack.append(frame)

        return hook

    def _after(self, name):
        def hook(module, arguments, keywords, output):
            with self._lock:
                stack = self._stack()
                while stack and stack[-1].module is not module:  # calls that an exception ended, which somebody caught
                    self._abandon(stack.pop())
                if stack:
                    self._see(stack, module)
                    self._finish(stack.pop(), output)

        return hook

    def _see(self, stack, module=None):
        """Gives what was drawn since the last event to the innermost call that was under way."""
        python = self.options.python_random and not _is_torchs(module)
        now = live_rng.states(self._own, python)
        names = [name for name in now if name not in self._cursor or not live_rng.same(self._cursor[name], now[name])]
        drawn = stack[-1].draws if stack else self.outside
        for name in names:
            drawn.append((name, self._cursor.get(name), now[name]))
            self._cursor[name] = now[name]

    def _abandon(self, frame):
        """Checkpointing ends what it computes again as soon as it has what it wants; any other end without an output is named."""
        if frame.recomputed:
            self._finish(frame, None)
        else:
            self.not_recorded.append(f"a call of {frame.name or 'the model'} ended without an output")

    def _finish(self, frame, output):
        point = frame.name or ROOT_POINT
        if frame.call:
            point = f"{point}@{frame.call}"
        keep = self._keeps(frame.name)
        entry = {
            "module": frame.name,
            "call": frame.call,
            "entered": frame.entered,
            "within": None if frame.outer is None else [frame.outer.name, frame.outer.call],
            "class": class_name(frame.module),
            "training": frame.module.training,
            "recomputed": frame.recomputed,
            "step": self.step,
            "inputs": frame.inputs,
            "outputs": self._describe(output, point, keep),
            "draws": frame.draws,
        }
        self.calls.append(entry)

    def _keeps(self, name):
        values = self.options.values
        if isinstance(values, str):
            return {"none": lambda tensor: False, "small": lambda tensor: tensor.numel() <= SMALL, "all": lambda tensor: True}[values]
        return lambda tensor: name in values

    def _describe(self, value, point=None, keep=None):
        described = []
        for path, leaf in live_tensors.leaves(value):
            if leaf is None:
                continue
            entry = describe_leaf(path, leaf, self.options.statistics)
            if keep is not None and live_tensors.KEY in entry and keep(leaf):
                entry["stored"] = point + path
                self.kept[point + path] = leaf.detach().cpu().contiguous().clone()
            described.append(entry)
        return described

    def finished_calls(self):
        """The calls with their draws as what a file holds: generator, digests of its state before and after, count."""
        return [{**call, "draws": describe_draws(call["draws"])} for call in self.calls]


def describe_leaf(path, leaf, statistics=True):
    """A leaf as a recording holds it."""
    import torch

    if isinstance(leaf, live_tensors.Opaque):
        return {"path": path, "opaque": leaf.kind}
    if not isinstance(leaf, torch.Tensor):
        return {"path": path, "value": repr(leaf)}
    entry = {"path": path, "dtype": live_tensors.dtype_name(leaf), "device": str(leaf.device)}
    try:
        entry["shape"] = list(leaf.shape)
        with torch.no_grad():
            entry.update(live_tensors.described(leaf, statistics))
    except (TypeError, RuntimeError, NotImplementedError) as error:
        entry["opaque"] = str(error).splitlines()[0] if str(error) else type(error).__name__
    return entry


def describe_draws(drawn):
    """Draws of one call, consecutive ones of one generator joined."""
    described = {}
    for name, before, after in drawn:
        entry = described.setdefault(name, {"generator": name, "before": None if before is None else live_rng.digest(before), "count": 0})
        entry["after"] = live_rng.digest(after)
        count = live_rng.draws_between(before, after) if name == "cpu" and before is not None else None
        entry["count"] = None if count is None or entry["count"] is None else entry["count"] + count
    return list(described.values())


def boundaries(model):
    """Triples (name, module, how it is compiled or None) of the modules to look at. Modules inside a compiled one are left out: hooks there
    would be compiled, too, and change what is computed."""
    import torch

    found, closed = [], []
    for name, module in model.named_modules():
        if any(name.startswith(prefix) for prefix in closed):
            continue
        compiled = None
        if type(module).__name__ == "OptimizedModule":
            compiled = "compiled by torch.compile()"
        elif isinstance(module, torch.jit.ScriptModule):
            compiled = SCRIPTED
        elif getattr(module, "_compiled_call_impl", None) is not None:
            compiled = COMPILED_IN_PLACE
        if compiled:
            closed.append(f"{name}." if name else "")
        found.append((name, module, compiled))
    return found


def class_name(module):
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _is_torchs(module):
    """Modules of torch.nn draw from torch's generators alone."""
    return module is not None and type(module).__module__.startswith("torch.nn.modules.")


def _in_backward():
    import torch

    return torch._C._current_graph_task_id() != -1
