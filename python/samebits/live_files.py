"""Models of transformers from files, and what can be exchanged between two of them: fields of a config before the model is built, then
everything that live models can differ in."""

import contextlib
import copy
import dataclasses
import functools
import json
import os
import re

from . import live_factors, live_facts, live_findings
from .live_runner import Side, TorchRunner

KEPT = 3  # models that were built with exchanged fields and wait to be used again
FIELDS = ("config", "attention")
OF_FILES = (*FIELDS, "weights", "buffers", "mode")
READ = {"dtype", "torch_dtype"}  # fields that a live pass does not read, and a load does


class NotLoaded(RuntimeError):
    """Why a subject was not loaded, as one sentence."""


@dataclasses.dataclass
class Loaded:
    """`said`: how it was loaded; `random`: tensors that its files do not hold; `unused`: of its files, those that the model has no place for;
    `rebuild`: config -> the same weights in a model of that config, or None; `again`: seed -> the model as it is, loaded once more."""

    model: object
    said: str
    random: list = dataclasses.field(default_factory=list)
    unused: list = dataclasses.field(default_factory=list)
    rebuild: object = None
    again: object = None


def load(path, seed, trust_code=False):
    """The model of a directory of transformers, of the class that its config names, from safetensors. `trust_code`: lets PyTorch run code of
    the subject, which it does for whole modules, .bin files and modeling code beside the weights. Generators are left as they were."""
    if os.path.isdir(path):
        return _of_directory(path, seed, trust_code)
    if not trust_code:
        raise NotLoaded("PyTorch runs directories; a pickled module it loads with --trust-code, which runs what the file says")
    import torch

    try:
        module = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:  # whatever a pickle does
        raise NotLoaded(why(error)) from error
    if not isinstance(module, torch.nn.Module):
        raise NotLoaded(f"it holds no module but {type(module).__name__}, and no class to put weights into")
    return Loaded(module, f"{type(module).__qualname__}, by torch.load of torch {torch.__version__}")


def _of_directory(path, seed, trust_code):
    import transformers

    options = {"local_files_only": True, "trust_remote_code": trust_code}
    if not trust_code:
        options["use_safetensors"] = True
    try:
        kind, absent = class_of(path, trust_code)
        loaded = built(functools.partial(kind.from_pretrained, path, **options), seed)
    except NotLoaded:
        raise
    except Exception as error:  # whatever a library makes of files that are not as it expects
        raise NotLoaded(why(error)) from error
    if absent:
        loaded.said += f"; its config names {absent}, which this transformers has not: {transformers.AutoModel.__name__} chose the class"
    return loaded


def built(from_pretrained, seed):
    """What a from_pretrained without a config gives; `from_pretrained` takes more keywords."""
    import torch

    def build(seed=seed, **more):
        with torch.random.fork_rng(devices=[]), _quiet():
            torch.manual_seed(seed)
            return from_pretrained(**more)

    model, loading = build(output_loading_info=True)
    dtypes = sorted({str(tensor.dtype).removeprefix("torch.") for tensor in model.parameters()})
    name = type(model).__qualname__
    return Loaded(
        model,
        f"{name} in {' and '.join(dtypes)}, by from_pretrained of {_version()}, torch {torch.__version__}",
        sorted(loading["missing_keys"]),
        sorted(loading["unexpected_keys"]),
        lambda config: build(config=config, ignore_mismatched_sizes=True, **_dtype_of(config)),
        lambda other: build(seed=other),
    )


def _dtype_of(config):
    """The type that a config asks for; without it the files' own counts."""
    import torch

    dtype = getattr(config, "dtype", None)
    dtype = getattr(torch, dtype.removeprefix("torch."), None) if isinstance(dtype, str) else dtype
    return {"dtype": dtype} if isinstance(dtype, torch.dtype) else {}


def class_of(path, trust_code):
    """The class that the config names, where transformers has it; else what AutoModel takes, and the name of the class that it has not."""
    import transformers

    try:
        with open(os.path.join(path, "config.json"), "rb") as file:
            config = json.load(file)
    except (OSError, ValueError) as error:
        raise NotLoaded(f"its config.json cannot be read: {error}") from error
    names = config.get("architectures") if isinstance(config, dict) else None
    own = config.get("auto_map") if isinstance(config, dict) else None
    if trust_code and isinstance(own, dict):
        automatic = [name for name in own if name.startswith("AutoModel") and hasattr(transformers, name)]
        if automatic:
            return getattr(transformers, automatic[0]), ""
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""
    found = getattr(transformers, name, None) if name else None
    if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
        return found, ""
    return transformers.AutoModel, name if found is None else ""


def why(error):
    text = " ".join(str(error).split())
    if "trust_remote_code" in text:
        return "its class is code that the directory brings: --trust-code runs it"
    if isinstance(error, FileNotFoundError):
        return f"a file of it is missing: from_pretrained raises {short(error)}"
    if "safetensors" in text and isinstance(error, OSError):
        return "it has no safetensors file: --trust-code loads a .bin, too"
    unheard = re.search(r"has model type `([^`]+)` but Transformers does not recognize", text)
    if unheard:
        return f"{_version()} has no model type {unheard[1]}; another version may have it"
    if "ignore_mismatched_sizes" in text or "size mismatch" in text:
        return f"it cannot be loaded: {type(error).__name__}: its class has other shapes by its config; samebits check --with torch names them"
    return f"it cannot be loaded: {short(error)}"


def short(error, most=300):
    """An exception on one line, without words about what a log shows."""
    text = " ".join(str(error).split()).removesuffix(" For details look at the above report!")
    cut = text if len(text) <= most else text[:most].rpartition(" ")[0] + " ..."
    return f"{type(error).__name__}: {cut}" if cut else type(error).__name__


def _version():
    import transformers

    return f"transformers {transformers.__version__}"


@contextlib.contextmanager
def _quiet():
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@dataclasses.dataclass
class _Built:
    """B's weights in a model with fields of A. `new`: tensors in which it differs from A and B does not: those that B has no values for."""

    runner: object
    factors: list
    new: set


class FilesRunner(TorchRunner):
    """As TorchRunner; but what A's config says B gets before its model is built, from `rebuild`, as Loaded has it. `labels`: what the two
    are called."""

    def __init__(self, a, b, inputs, rebuild, labels=("A", "B")):
        super().__init__(*[Side(label, model, inputs) for label, model in zip(labels, (a, b))])
        self._given, self._rebuild, self._built, self._known = inputs, rebuild, {}, set()

    def known(self):
        return None

    def factors(self):
        found, not_checked = super().factors()
        self._known = {(factor.group, factor.name) for factor in found}
        computed = self._computed()
        return [factor for factor in found if not _is_harmless(factor) and (factor.group, factor.name) not in computed], not_checked

    def _computed(self):
        """Buffers that no file holds: a class computes them of its config, by which they are exchanged."""
        if self._rebuild is None:
            return set()
        tensors = [live_facts.tensors_of(side.model) for side in (self.a, self.b)]
        return {("buffers", name) for found in tensors for name, kind, _ in found if kind == "non-persistent buffer"}

    def stages(self, factors):
        if self._rebuild is None:
            return [factors]
        of_files = [factor for factor in factors if factor.group in OF_FILES]
        return [of_files] if len(of_files) == len(factors) else [of_files, factors]

    def run(self, label, exchanged=(), **options):
        names = frozenset(factor.name for factor in exchanged if factor.group in FIELDS)
        if label == self.a.label or not names or self._rebuild is None:
            return super().run(label, exchanged, **options)
        built = self._with(names)
        asked = {(factor.group, factor.name) for factor in exchanged}
        given = [factor for factor in built.factors if (factor.group, factor.name) in asked | built.new]
        return built.runner.run(label, given, **options)

    def along(self, exchanged):
        """Tensors that B gets from A together with fields, since it has no values for them."""
        names = frozenset(factor.name for factor in exchanged if factor.group in FIELDS)
        return sorted(name for _, name in self._with(names).new) if names and self._rebuild is not None else []

    def _with(self, names):
        if names not in self._built:
            while len(self._built) >= KEPT:
                del self._built[next(iter(self._built))]
            side = Side(self.b.label, self._rebuild(_with_fields(self.b.model.config, self.a.model.config, names)), self._given)
            runner = TorchRunner(self.a, side)
            factors, _ = runner.factors()
            held = [(factor.group, factor.name) for factor in factors if factor.group in ("weights", "buffers")]
            self._built[names] = _Built(runner, factors, set(held) - self._known)
        return self._built[names]


def _is_harmless(factor):
    name = factor.name.rpartition(".")[2]
    return factor.group in FIELDS and name in live_findings.HARMLESS - READ


def _with_fields(config, donor, names):
    """A copy of a config with these fields of another one."""
    changed = copy.deepcopy(config)
    for name in names:
        *path, last = name.split(".")
        try:
            into, given = (functools.reduce(getattr, path, side) for side in (changed, donor))
        except AttributeError:  # of a config that a module holds for itself
            continue
        live_factors.set_attribute(copy.deepcopy(given), into, last)
    return changed
