"""Subjects run by PyTorch, each against the first, as a document that `samebits explain --with torch` takes into its report.

    python -m samebits.torch_runs [--seed N] [--seconds S] [--threads N] [--randn SHAPE | --input FILE | --images FILE ... [--processor FILE]]
        [--trust-code] -- A B ...

The document goes to standard output: a safetensors file with the outputs as "A:POINT", "B:POINT", ..., whose metadata has one JSON object.
"""

import argparse
import json
import os
import time

from . import live_files, live_findings, live_images, live_inputs, live_rng, live_weights
from .live import Explanation
from .live_runner import Side, TorchRunner
from .torch_document import finding_json, has_numbers, label_of, named, numbers_of, outcome_text

DOCUMENT = "samebits.torch_runs/2"
MAX_RUNS = 400
MAX_BYTES = 1 << 28  # of outputs that are handed on
DRAWS = ("rng.noise", "mode.training")


def _idle_parts(model, called):
    """The outermost modules with a tenth of the parameters and more of which no part was called, nor a module with the same parameters."""
    import torch

    modules = dict(model.named_modules(remove_duplicate=False))
    read = {id(p) for name in called if name in modules for p in modules[name].parameters(recurse=False)}
    least, found = sum(p.numel() for p in model.parameters()) / 10, []
    for name, module in modules.items():
        own = list(module.parameters())
        reached = any(id(p) in read for p in own) or any(each == name or each.startswith(f"{name}.") for each in called)
        by_its_owner = isinstance(module, torch.nn.modules.linear.NonDynamicallyQuantizableLinear)
        if not reached and not by_its_owner and not any(name.startswith(f"{each}.") for each in found) and sum(p.numel() for p in own) > least:
            found.append(name)
    return found


def _other_values(names, one, other):
    """Those that two loads of one model do not share: a new norm has ones and zeros in each."""
    left, right = one.state_dict(), other.state_dict()
    return [name for name in names if name not in left or name not in right or not left[name].equal(right[name])]


class _NotRun(Exception):
    """Why nothing can be said of a subject, as one sentence."""


class _FirstNotRun(_NotRun):
    """The same of A, with which the others are compared."""


def document(paths, *, seed=42, seconds=10, threads=None, shape=None, inputs=None, images=None, processor=None, trust_code=False):
    """The document as bytes. `inputs`: keyword arguments of the forward pass, or a safetensors file of them; `images`: files, which the
    processors of the subjects prepare; without either, an input is made from A's config and the seed."""
    import torch

    before, random = torch.get_num_threads(), live_rng.states([])
    runs = _Runs(paths, seed, time.monotonic() + seconds, trust_code)
    try:
        if threads:
            torch.set_num_threads(threads)
        with torch.no_grad():
            runs.run(shape, inputs, images, processor)
    finally:
        torch.set_num_threads(before)
        live_rng.restore(random, [])
    return runs.written()


def _not_run(label, why):
    return (_FirstNotRun if label == "A" else _NotRun)(f"{label} was not run: {why}")


def _read_input(path):
    import safetensors.torch

    try:
        return safetensors.torch.load_file(path)
    except Exception as error:  # a file is whatever it is
        raise _not_run("A", f"its input {path} cannot be read: {live_files.short(error)}") from error


class _Runs:
    """What was loaded and run, and the document that says it."""

    def __init__(self, paths, seed, until, trust_code):
        self.paths = {label_of(i): path for i, path in enumerate(paths)}
        self.seed, self.until, self.trust_code = seed, until, trust_code
        self.answer = {"assumed": [], "not_checked": [], "runs": [], "pairs": []}
        self.loaded, self.own, self.outputs, self.findings = {}, {}, {}, []
        self.pictures, self.earlier, self.left = None, None, MAX_BYTES

    def run(self, shape, inputs, images, processor):
        try:
            for label in self.paths:
                self._attempt(self._load, label)
            self.loaded = {label: self.loaded[label] for label in self.paths if label in self.loaded}
            others = [label for label in self.loaded if label != "A"]
            if others:
                self.inputs = self._inputs(shape, inputs, images, processor)
            for label in others:
                self._attempt(self._pair, label)
        except _FirstNotRun as error:
            more = "; the others are compared with it, and were not either" if len(self.paths) > 2 else ""
            self.answer["not_checked"].append(f"outputs: {error}{more}")

    def _attempt(self, work, label):
        """A subject that cannot be loaded or run is said; without A there is nothing to compare the others with."""
        try:
            work(label)
        except _FirstNotRun:
            raise
        except _NotRun as error:
            self.answer["not_checked"].append(f"outputs: {error}")

    # Models.

    def _load(self, label):
        if label in self.loaded:
            return
        try:
            found = self._read(label)
        except live_files.NotLoaded as error:
            raise _not_run(label, error) from error
        self.loaded[label] = found
        self.answer["assumed"].append(f"{label}: {found.said}")
        if found.unused:
            names = live_findings.some_of(found.unused)
            self.answer["assumed"].append(f"{label}: {type(found.model).__name__} has no place for {names}, which did not run")

    def _read(self, label):
        path = self.paths[label]
        if not live_weights.has_no_class(path):
            return live_files.load(path, self.seed, self.trust_code)
        donor = next((other for other, directory in self.paths.items() if os.path.isdir(directory)), None)
        if donor is None:
            raise live_files.NotLoaded("it holds weights and no class to put them into: name a directory of transformers that has it, too")
        try:
            self._load(donor)
        except _NotRun as error:
            raise live_files.NotLoaded(f"its class and config are those of {donor}: {error}") from error
        return live_weights.load(path, self.loaded[donor], self.paths[donor], donor, self.seed)

    # The input.

    def _inputs(self, shape, given, images, processor):
        first = self.loaded["A"].model
        if given is not None:
            return {**(_read_input(given) if isinstance(given, str) else given), **live_inputs.without_cache(first)}
        models = [each.model for each in self.loaded.values()]
        try:
            pixels = self._prepared(images, processor, first) if images else {}
            inputs, said = live_inputs.made(models, self.seed, shape, pixels)
        except (live_inputs.NoInput, live_images.NoImages) as error:
            raise _not_run("A", error) from error
        self.answer["assumed"] += [f"input: {each}" for each in said]
        return inputs

    def _prepared(self, images, processor, first):
        """What A's processor makes of the pictures; what the others' own make is kept where it is something else."""
        live_inputs.need_pixels(first)
        self.pictures = live_images.Pictures(images, processor, self.trust_code)
        made, name = self.pictures.prepared(self.paths["A"])
        ours = live_inputs.taken(first, made)
        self.answer["assumed"].append(f"images: as {name}{'' if processor else ' of A'} prepares them{live_images.versions()}")
        for label in self.loaded:
            if label != "A" and processor is None:
                self._own_pixels(label, ours)
        return ours

    def _own_pixels(self, label, ours):
        if not self.pictures.has_own(self.paths[label]):
            self.answer["assumed"].append(f"images of {label}: as A's processor prepares them")
            return
        try:
            own = live_inputs.taken(self.loaded[label].model, self.pictures.prepared(self.paths[label])[0])
        except (live_inputs.NoInput, live_images.NoImages) as error:
            self.answer["not_checked"].append(f"images of {label}: {error}; it was run on those of A's processor")
            return
        how = live_images.difference_text(own, ours)
        if how:
            self.own[label] = (own, how)

    # Two of them.

    def _pair(self, label):
        """A and another one, explained."""
        earlier = self.earlier
        one, other = self.loaded["A"], self.loaded[label]
        try:
            runner = live_files.FilesRunner(one.model, other.model, self.inputs, other.rebuild, ("A", label))
        except (TypeError, ValueError) as error:  # TorchScript, weights without a shape
            raise _NotRun(str(error)) from error
        for each in ("A", label) if earlier is None else (label,):
            self._try(runner, each)
        explanation = Explanation(runner, self.seed, MAX_RUNS, self.until, earlier)
        if earlier is not None:
            live_rng.restore(earlier.stream)  # what this one draws is not what A drew
        try:
            report = explanation.report()
            self._say(label, explanation, report)
            self._idle(label, explanation)
            for each in ("A", label) if earlier is None else (label,):
                self._random_weights(runner, each)
            own = self._on_own_images(label, explanation)
        except Exception as error:  # as a pass that fails in training mode alone
            raise _NotRun(f"{label} and A: a run in PyTorch raises {live_files.short(error)}") from error
        finally:
            runner.restore()
        if earlier is None:
            self._hand_on("A", explanation.fresh["A"][0])
        self._hand_on(label, own or explanation.fresh[label][0])
        self.earlier = explanation

    def _try(self, runner, label):
        """Whatever the model's own code raises keeps it from being run."""
        try:
            runner.run(label, seed=self.seed)
        except Exception as error:
            on = " on what A's processor makes of the images" if self.pictures and label != "A" else ""
            raise _not_run(label, f"its forward pass raises {live_files.short(error)}{on}") from error

    def _on_own_images(self, label, explanation):
        """Its run on what its own processor makes of the pictures, beside the runs on one input. The outcome where that is what its owner
        sees: where it draws no random numbers."""
        if label not in self.own:
            return None
        pixels, how = self.own[label]
        sides = [Side(each, self.loaded[each].model, inputs) for each, inputs in (("A", self.inputs), (label, {**self.inputs, **pixels}))]
        fact = {"how": how, "equal_on_one_input": bool(explanation.equal), "outputs": None}
        self.answer["pairs"][-1]["other_images"] = fact
        try:
            own = TorchRunner(*sides).run(label, seed=self.seed)
        except Exception as error:
            self.answer["not_checked"].append(f"images of {label}: its forward pass raises {live_files.short(error)} on what its own processor makes of them")
            return None
        numbers = explanation.seeded["A"].difference(own)
        fact["outputs"] = numbers_of(explanation.seeded["A"], own, numbers)
        self._list(f"{label} on what its own processor makes of the images", outcome_text(numbers, "A"))
        return None if label in explanation.unlike_itself else own

    def _idle(self, label, explanation):
        """Parts that the input never reached, as the vision tower of a model that was given text alone."""
        for each in ("A", label):
            names = _idle_parts(self.loaded[each].model, {call["module"] for call in explanation.seeded[each].recorder.calls})
            sentence = f"{each}: {live_findings.some_of(names)} did not run on this input: outputs do not show what differs there"
            if names and sentence not in self.answer["assumed"]:
                self.answer["assumed"].append(sentence)

    def _random_weights(self, runner, label):
        """What the files do not hold is random in every load: whether that shows is asked of a second load, with another seed."""
        loaded = self.loaded[label]
        if not loaded.random:
            return
        one = runner.run(label, seed=self.seed)
        again = loaded.again(self.seed + 1)
        drawn = _other_values(loaded.random, loaded.model, again)
        constant = [name for name in loaded.random if name not in drawn]
        if constant:
            names = live_findings.some_of(constant)
            self.answer["assumed"].append(f"{label}: {names} in none of its files, and left at the values of a new model, the same in every load")
        if not drawn:
            return
        sides = [Side(side, model, self.inputs) for side, model in (("A", loaded.model), ("B", again))]
        numbers = one.difference(TorchRunner(*sides).run("B", seed=self.seed))
        self._list(f"{label} loaded twice, with other random numbers for what its files lack", outcome_text(numbers))
        if numbers is None:
            names = live_findings.some_of(drawn)
            self.answer["assumed"].append(f"{label}: {names} in none of its files, and drawn at random: its outputs do not depend on that")
            return
        self.findings.append(live_findings.left_random(label, drawn, numbers))

    # The document.

    def _list(self, run, outcome):
        """What A does alone is said once."""
        line = {"run": run, "outcome": outcome}
        if line not in self.answer["runs"]:
            self.answer["runs"].append(line)

    def _gap(self, label, sentence):
        of = f", A and {label}" if len(self.paths) > 2 else ""
        text = f"PyTorch{of}: {sentence}"
        if text not in self.answer["not_checked"]:
            self.answer["not_checked"].append(text)

    def _say(self, label, explanation, report):
        found = explanation.found
        factors = found.factors if found else []
        names = {group: [factor.name for factor in factors if factor.group == group] for group in live_files.OF_FILES}
        tensors = [factor for factor in explanation.factors if factor.group in ("weights", "buffers")]
        first = report.first
        self.answer["pairs"].append(
            {
                "b": label,
                "equal": explanation.equal,
                "explained": found is not None,
                "is_minimal": bool(found and found.minimal),
                "fields": list(dict.fromkeys(names["config"] + names["attention"])),
                "mode": bool(names["mode"]),
                "tensors": named(explanation.runner, [*names["weights"], *names["buffers"], *explanation.runner.along(factors)]),
                "differing_tensors": len(tensors),
                "point": first["point"] if first else "",
                "parting": f"the two first differ at {first['point']} ({first['class']}): {first['how']}" if first else "no module's output differs",
                "other_images": None,
            }
        )
        for line in report.runs:
            self._list(**line)
        for sentence in report.not_checked:
            self._gap(label, sentence)
        for finding in report.findings:
            if finding.proof == "proved" and finding.factor not in live_files.OF_FILES:
                self._find(label, finding)

    def _find(self, label, finding):
        """A finding that the files do not show. One that fits no cause is a sentence on what is not known."""
        if finding.cause is None:
            self._gap(label, finding.summary)
            return
        alike = [each for each in self.findings if (each.cause, each.factor) == (finding.cause, finding.factor)]
        if finding.cause in DRAWS and alike:
            live_findings.join_drawn(alike[0], finding)
        elif all((each.subjects, each.summary) != (finding.subjects, finding.summary) for each in alike):
            self.findings.append(finding)

    def _hand_on(self, label, outcome):
        """Outputs of a run with fresh random numbers, as their owners see them."""
        import torch

        ours = self.outputs.get("A", {})
        self.outputs[label] = {}
        for path, tensor in outcome.leaves:
            point = path.removeprefix(".") or "output"
            if not (isinstance(tensor, torch.Tensor) and has_numbers(tensor)) or (label != "A" and point not in ours):
                continue
            if label != "A" and ours[point].shape != tensor.shape:
                shapes = f"{list(ours[point].shape)} and {list(tensor.shape)}"
                self.answer["assumed"].append(
                    f"outputs of A and {label} at {point} are not compared element by element: their shapes are {shapes}"
                )
                continue
            self.left -= tensor.nbytes
            if self.left < 0:
                self.answer["not_checked"].append(
                    f"PyTorch: outputs of {label} from {point} on, which have more than {MAX_BYTES >> 20} MiB together"
                )
                break
            self.outputs[label][point] = tensor.cpu().contiguous().clone()

    def written(self):
        import safetensors.torch

        tensors = {f"{label}:{point}": tensor for label, points in self.outputs.items() for point, tensor in points.items()}
        answer = {**self.answer, "findings": [finding_json(each) for each in self.findings]}
        return safetensors.torch.save(tensors, metadata={DOCUMENT: json.dumps(answer)})


def keyword_arguments(x):
    """Of a mapping, or of pixel_values alone; arrays become tensors."""
    import torch

    given = x if hasattr(x, "keys") else {"pixel_values": x}
    return {name: torch.as_tensor(value) if hasattr(value, "__array__") else value for name, value in given.items()}


def _arguments():
    parser = argparse.ArgumentParser(prog="samebits.torch_runs")
    parser.add_argument("subjects", nargs="+")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--randn", type=lambda text: [int(size) for size in text.split("x")])
    parser.add_argument("--input")
    parser.add_argument("--image", action="append")
    parser.add_argument("--processor")
    parser.add_argument("--trust-code", action="store_true")
    return parser.parse_args()


def main():
    out = os.dup(1)
    os.dup2(2, 1)  # a model's code may print
    os.environ["HF_HUB_OFFLINE"] = "1"
    asked = _arguments()
    written = document(
        asked.subjects,
        seed=asked.seed,
        seconds=asked.seconds,
        threads=asked.threads,
        shape=asked.randn,
        inputs=asked.input,
        images=asked.image,
        processor=asked.processor,
        trust_code=asked.trust_code,
    )
    with os.fdopen(out, "wb") as file:
        file.write(written)


if __name__ == "__main__":
    main()
