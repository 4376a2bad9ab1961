"""What from_pretrained does with a directory, as the installed transformers shows it, for `samebits check --with torch`.

    python -m samebits.torch_load [--library 4|5] [--class NAME] [--trust-code] -- DIRECTORY

One JSON object goes to standard output. Nothing is fetched from a network.
"""

import argparse
import contextlib
import copy
import json
import logging
import os

DOCUMENT = "samebits.torch_load/1"
_IGNORED = {"ignore_mismatched_sizes": True}


def document(path, *, library=None, name=None, trust_code=False):
    """The object: `error` says why nothing is known, or else `raises` what ends the load, and the names are those of the model and the files."""
    import transformers

    from . import live_files

    answer = {"document": DOCUMENT, "error": None, "version": transformers.__version__}
    if library and not transformers.__version__.startswith(f"{library}."):
        return answer | {"error": f"the Python that runs it has transformers {transformers.__version__}"}
    if not os.path.isdir(path):
        return answer | {"error": "from_pretrained takes a directory, and this is a file"}
    try:
        kind = _class(path, name, trust_code)
        model, found, raises, said = _loaded(kind, path, trust_code)
    except live_files.NotLoaded as error:
        return answer | {"error": str(error)}
    return answer | {"class": type(model).__qualname__, "raises": raises, "said": said, "names": _names(model)} | found


def _class(path, name, trust_code):
    import transformers

    from . import live_files

    if name is None:
        return live_files.class_of(path, trust_code)[0]
    found = getattr(transformers, name, None)
    if not (isinstance(found, type) and hasattr(found, "from_pretrained")):
        raise live_files.NotLoaded(f"transformers {transformers.__version__} has no class {name}")
    return found


def _loaded(kind, path, trust_code):
    """The model, the names that its load names, the error that ends a load without options or None, and which names a warning holds."""
    from . import live_files

    options = {"local_files_only": True, "trust_remote_code": trust_code, "output_loading_info": True}
    if not trust_code:
        options["use_safetensors"] = True
    raises = None
    with _heard() as heard:
        try:
            model, loading = kind.from_pretrained(path, **options)
        except Exception as error:  # whatever a library makes of files that are not as it expects
            raises = live_files.short(error)
            if "size" not in raises and "shape" not in raises and _IGNORED.keys().isdisjoint(str(error).split()):
                raise live_files.NotLoaded(live_files.why(error)) from error
            heard.clear()
            try:
                model, loading = kind.from_pretrained(path, **options, **_IGNORED)
            except Exception as second:
                raise live_files.NotLoaded(live_files.why(second)) from second
    computed = _computed(model, set(loading["missing_keys"]))
    found = {"missing": sorted(set(loading["missing_keys"]) - computed), "unexpected": sorted(loading["unexpected_keys"])}
    found["computed"] = sorted(computed)
    found["changed"] = _changed(model, path)
    found["mismatched"] = sorted(_mismatched(each, model, path) for each in loading["mismatched_keys"])
    text = "\n".join(heard)
    said = {key: any(_short(name) in text for name in found[key]) for key in ("missing", "unexpected")}
    return model, found, raises, said


def _computed(model, missing):
    """Of the names that no file has, tables that the class computes whenever it is built: transformers 4 counts them as missing, and leaves
    them as they were built. What is one number throughout is no table: running statistics and empty codebooks are filled in training."""
    import torch

    held = {name: buffer for name, buffer in model.named_buffers() if name in missing and _is_table(buffer)}
    if not held:
        return set()
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            built = dict(type(model)(copy.deepcopy(model.config)).named_buffers())
    except Exception:  # whatever a class of the user's raises: then nothing is known of them
        return set()
    return {name for name, buffer in held.items() if name in built and _same(buffer, built[name])}


def _changed(model, path):
    """Names, with the factor of each or None, of tensors that have other values than the files hold under these names and in their type."""
    import torch

    from . import open as open_checkpoint

    files, rows = open_checkpoint(path), []
    for name, held in model.state_dict().items():
        if name not in files or held.is_meta or not held.numel():
            continue
        stored = files.tensor(name)
        if tuple(stored.shape) != tuple(held.shape) or str(stored.dtype) != str(held.dtype).removeprefix("torch."):
            continue
        if stored.bits().tobytes() == held.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes():
            continue
        rows.append([name, _factor(torch.from_numpy(stored.numpy().copy()), held) if held.dtype == torch.float32 else None])
    return rows


def _factor(stored, held):
    """What one tensor is the other times, but for rounding; None where that is no number."""
    ratios = (held.detach().double() / stored.double())[stored != 0]
    one = float(ratios.median()) if ratios.numel() else 0.0
    return round(one, 6) if one and bool(((ratios - one).abs() <= 1e-6 * abs(one)).all()) else None


def _is_table(tensor):
    if tensor.is_meta or not tensor.numel():
        return False
    return tensor.dim() > 1 and not tensor.is_floating_point() or bool((tensor != tensor.flatten()[0]).any())


def _same(one, other):
    """As the class computes it, in whatever type the model was loaded."""
    return one.shape == other.shape and one.equal(other.to(one.dtype))


def _mismatched(key, model, path):
    """Name, shape in the files, shape in the model. transformers 5 tells all three, transformers 4 the name."""
    if not isinstance(key, str):
        return [key[0], list(key[1]), list(key[2])]
    from . import open as open_checkpoint

    files = open_checkpoint(path)
    stored = [name for name in files if name == key or key.endswith("." + name) or name.endswith("." + key)]
    return [key, list(files.tensor(stored[0]).shape) if len(stored) == 1 else [], list(model.state_dict()[key].shape)]


def _short(name):
    """transformers 5 writes blocks of one kind as one line: what stands in front of the first number is in it."""
    pieces = name.split(".")
    numbers = [i for i, piece in enumerate(pieces) if piece.isdigit()]
    return ".".join(pieces[: numbers[0]]) if numbers and numbers[0] > 0 else name


@contextlib.contextmanager
def _heard():
    """The warnings of transformers, which go nowhere else."""
    from transformers.utils import logging as of_transformers

    lines = []

    class Ear(logging.Handler):
        def emit(self, record):
            lines.append(record.getMessage())

    logger, ear = logging.getLogger("transformers"), Ear(logging.WARNING)
    level, bars = of_transformers.get_verbosity(), of_transformers.is_progress_bar_enabled()
    of_transformers.set_verbosity_warning()
    of_transformers.disable_progress_bar()
    kept, logger.handlers = logger.handlers, [ear]
    try:
        yield lines
    finally:
        logger.handlers = kept
        of_transformers.set_verbosity(level)
        if bars:
            of_transformers.enable_progress_bar()


def _names(model):
    """Names and shapes of the state_dict, and for each the first name that shares its storage."""
    first, rows = {}, []
    for name, tensor in model.state_dict(keep_vars=True).items():
        place = (tensor.data_ptr(), tuple(tensor.shape)) if tensor.numel() else name
        rows.append([name, list(tensor.shape), first.setdefault(place, name)])
    return rows


def main():
    parser = argparse.ArgumentParser(prog="samebits.torch_load")
    parser.add_argument("directory")
    parser.add_argument("--library", choices=["4", "5"])
    parser.add_argument("--class", dest="name")
    parser.add_argument("--trust-code", action="store_true")
    given = parser.parse_args()
    print(json.dumps(document(given.directory, library=given.library, name=given.name, trust_code=given.trust_code)))


if __name__ == "__main__":
    main()
