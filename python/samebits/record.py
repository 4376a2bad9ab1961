"""Recordings of live PyTorch models: every module's output in call order, and what the pass depended on.

    with samebits.record(model, "a.safetensors"):
        model(x)
    print(samebits.compare_records("a.safetensors", "b.safetensors"))

The file is described in docs/record.md.
"""

__all__ = ["Record", "RecordComparison", "RecordError", "Stored", "compare_records", "record", "record_step"]


# `import samebits` imports this module: what it needs is imported when it is needed.


def __getattr__(name):
    if name == "RecordComparison":
        from .live_compare import RecordComparison

        return RecordComparison
    if name in ("RecordError", "Stored"):
        from . import live_file

        return getattr(live_file, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Record:
    """A recording as a value: `document` (docs/record.md describes it) and `values`, name -> Stored, of the tensors that were kept."""

    def __init__(self, document, values):
        self.document, self.values = document, values

    @classmethod
    def load(cls, path):
        """Reads a file that record() wrote; RecordError where it is none. Kept values stay in the mapped file."""
        from . import live_file

        return cls(*live_file.read(path))

    def save(self, path):
        """Writes the file whole, or leaves what was there."""
        from . import live_file

        live_file.write(path, self.document, self.values)

    @property
    def calls(self):
        return self.document["calls"]

    @property
    def steps(self):
        return self.document["steps"]

    @property
    def not_recorded(self):
        return self.document["not_recorded"]

    def call(self, module, call=0):
        """The entry of one call of a module; KeyError where it was not called so often."""
        for entry in self.calls:
            if entry["module"] == module and entry["call"] == call:
                return entry
        raise KeyError(f"{module} has no call {call} in this recording")

    def drawing_modules(self):
        """Modules that drew random numbers by themselves, not in a module inside them, in the order of their first draw."""
        return list(dict.fromkeys(entry["module"] for entry in self.calls if entry["draws"]))

    def restore_random_state(self):
        """Gives torch's CPU generator, and those of Python and numpy, the state that they had at the entry of the recording."""
        from . import live_rng

        entry = self.document["rng"]["entry"]
        live_rng.restore({name: live_rng.decode(name, entry[name]["state"]) for name in ("cpu", "python", "numpy") if name in entry})

    def __repr__(self):
        modules = len({entry["module"] for entry in self.calls})
        return f"Record({self.document['model']['class']}: {len(self.calls)} calls of {modules} modules, {len(self.values)} values)"


class record:  # a context manager is called like a function
    """Records every forward pass of `model` that is made inside the with-block.

    `path`: the safetensors file to write when the block ends well; None keeps the recording in memory alone. An exception that leaves the
    block leaves no file. The recording is `recording.record` afterwards.

    `values`: which outputs are kept beside their digests and statistics: "none", "small" (up to 4096 elements), "all", or a list of
    names of modules ("" is the model). `statistics`: mean, norm, min, max, how many are not finite. `inputs`: digests of the inputs of
    every module; those of the model are always recorded. `weights`: digests of parameters and buffers; dtype, shape, device and
    alignment are always recorded.

    Hooks read and change nothing: outputs have the same bits as without. A module that torch.compile() compiled is seen from outside only, one
    of TorchScript not at all; `not_recorded` says so. Calls in which torch.utils.checkpoint computes again are marked `recomputed`.
    """

    def __init__(self, model, path=None, *, values="none", statistics=True, inputs=False, weights=False):
        from . import live_recorder

        if not hasattr(model, "named_modules"):
            raise TypeError(f"record takes a torch.nn.Module (found {type(model).__name__})")
        if isinstance(values, str) and values not in ("none", "small", "all"):
            raise ValueError(f'values is {values!r}: expected "none", "small", "all" or a list of names of modules')
        if not isinstance(values, str):
            unknown = sorted(set(values) - {name for name, _ in model.named_modules()})
            if unknown:
                raise ValueError(f"values names {unknown[0]!r}, which is no module of {type(model).__name__}")
        self.model, self.path, self.weights = model, path, weights
        self.record = None
        self._recorder = live_recorder.Recorder(model, live_recorder.Options(values, statistics, inputs))

    def __enter__(self):
        from . import live_facts, live_rng

        self._environment = live_facts.environment()
        self._facts = live_facts.model_facts(self.model, self.weights)
        self._entry = live_rng.describe(live_rng.states(self._recorder._own), encoded=True)
        self._recorder.attach()
        return self

    def __exit__(self, kind, error, trace):
        self._recorder.detach()
        if kind is None:
            self.record = self._finish()
            if self.path is not None:
                self.record.save(self.path)
        return False

    def _steps(self):
        return []

    def _finish(self):
        from . import live_recorder, live_rng, live_tensors

        recorder = self._recorder
        document = {
            "schema": "samebits.record/1",
            "digest": live_tensors.DIGEST,
            "statistics": recorder.options.statistics,
            "environment": self._environment,
            "model": self._facts,
            "rng": {
                "entry": self._entry,
                "exit": live_rng.describe(live_rng.states(recorder._own)),
                "outside": live_recorder.describe_draws(recorder.outside),
            },
            "calls": recorder.finished_calls(),
            "steps": self._steps(),
            "not_recorded": list(recorder.not_recorded),
        }
        return Record(document, _stored(recorder.kept, document["not_recorded"]))


def _stored(kept, not_recorded):
    """name -> Stored of the tensors that safetensors has a type for; sentences on the others."""
    from . import live_file, live_tensors

    values, named = {}, {name for _, name, _ in live_file.TYPES}
    for name, tensor in kept.items():
        dtype = live_tensors.dtype_name(tensor)
        if dtype in named:
            values[name] = live_file.Stored(dtype, tensor.shape, live_tensors.host_bytes(tensor))
        else:
            not_recorded.append(f"the values of {name}: safetensors has no {dtype}")
    return values


class record_step(record):
    """record(), and every step that `optimizer` makes inside the block: gradients, weights before and after, the update, moments, groups.

        with samebits.record_step(model, optimizer, "a.safetensors"):
            model(x).loss.backward()
            optimizer.step()

    Gradients are read behind the step, where torch's optimizers leave them as they used them: accumulated, unscaled and clipped as the
    program left them, or computed by the step's closure. A step needs room for a copy of the weights.
    """

    def __init__(self, model, optimizer, path=None, **options):
        super().__init__(model, path, **options)
        self.optimizer = optimizer
        self._recorder_of_steps = None

    def __enter__(self):
        from .live_steps import StepRecorder, demand_own

        demand_own(self.model, self.optimizer)
        super().__enter__()
        self._recorder_of_steps = StepRecorder(self.model, self.optimizer, self._recorder)
        return self

    def __exit__(self, kind, error, trace):
        self._recorder_of_steps.detach()
        return super().__exit__(kind, error, trace)

    def _steps(self):
        return self._recorder_of_steps.steps


def compare_records(a, b):
    """Compares two recordings, each a path, a Record, or what `with ... as` of a block that has ended gave: the first module in call order whose
    outputs differ, what differs and how, and what else is not the same: draws, inputs, environment, settings of the model. Returns a RecordComparison."""
    from .live_compare import compare_documents

    sides = [_recording(side) for side in (a, b)]
    return compare_documents(*[(side.document, side.values) for side in sides])


def _recording(side):
    import os

    if isinstance(side, record):
        if side.record is None:
            raise ValueError("a recording is there when its with-block has ended well")
        return side.record
    if not isinstance(side, (Record, str, os.PathLike)):
        raise TypeError(f"compare_records takes paths and recordings (found {type(side).__name__})")
    return side if isinstance(side, Record) else Record.load(side)
