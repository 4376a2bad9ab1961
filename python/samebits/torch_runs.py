"""Two subjects run by PyTorch, as a document that `samebits explain --with torch` takes into its report.

    python -m samebits.torch_runs [--seed N] [--seconds S] [--threads N] [--randn SHAPE] [--input FILE] [--trust-code] -- A B

The document goes to standard output: a safetensors file with the outputs as "a:POINT" and "b:POINT", whose metadata has one JSON object.
"""

import argparse
import json
import os
import time

from . import live_facts, live_files, live_findings, live_inputs
from ._identity import fingerprint
from .live import Explanation
from .live_runner import Side, TorchRunner

DOCUMENT = "samebits.torch_runs/1"
MAX_RUNS = 400
MAX_BYTES = 1 << 28  # of outputs that are handed on


class _NotRun(Exception):
    """Why nothing can be said, as one sentence."""


def document(paths, *, seed=42, seconds=10, threads=None, shape=None, inputs=None, trust_code=False):
    """The document as bytes. `inputs`: keyword arguments of the forward pass; made from A's config and the seed where none are given."""
    import torch

    before = torch.get_num_threads()
    answer = {"error": None, "assumed": [], "not_checked": [], "runs": [], "findings": [], "equal": None}
    outputs = {}
    try:
        if threads:
            torch.set_num_threads(threads)
        with torch.no_grad():
            outputs = _run(answer, paths, seed, seconds, shape, inputs, trust_code)
    except _NotRun as error:
        answer["error"] = str(error)
    finally:
        torch.set_num_threads(before)
    return _written(answer, outputs)


def _run(answer, paths, seed, seconds, shape, inputs, trust_code):
    loaded = []
    for label, path in zip("AB", paths):
        try:
            loaded.append(live_files.load(path, seed, trust_code))
        except live_files.NotLoaded as error:
            raise _NotRun(f"{label} was not run: {error}") from error
        answer["assumed"].append(f"{label}: {loaded[-1].said}")
    a, b = loaded
    if inputs is None:
        try:
            inputs, said = live_inputs.made([a.model, b.model], seed, shape)
        except live_inputs.NoInput as error:
            raise _NotRun(f"A was not run: {error}") from error
        answer["assumed"] += [f"input: {each}" for each in said]
    else:
        inputs = {**inputs, **live_inputs.without_cache(a.model)}
    runner = live_files.FilesRunner(a.model, b.model, inputs, b.rebuild)
    for label in ("A", "B"):
        _try(runner, label, seed)
    explanation = Explanation(runner, seed, MAX_RUNS, time.monotonic() + seconds)
    try:
        report = explanation.report()
        _say(answer, explanation, report)
        for label, one in zip("AB", loaded):
            _random_weights(answer, runner, label, one, inputs, seed)
    except Exception as error:  # as a pass that fails in training mode alone
        raise _NotRun(f"a run in PyTorch raises {_short(error)}") from error
    finally:
        runner.restore()
        runner.close()
    return _outputs(answer, explanation)


def _short(error):
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _try(runner, label, seed):
    """Whatever the model's own code raises keeps it from being run."""
    try:
        runner.run(label, seed=seed)
    except Exception as error:
        raise _NotRun(f"{label} was not run: its forward pass raises {_short(error)}") from error


def _say(answer, explanation, report):
    found = explanation.found
    factors = found.factors if found else []
    names = {group: [factor.name for factor in factors if factor.group == group] for group in live_files.OF_FILES}
    tensors = [factor for factor in explanation.factors if factor.group in ("weights", "buffers")]
    first = report.first
    answer.update(
        equal=explanation.equal,
        explained=found is not None,
        is_minimal=bool(found and found.minimal),
        fields=list(dict.fromkeys(names["config"] + names["attention"])),
        mode=bool(names["mode"]),
        tensors=_named(explanation.runner, [*names["weights"], *names["buffers"], *explanation.runner.along(factors)]),
        differing_tensors=len(tensors),
        point=first["point"] if first else "",
        parting=f"the two first differ at {first['point']} ({first['class']}): {first['how']}" if first else "no module's output differs",
        runs=report.runs,
    )
    answer["not_checked"] += [f"PyTorch: {sentence}" for sentence in report.not_checked]
    for finding in report.findings:
        if finding.proof == "proved" and finding.factor not in live_files.OF_FILES:
            _find(answer, finding)


def _named(runner, names):
    """Tensors with the digests of what both hold there, by which they are found in files whose names are others."""
    held = [{name: tensor for name, _, tensor in live_facts.tensors_of(side.model)} for side in (runner.a, runner.b)]
    digests = [{name: fingerprint(side[name], fast=True) if name in side else "" for name in names} for side in held]
    return [{"name": name, "a": digests[0][name], "b": digests[1][name]} for name in names]


def _find(answer, finding):
    """A finding that the files do not show. One that fits no cause is a sentence on what is not known."""
    if finding.cause is None:
        answer["not_checked"].append(f"PyTorch: {finding.summary}")
        return
    evidence = dict(finding.evidence)
    if finding.cause.startswith("weights."):
        evidence.setdefault("tensors", evidence.pop("modules", []))
    answer["findings"].append(
        {
            "cause": finding.cause,
            "role": finding.role,
            "proof": finding.proof,
            "subjects": finding.subjects,
            "summary": finding.summary,
            "details": finding.details,
            "evidence": evidence,
            "remedy": finding.remedy,
        }
    )


def _random_weights(answer, runner, label, loaded, inputs, seed):
    """What the files do not hold is random in every load: whether that shows is asked of a second load, with another seed."""
    if not loaded.random:
        return
    one = runner.run(label, seed=seed)
    sides = [Side(side, model, inputs) for side, model in (("A", loaded.model), ("B", loaded.again(seed + 1)))]
    numbers = one.difference(TorchRunner(*sides).run("B", seed=seed))
    names = ", ".join(loaded.random[:3]) + (f" and {len(loaded.random) - 3} more" if len(loaded.random) > 3 else "")
    run = f"{label} loaded twice, with other random numbers for what its files lack"
    if numbers is None:
        answer["runs"].append({"run": run, "outcome": "the same bits"})
        answer["assumed"].append(f"{label}: {names} in none of its files, and drawn at random: its outputs do not depend on that")
        return
    answer["runs"].append({"run": run, "outcome": f"{numbers['differing']} of {numbers['elements']} elements differ"})
    answer["findings"].append(
        {
            "cause": "weights.reinitialized",
            "role": "cause",
            "proof": "proved",
            "subjects": [label],
            "summary": f"{len(loaded.random)} tensors of {label} stand in none of its files, and are random in every load",
            "details": [names, f"{label} loaded twice differs from itself in {numbers['differing']} of {numbers['elements']} elements"],
            "evidence": {"count": len(loaded.random), "tensors": loaded.random[: live_findings.NAMED]},
            "remedy": f"Load {label} into the class that it was saved from, or train these tensors before they are used",
        }
    )


def _outputs(answer, explanation):
    """Of runs with fresh random numbers, as their owners see them."""
    import torch

    one, other = (dict(explanation.fresh[label][0].leaves) for label in ("A", "B"))
    outputs, left = {}, MAX_BYTES
    for path, a in one.items():
        b = other.get(path)
        if not all(isinstance(each, torch.Tensor) and _has_numbers(each) for each in (a, b)):
            continue
        point = path.removeprefix(".") or "output"
        if a.shape != b.shape:
            shapes = f"{list(a.shape)} and {list(b.shape)}"
            answer["assumed"].append(f"outputs of A and B at {point} are not compared element by element: their shapes are {shapes}")
            continue
        left -= a.nbytes + b.nbytes
        if left < 0:
            answer["not_checked"].append(f"PyTorch: outputs from {point} on, which have more than {MAX_BYTES >> 20} MiB together")
            break
        outputs[f"a:{point}"], outputs[f"b:{point}"] = (each.cpu().contiguous().clone() for each in (a, b))
    return outputs


def _has_numbers(tensor):
    import torch

    return tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_complex() and tensor.dtype != torch.bool


def _written(answer, outputs):
    import safetensors.torch

    return safetensors.torch.save(outputs, metadata={DOCUMENT: json.dumps(answer)})


def keyword_arguments(x):
    """Of a mapping, or of pixel_values alone; arrays become tensors."""
    import torch

    given = x if hasattr(x, "keys") else {"pixel_values": x}
    return {name: torch.as_tensor(value) if hasattr(value, "__array__") else value for name, value in given.items()}


def _arguments():
    parser = argparse.ArgumentParser(prog="samebits.torch_runs")
    parser.add_argument("subjects", nargs=2)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--randn", type=lambda text: [int(size) for size in text.split("x")])
    parser.add_argument("--input")
    parser.add_argument("--trust-code", action="store_true")
    return parser.parse_args()


def main():
    out = os.dup(1)
    os.dup2(2, 1)  # a model's code may print
    os.environ["HF_HUB_OFFLINE"] = "1"
    asked = _arguments()
    inputs = None
    if asked.input:
        import safetensors.torch

        inputs = safetensors.torch.load_file(asked.input)
    written = document(
        asked.subjects,
        seed=asked.seed,
        seconds=asked.seconds,
        threads=asked.threads,
        shape=asked.randn,
        inputs=inputs,
        trust_code=asked.trust_code,
    )
    with os.fdopen(out, "wb") as file:
        file.write(written)


if __name__ == "__main__":
    main()
