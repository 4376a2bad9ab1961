"""From factors to findings: what is said of each group of factors, as data and in a few functions that look closer."""

from . import live_diff, live_factors, live_tensors
from .live_report import Finding

SHOWN = 3  # factors named in a finding's details
NAMED = 100  # factors named in its evidence
HARMLESS = {  # fields of configs and attributes that passes hardly ever read
    "_name_or_path",
    "name_or_path",
    "transformers_version",
    "architectures",
    "initializer_range",
    "initializer_factor",
    "_commit_hash",
    "torch_dtype",
    "dtype",
    "id2label",
    "label2id",
    "model_type",
    "warnings_issued",
    "_auto_class",
    "generation_config",
    "name",
}
MOVES = {
    "weights",
    "buffers",
    "dtype",
    "modules",
    "classes",
}  # with such a difference two models are not the same, whatever one input shows
# group -> (what differs, plural of what is counted, what to do)
WORDS = {
    "weights": ("weights have other values", "tensors", "Load both from one file: these are other weights"),
    "reparametrized": ("weights are computed from others on one side alone", "weights", "Build both models alike"),
    "buffers": ("buffers have other values", "buffers", "Give both the same buffers; call model.eval() before passes that are no training"),
    "dtype": ("tensors have another dtype", "tensors", "Load both with one dtype, or convert both by model.to(dtype)"),
    "modules": ("other modules stand in the same place", "modules", "Build both models alike"),
    "classes": ("modules are of another class", "modules", "Build both with one class and one version of the library"),
    "layout": ("tensors lie in memory with other strides", "tensors", "Convert both to one memory format"),
    "alignment": (
        "tensors begin at other addresses modulo 64",
        "tensors",
        "copy.deepcopy(model) after loading moves the weights to aligned memory",
    ),
    "requires_grad": ("parameters have other requires_grad flags", "parameters", "Set requires_grad alike, or run both in torch.no_grad()"),
    "attributes": ("attributes of modules differ", "attributes", "Give both modules the same attributes"),
    "config": ("fields of the config differ", "fields", "Give both the same config"),
    "attention": ("the attention implementations differ", "configs", "Load both with one attn_implementation"),
    "hooks": ("modules have other forward hooks", "modules", "Remove the hooks, or register the same ones on both"),
    "mode": ("modules are in another mode", "modules", "Call model.eval() on both"),
    "threads": ("the numbers of threads differ", "settings", "torch.set_num_threads alike"),
    "autocast": ("autocast differs", "settings", "Run both under the same autocast, or none"),
    "deterministic": ("the deterministic flags differ", "settings", "torch.use_deterministic_algorithms alike"),
    "batch": ("the batches have other sizes", "inputs", "Run both with one batch size"),
    "input layout": ("the inputs lie in memory with other strides", "inputs", "Convert both inputs to one memory format"),
    "inputs": ("the inputs differ", "inputs", "Give both the same input"),
    "compilation": ("one side is compiled", "models", "Run both compiled, or neither"),
}


def by_group(factors):
    groups = {name: [] for name in live_factors.GROUPS}
    for factor in factors:
        groups[factor.group].append(factor)
    return {name: members for name, members in groups.items() if members}


def cause_of(group, factors):
    """The identifier of a group's cause, where a closer look shows a narrower one."""
    if group == "weights":
        if all("(none)" in (factor.a, factor.b) for factor in factors):
            return "weights.missing"
        if all(factor.kind for factor in factors):
            return "weights.layout"
        if all(rounded_to(factor) for factor in factors):
            return "weights.rounded"
    if group == "modules":
        words = " ".join(f"{factor.a} {factor.b} {factor.name}" for factor in factors).lower()
        if "quantized" in words:
            return "weights.quantized"
        if "lora" in words:
            return "weights.adapted"
        if any("(none)" in (factor.a, factor.b) for factor in factors):
            return None
    return live_factors.GROUPS[group]


def rounded_to(factor):
    """The narrower type to which the values of one side are the other's rounded, or None."""
    if not factor.tensors:
        return None
    a, b = (tensor.detach() for tensor in factor.tensors)
    return _rounded_to(a, b) or _rounded_to(b, a)


def _rounded_to(wide, other):
    import torch

    for narrow in (torch.bfloat16, torch.float16):
        if wide.is_floating_point() and other.is_floating_point() and wide.element_size() > 2:
            if live_tensors.same_bits(wide.to(narrow).to(other.dtype), other):
                return str(narrow).removeprefix("torch.")
    return None


def lines_of(factors):
    lines = [f"{factor.name or 'the model'}: {_pair(factor)}" for factor in factors[:SHOWN]]
    if len(factors) > SHOWN:
        lines.append(f"and {len(factors) - SHOWN} more")
    return lines


def _pair(factor):
    if not factor.tensors or factor.group not in ("weights", "buffers"):
        return f"{factor.a} and {factor.b}"
    if is_same_numbers(factor):
        return "the same numbers with other bits (-0 and 0, or another NaN)"
    narrow = rounded_to(factor)
    numbers = live_tensors.difference(*factor.tensors)
    most = "" if numbers["max_abs"] is None else f", up to {numbers['max_abs']:.3g}"
    return f"{numbers['differing']} of {numbers['elements']} elements{most}{f': rounded to {narrow}' if narrow else ''}{_not_numbers(*factor.tensors)}"


def is_same_numbers(factor):
    """Whether it is a tensor whose bits differ and whose numbers do not: -0 against 0, one NaN against another."""
    return factor.group in ("weights", "buffers") and factor.tensors is not None and live_tensors.same_numbers(*factor.tensors)


def _not_numbers(*tensors):
    counts = [int(tensor.isnan().sum()) if tensor.is_floating_point() else 0 for tensor in tensors]
    return f"; NaN in {counts[0]} (A) and {counts[1]} (B)" if counts[0] != counts[1] else ""


def evidence_of(group, factors):
    names = [factor.name for factor in factors]
    if group in ("attributes", "config", "attention", "mode", "threads", "autocast", "deterministic"):
        return {"count": len(names), "fields": {factor.name or "(model)": [factor.a, factor.b] for factor in factors[:NAMED]}}
    return {"count": len(names), "tensors" if group in ("weights", "buffers", "dtype", "layout", "alignment") else "modules": names[:NAMED]}


def drawn(labels, cause):
    """The summary of a finding on what passes draw."""
    if cause is None:
        return f"the first forward pass of {together(labels)} draws random numbers and keeps them: later passes repeat it"
    return f"every forward pass of {together(labels)} draws random numbers{', in eval mode too' if cause == 'rng.noise' else ' in training mode'}"


def join_drawn(finding, other):
    """Makes of two findings on what passes draw, of A and of others, one on all of them."""
    finding.subjects = list(dict.fromkeys([*finding.subjects, *other.subjects]))
    finding.summary = drawn(finding.subjects, finding.cause)
    finding.details = list(dict.fromkeys([*finding.details, *other.details]))
    finding.evidence["modules"] = list(dict.fromkeys([*finding.evidence["modules"], *other.evidence["modules"]]))
    finding.evidence["equal_with_one_seed"] = finding.evidence["equal_with_one_seed"] and other.evidence["equal_with_one_seed"]


def one_of_modes(findings):
    """Of findings on training mode the one that an exchange proved holds what was drawn, in whose place it stands, and what was not needed: it is
    one cause."""
    proof = next((each for each in findings if each.factor == "mode" and each.role == "cause"), None)
    drawn = next((each for each in findings if each.cause == "mode.training" and each.factor == "random numbers"), None)
    rest = next((each for each in findings if each.factor == "mode" and each.role != "cause"), None)
    if proof and drawn and set(drawn.evidence["modules"]) & set(proof.evidence["fields"]):
        proof.details += [drawn.summary, *[line for line in drawn.details if not line.endswith("see the other causes")]]
        proof.evidence.update({name: value for name, value in drawn.evidence.items() if name not in proof.evidence})
        findings = [proof if each is drawn else each for each in findings if each is not proof]
    into = proof or drawn
    if rest and into:
        count = rest.evidence["count"]
        into.details.append(f"{count} more module{'s are' if count > 1 else ' is'} in another mode, which does not matter on these inputs")
        findings = [each for each in findings if each is not rest]
    return findings


def left_random(label, names, numbers):
    """Of tensors that no file of a subject holds. `numbers`: how it differs from itself, loaded once more."""
    count = f"{numbers['differing']} of {numbers['elements']} elements" if numbers["elements"] is not None else "types or shapes"
    summary = f"1 tensor of {label} stands in none of its files, and is random in every load"
    if len(names) > 1:
        summary = f"{len(names)} tensors of {label} stand in none of its files, and are random in every load"
    details = [some_of(names), f"{label} loaded twice differs from itself in {count}"]
    evidence = {"count": len(names), "tensors": names[:NAMED]}
    remedy = f"Load {label} into the class that it was saved from, or train {'them' if len(names) > 1 else 'it'} first"
    return Finding("weights.reinitialized", "random weights", "cause", "proved", summary, details, evidence, remedy, subjects=[label])


def some_of(names):
    """The first of them, and how many more there are."""
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


def together(labels):
    """ "A and B"; "A, B and C". """
    return " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)


def proved(factors, smallest, labels=("A", "B")):
    """Findings of the smallest set: with all of it exchanged the bits agree, and without any one of it they do not."""
    groups = by_group(factors)
    besides = f" (together with {len(groups) - 1} more of the causes here)" if len(groups) > 1 else ""
    for group, members in groups.items():
        words, plural, remedy = _words(group, members), WORDS[group][1], _remedy(group, members)
        count = f"{len(members)} {plural}" if len(members) > 1 else members[0].name or "the model"
        said = f"{labels[1]} with what {labels[0]} has there gives {labels[0]}'s outputs, bit for bit{besides}"
        without = "without any one of these exchanges it does not" if len(factors) > 1 else "without this exchange it does not"
        details = [*lines_of(members), said if not smallest.minimal else f"{said}; {without}"]
        if not smallest.minimal:
            details.append("the search ended before every one of them was shown to be needed")
        evidence = {**evidence_of(group, members), "is_minimal": smallest.minimal}
        yield Finding(cause_of(group, members), group, "cause", "proved", f"{words}: {count}", details, evidence, remedy, subjects=list(labels))


def _words(group, members):
    cause = cause_of(group, members)
    if group == "weights" and cause == "weights.missing":
        return "weights stand in one of the models alone"
    if group == "weights" and cause == "weights.rounded":
        return "weights are rounded on one side"
    if group == "weights" and cause == "weights.layout":
        return WORDS["reparametrized"][0]
    return WORDS[group][0]


def _remedy(group, members):
    """By how the values differ: what was rounded, computed or left out is mended otherwise than what was trained otherwise."""
    if group == "buffers":
        return _remedy_of_buffers(members)
    if group in ("weights", "reparametrized") and members:
        if all(is_same_numbers(member) for member in members):
            return "The numbers are equal: for equal bits give both the same sign of zero, and the same NaN"
        if all(member.kind for member in members):
            return _remedy_of_computed(members[0].kind)
        cause = cause_of(group, members)
        if cause == "weights.rounded":
            return live_diff.ROUNDED
        if cause == "weights.missing":
            return "Build both models with the same parts, and load both from one file"
    return WORDS[group][2]


def _remedy_of_computed(how):
    undo = {"prune": "prune.remove(module, name)", "weight_norm": "remove_weight_norm(module)", "spectral_norm": "remove_spectral_norm(module)"}
    own = undo.get(how.rpartition(".")[2])
    return "Build both models with it, and load the state_dict() of one into the other" + (f"; or take it away: torch.nn.utils.{own}" if own else "")


def _remedy_of_buffers(members):
    """Passes in training mode move statistics and the vectors of a spectral norm; buffers that state_dict() leaves out a module computes when
    it is built, as frequencies of its config; any other is state, which no setting gives."""
    names = [member.name.rpartition(".")[2] for member in members]
    if any(name in ("running_mean", "running_var", "num_batches_tracked") for name in names):
        return WORDS["buffers"][2]
    if all(name in ("_u", "_v") or name.endswith(("_u", "_v")) for name in names):
        load = "Load the state_dict() of one into the other"
        return f"{load}: passes in training mode move these vectors; call model.eval() before those that are no training"
    if members and all(member.kind == "non-persistent" for member in members):
        return "Build both models with the same settings: such buffers are computed of them"
    return "Load the state_dict() of one into the other: such buffers are state, as weights are"


def _is_quiet(factor):
    """Whether it is of a kind that forward passes hardly ever read: a note, where it was not needed."""
    name = factor.name.rpartition(".")[2]
    return name in HARMLESS if factor.group in ("config", "attributes") else factor.group == "buffers" and name == "num_batches_tracked"


def writes_weights(sides, differ):
    """Of models whose weights another pass finds otherwise: `differ`, whether outputs were seen to. What an exchange shows of them is no proof."""
    labels = [side.label for side in sides]
    details = [
        f"{side.label}: {path or 'the model'} has max_norm, and shortens rows of its weight in every pass in which they are too long (torch 2.13.0)"
        for side in sides
        for path, module in side.model.named_modules()
        if getattr(module, "max_norm", None) is not None
    ]
    summary = f"a forward pass of {together(labels)} writes into its own weights: what it gives depends on the passes before it"
    details.append("no factor was exchanged: a run with other weights proves nothing")
    remedy = "Compare copies with which no pass was made; samebits.diff compares the weights as they are now"
    return Finding(None, "repeat", "cause" if differ else "risk", "observed", summary, details, {"modules": labels}, remedy, subjects=labels)


def observed(factors, outputs_differ, labels=("A", "B"), exchanged=True, compared=True, known=None):
    """Findings of what differs and was not needed; with `exchanged` false, of what differs where nothing was exchanged. `compared`: whether
    all of the outputs were. `known`: a live_diff.Known, which knows config fields without effect."""
    said = _said_of_outputs(outputs_differ, exchanged, compared)
    for group, members in by_group(factors).items():
        idle = known.idle_fields if known and group == "config" else {}
        equal = [member for member in members if is_same_numbers(member)]
        quiet = [member for member in members if member not in equal and (_is_quiet(member) or member.name in idle)]
        loud = [member for member in members if member not in equal and member not in quiet]
        if loud:
            role = "contributes" if group in MOVES or outputs_differ else "risk"
            count = f"{len(loud)} {WORDS[group][1]}" if len(loud) > 1 else loud[0].name or "the model"
            summary = f"{_words(group, loud)}: {count}"
            details, evidence = [*lines_of(loud), said], evidence_of(group, loud)
            remedy = _remedy(group, loud)
            yield Finding(cause_of(group, loud), group, role, "observed", summary, details, evidence, remedy, subjects=list(labels))
        if quiet:
            reasons = [idle[member.name] for member in quiet if member.name in idle]
            yield _note(group, quiet, f"{_words(group, quiet)}, which passes usually do not read", reasons, labels)
        if equal:
            yield _note(group, equal, "tensors hold the same numbers with other bits (-0 and 0, or another NaN)", [], labels)


def _said_of_outputs(outputs_differ, exchanged, compared):
    if not exchanged:
        return "whether outputs follow it was not tried"
    if outputs_differ:
        return "not needed to make the outputs agree on these inputs"
    return "the outputs agree on these inputs all the same" if compared else "what was compared of the outputs agrees; the rest was not compared"


def _note(group, members, words, details, labels):
    summary = f"{words}: {', '.join(member.name for member in members)}"
    return Finding(cause_of(group, members), group, "note", "observed", summary, details, evidence_of(group, members), subjects=list(labels))


def renamed(known, labels=("A", "B")):
    """The note that what the two hold has other names, or none."""
    if known.renamed is not None:
        evidence = {"count": known.renamed.evidence["count"], "tensors": list(known.renamed.evidence["tensors"])[:NAMED]}
        yield Finding("weights.renamed", "names", "note", "observed", known.renamed.summary, [], evidence, subjects=list(labels))
