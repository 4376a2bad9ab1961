"""The model of a file that holds weights and no class: in the class and config of a directory, under the names that diff finds."""

import functools

from . import live_facts, live_files, live_findings, live_tensors
from ._checkpoint import open as open_checkpoint
from ._commands import diff
from ._errors import Error

WEIGHTS = ("state-dict", "safetensors", "lightning", "training-checkpoint")  # kinds that name no class


def has_no_class(path):
    """Whether it is a file of weights alone, as its contents show."""
    try:
        return open_checkpoint(path).kind in WEIGHTS
    except Error:
        return False


def load(path, donor, donor_path, label, seed):
    """`donor`: what live_files.load() gives of the directory `donor_path`, which is called `label`. No pickle is executed: the tensors are
    those that samebits reads. Loaded are all of them, or nothing is."""
    names, more = _names(path, donor_path, label)
    kind = type(donor.model)

    def from_pretrained(config=None, **options):
        checkpoint = open_checkpoint(path)
        state = {name: checkpoint.tensor(own).torch().clone() for own, name in names.items()}
        return kind.from_pretrained(None, config=config or _config(kind, donor_path), state_dict=state, local_files_only=True, **options)

    try:
        loaded = live_files.built(from_pretrained, seed)
    except Exception as error:  # a library's, or of a tensor that has no torch tensor
        raise live_files.NotLoaded(live_files.why(error)) from error
    lacking = sorted(set(loaded.random) - set(donor.random))
    unused = sorted(set(loaded.unused) - set(donor.unused)) + _unlike(loaded.model, open_checkpoint(path), more)
    if lacking or unused:
        raise live_files.NotLoaded(_not_strict(kind.__name__, label, lacking, unused))
    loaded.said += f": weights under the names of {label}, and its class and config, as load_state_dict copies them"
    return loaded


def _config(kind, directory):
    return kind.config_class.from_pretrained(directory, local_files_only=True)


def _names(path, donor_path, label):
    """Its own names, each with the one that the directory has for it, and those for which it has none. Raises NotLoaded where that is not
    one to one."""
    (pair,) = diff(donor_path, path).weights
    if pair.verdict == "unknown":
        raise live_files.NotLoaded(f"whether its weights are those of {label} could not be compared")
    matched = [each for each in pair.tensors if each.kind == "rearranged" or not isinstance(each.a, str) or not isinstance(each.b, str)]
    if matched:
        shown = live_findings.some_of([each.b if isinstance(each.b, str) else " and ".join(each.b) for each in matched])
        raise live_files.NotLoaded(f"weights that lie otherwise than in {label} are not rearranged: {shown}")
    renamed = {each.b: each.a for each in pair.tensors}
    own = open_checkpoint(path)
    ours = set(open_checkpoint(donor_path))
    names = {name: renamed.get(name, name) for name in own if name not in pair.only_b}
    return {name: wanted for name, wanted in names.items() if wanted in ours}, pair.only_b


def _unlike(model, checkpoint, names):
    """Of tensors that no file of the directory holds those that the model does not hold either: by a tie, or as a buffer that it computes."""
    held = {name: tensor for name, _, tensor in live_facts.tensors_of(model)}
    return [name for name in names if not _is_held(held, name, checkpoint.tensor(name).torch())]


def _is_held(held, name, tensor):
    found = max((each for each in held if name == each or name.endswith("." + each)), key=len, default=None)
    return found is not None and live_tensors.same_bits(held[found].detach(), tensor.to(held[found].dtype))


def _not_strict(whose, label, lacking, more):
    unplaced = (f"stands in no file of {label} and is not what its model has there", f"stand in no file of {label} and are not what its model has there")
    parts = []
    for names, one, several in ((lacking, "is missing", "are missing"), (more, *unplaced)):
        if names:
            parts.append(f"{f'1 tensor {one}' if len(names) == 1 else f'{len(names)} tensors {several}'}: {live_findings.some_of(names)}")
    return f"under the names that were found its weights do not fit {whose}: {'; '.join(parts)}"
