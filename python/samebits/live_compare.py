"""Two recordings side by side: where they part, what differs there and how, and what else is not the same."""

import dataclasses
import re

from . import live_file, live_tensors
from .live_report import as_html


HOW_COMPUTED = ("foreach", "fused", "capturable", "differentiable")  # settings by which an optimizer computes the same step in another way


@dataclasses.dataclass
class RecordComparison:
    """What compare_records() found. `verdict`: "same" (every output of every call has the same bits), "different", or "unknown" where
    something was not recorded and nothing that was recorded differs."""

    verdict: str
    first: dict | None  # the first call in A's order with other outputs: module, call, class, path, what, how, inputs
    draws: dict | None  # the first call that drew other random numbers: module, call, how
    compared: int  # calls that both have
    differing: int  # of them, how many have other outputs
    only_a: list  # calls that one side has alone, "module" or "module@1"
    only_b: list
    steps: list  # per optimizer step that differs: step, what, names, how
    facts: list  # (what, A, B) of everything else that is not the same
    not_checked: list
    inputs: str | None = None  # how the model's own inputs differ in the first pass in which they do

    def to_json(self):
        """The fields as JSON text, schema samebits.record_comparison/1."""
        return live_file.dumps({"schema": "samebits.record_comparison/1", **dataclasses.asdict(self)})

    def __bool__(self):
        return self.verdict == "same"

    def __str__(self):
        return "\n".join(_lines(self))

    def _repr_html_(self):
        return as_html(self)


def compare_documents(a, b):
    """The comparison of two pairs (document, values)."""
    (one, values_a), (other, values_b) = a, b
    if one["digest"] != other["digest"]:
        return _incomparable(f"A has digests by {one['digest']}, B by {other['digest']}: record both with one version")
    calls_a, calls_b, facts = _without_wrapper(calls_by_place(one), calls_by_place(other))
    common = [place for place in calls_a if place in calls_b]
    if not common and (calls_a or calls_b):
        return _incomparable("the two have no module's call in common: other models, or other names of modules")
    differing = [place for place in common if leaf_difference(calls_a[place]["outputs"], calls_b[place]["outputs"])]
    first = _first(calls_a, calls_b, differing, values_a, values_b)
    only_a = [point_name(place) for place in calls_a if place not in calls_b]
    only_b = [point_name(place) for place in calls_b if place not in calls_a]
    steps = _steps(one["steps"], other["steps"])
    not_checked = _not_checked(one, other, calls_a, calls_b, common)
    verdict = "different" if differing or only_a or only_b or steps else "unknown" if not_checked or not common else "same"
    draws = _first_draws(calls_a, calls_b, common)
    facts += _unread_settings(one["steps"], other["steps"], steps) + _facts(one, other)
    inputs = _model_inputs(calls_a, calls_b, common)
    return RecordComparison(verdict, first, draws, len(common), len(differing), only_a, only_b, steps, facts, not_checked, inputs)


def _without_wrapper(calls_a, calls_b):
    """The calls of both, of a model that stands inside another module on one side under the names that it has without; and facts on that."""
    for one, other, label in ((calls_a, calls_b, "B"), (calls_b, calls_a, "A")):
        prefix = _wrapped_in(one, other)
        if prefix:
            inside = {place: entry for place, entry in other.items() if place[0] == prefix or place[0].startswith(f"{prefix}.")}
            own = {_below(prefix, *place): _entry_below(prefix, entry) for place, entry in inside.items()}
            fact = ("the model", *[f"is {prefix} of another module" if each == label else "is recorded itself" for each in "AB"])
            return (own, calls_b, [fact]) if label == "A" else (calls_a, own, [fact])
    return calls_a, calls_b, []


def _wrapped_in(one, other):
    """The name in `other` of the module that has all the calls of `one` below it, with the same classes, and nothing beside it; "" where there
    is none."""
    if ("", 0) not in one or len(one) < 2 or all(place in other and other[place]["class"] == entry["class"] for place, entry in one.items()):
        return ""
    for prefix in dict.fromkeys(name for name, _ in other if name):
        places = {(f"{prefix}.{name}" if name else prefix, call): entry for (name, call), entry in one.items()}
        beside = [name for name, _ in other if name and name != prefix and not name.startswith(f"{prefix}.") and not prefix.startswith(f"{name}.")]
        if not beside and all(place in other and other[place]["class"] == entry["class"] for place, entry in places.items()):
            return prefix
    return ""


def _below(prefix, name, call):
    return name.removeprefix(prefix).removeprefix("."), call


def _entry_below(prefix, entry):
    within = entry["within"]
    is_inside = within is not None and (within[0] == prefix or within[0].startswith(f"{prefix}."))
    return {**entry, "within": list(_below(prefix, *within)) if is_inside else None}


def _model_inputs(calls_a, calls_b, common):
    """How the model's own inputs differ, as a phrase; None where they do not, or were not recorded."""
    for place in common:
        a, b = calls_a[place], calls_b[place]
        if a["within"] is not None or b["within"] is not None or a["inputs"] is None or b["inputs"] is None:
            continue
        found = leaf_difference(a["inputs"], b["inputs"])
        if found:
            return f"{point_name(place)}: {_how_inputs(*found, a['inputs'], b['inputs'])}"
    return None


def _how_inputs(a, b, what, ours, theirs):
    if what == "structure":
        return f"A is given {len(ours)} values, B {len(theirs)}, or under other names"
    return f"{_argument(a['path'])}: {_how(a, b, what, None, None, {}, {})}"


def _argument(path):
    """A leaf of (arguments, keywords) as a caller knows it."""
    keyword, place = re.match(r"\[1\]\['(\w+)'\](.*)", path, re.DOTALL), re.match(r"\[0\]\[(\d+)\](.*)", path, re.DOTALL)
    return keyword[1] + keyword[2] if keyword else f"argument {place[1]}{place[2]}" if place else path


def _incomparable(sentence):
    return RecordComparison("unknown", None, None, 0, 0, [], [], [], [], [sentence])


def calls_by_place(document):
    return {(entry["module"], entry["call"]): entry for entry in document["calls"]}


def point_name(place):
    module, call = place
    return f"{module or '(model)'}@{call}" if call else module or "(model)"


def leaf_difference(leaves_a, leaves_b):
    """The first pair of leaves that differ and what differs; None where the two are equal as far as they were recorded."""
    by_path = {leaf["path"]: leaf for leaf in leaves_b}
    if [leaf["path"] for leaf in leaves_a] != list(by_path):
        return {}, {}, "structure"
    for a in leaves_a:
        b = by_path[a["path"]]
        for what in ("dtype", "shape", "digest", "value", "opaque"):
            one, other = (digest_in(leaf) if what == "digest" else leaf.get(what) for leaf in (a, b))
            if one != other and not (what == "digest" and ("opaque" in a or "opaque" in b)):
                return a, b, "value" if what == "digest" else what
    return None


def digest_in(leaf):
    """Of a tensor; older recordings have SHA-256. The two of a comparison are of one kind."""
    return leaf.get(live_tensors.KEY, leaf.get("sha256"))


def _first(calls_a, calls_b, differing, values_a, values_b):
    if not differing:
        return None
    place = differing[0]
    a, b = calls_a[place], calls_b[place]
    leaf_a, leaf_b, what = leaf_difference(a["outputs"], b["outputs"])
    found = {"module": place[0], "call": place[1], "class": a["class"], "what": what, "path": leaf_a.get("path", "")}
    found["how"] = _how(leaf_a, leaf_b, what, a, b, values_a, values_b)
    found["inputs"], origin = inputs_of(calls_a, calls_b, place)
    found["computed_in"] = None if origin is None else point_name(origin)
    return found


def inputs_of(calls_a, calls_b, place):
    """Whether the inputs of the first call that differs do: "equal", "different" or "not recorded"; and in whose own code what differs was
    computed: of that call itself, or of the innermost call around it whose inputs are equal. None where that was not recorded, or the
    model's own inputs differ."""
    inside = place
    while inside is not None:
        a, b = calls_a.get(inside), calls_b.get(inside)
        if a is None or b is None or a["inputs"] is None or b["inputs"] is None:
            return ("not recorded" if inside == place else "different"), None
        if not leaf_difference(a["inputs"], b["inputs"]):
            return ("equal" if inside == place else "different"), inside
        inside = None if a["within"] is None else tuple(a["within"])
    return "different", None


def _how(a, b, what, call_a, call_b, values_a, values_b):
    if what == "structure":
        return f"A returns {len(call_a['outputs'])} values, B {len(call_b['outputs'])}, or under other names"
    if what in ("dtype", "shape", "value") and what in a and what in b:
        return f"{what} {_shown(a[what])} and {_shown(b[what])}"
    if what == "opaque":
        return f"{a.get('opaque', 'a tensor')} and {b.get('opaque', 'a tensor')}"
    if a.get("stored") in values_a and b.get("stored") in values_b:
        return _of_values(values_a[a["stored"]], values_b[b["stored"]])
    pairs = [
        f"{name} {_shown(a[name])} and {_shown(b[name])}"
        for name in ("mean", "norm", "min", "max")
        if name in a and name in b and a[name] != b[name]
    ]
    if pairs:
        return ", ".join(pairs)
    return "other bits" + (", and the same mean, norm, min and max" if "mean" in a and "mean" in b else "")


def _of_values(a, b):
    import numpy

    try:
        x, y = a.numpy(), b.numpy()
    except TypeError:
        return "other bits"
    unlike = ~((x == y) | ((x != x) & (y != y)))
    wide = numpy.complex128 if numpy.iscomplexobj(x) else numpy.float64
    with numpy.errstate(invalid="ignore"):
        distance = numpy.abs(x[unlike].astype(wide) - y[unlike].astype(wide))
    distance = distance[numpy.isfinite(distance)]
    most = f", up to {distance.max():.3g}" if distance.size else ""
    if not unlike.any():
        return "the same numbers with other bits (-0 and 0, or another NaN)"
    return f"{int(unlike.sum())} of {x.size} elements{most}"


def _shown(value):
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _first_draws(calls_a, calls_b, common):
    for place in common:
        a, b = ({draw["generator"]: draw for draw in side[place]["draws"]} for side in (calls_a, calls_b))
        for name in {**a, **b}:
            how = _draws_differ(name, a.get(name), b.get(name))
            if how:
                return {"module": place[0], "call": place[1], "generator": name, "how": how}
    return None


def _draws_differ(name, a, b):
    if a is None or b is None:
        return f"{'B' if a is None else 'A'} drew from the generator {name}, {'A' if a is None else 'B'} did not"
    if a["before"] != b["before"]:
        return f"both drew from the generator {name}, from different states of it"
    if a["after"] != b["after"]:
        counts = f": {a['count']} and {b['count']} numbers" if a["count"] != b["count"] else ""
        return f"both drew from one state of the generator {name}, and not the same{counts}"
    return None


def _steps(steps_a, steps_b):
    found = []
    if len(steps_a) != len(steps_b):
        found.append(
            {"step": min(len(steps_a), len(steps_b)), "what": "count", "names": [], "how": f"A has {len(steps_a)} steps, B {len(steps_b)}"}
        )
    for a, b in zip(steps_a, steps_b):
        entry = _step(a, b)
        if entry:
            found.append({"step": a["step"], **entry})
    return found


def _step(a, b):
    """What differs first in a step: weights before it, gradients, settings of the groups, moments, weights behind it."""
    by_name = {entry["name"]: entry for entry in b["parameters"]}
    pairs = [(entry, by_name[entry["name"]]) for entry in a["parameters"] if entry["name"] in by_name]
    if len(pairs) != len(a["parameters"]) or len(pairs) != len(b["parameters"]):
        return {
            "what": "parameters",
            "names": [],
            "how": f"A has {len(a['parameters'])} parameters, B {len(b['parameters'])}, {len(pairs)} in common",
        }
    for what in ("before", "gradient"):
        names = [x["name"] for x, y in pairs if digest_in(x[what] or {}) != digest_in(y[what] or {})]
        if names:
            said = {"before": "weights differ before the step", "gradient": "gradients differ"}[what]
            return {"what": what, "names": names, "how": f"{said}: {len(names)} of {len(pairs)} parameters"}
    if a["optimizer"] != b["optimizer"]:
        return {"what": "optimizer", "names": [], "how": f"the optimizers are of two classes: {a['optimizer']} and {b['optimizer']}"}
    settings = _settings(a["groups"], b["groups"], HOW_COMPUTED)
    if settings:
        return {"what": "groups", "names": settings, "how": "settings of the parameter groups differ: " + ", ".join(settings)}
    for what, said in (("state", "the optimizer's state differs"), ("after", "weights differ behind the step")):
        names = [x["name"] for x, y in pairs if _digests(x[what]) != _digests(y[what])]
        if names:
            unlike = [each for each in _settings(a["groups"], b["groups"]) if each not in settings]
            because = f"; settings of how it is computed differ: {', '.join(unlike)}" if unlike else ""
            return {"what": what, "names": names, "how": f"{said}: {len(names)} of {len(pairs)} parameters{because}"}
    return None


def _unread_settings(steps_a, steps_b, differing):
    """Facts on settings of how a step is computed, where the steps have the same bits all the same."""
    if differing or not steps_a:
        return []
    return [(f"param_groups[{i}].{name}", *_short(x, y)) for i, name, x, y in _unlike_settings(steps_a[0]["groups"], steps_b[0]["groups"])]


def _digests(entry):
    if "path" in entry:  # a leaf
        return digest_in(entry)
    return {name: digest_in(leaf) or leaf.get("value") for name, leaf in entry.items()}


def _settings(groups_a, groups_b, left_out=()):
    if len(groups_a) != len(groups_b):
        return ["the number of groups"]
    return [
        f"param_groups[{i}].{name} {_shown(a)} and {_shown(b)}" for i, name, a, b in _unlike_settings(groups_a, groups_b) if name not in left_out
    ]


def _unlike_settings(groups_a, groups_b):
    """(number of the group, name, A's, B's) of each setting that differs."""
    return [
        (i, name, a.get(name), b.get(name)) for i, (a, b) in enumerate(zip(groups_a, groups_b)) for name in {**a, **b} if a.get(name) != b.get(name)
    ]


def _facts(a, b):
    """(what, A's, B's) of the environment, the model's settings and tensors, and the generators at entry."""
    found = []
    _collect("environment", a["environment"], b["environment"], found)
    for what in ("class", "training", "attention"):
        if a["model"][what] != b["model"][what]:
            found.append((what, *_short(a["model"][what], b["model"][what])))
    if a["model"]["config"] is not None and b["model"]["config"] is not None:
        _collect("config", a["model"]["config"], b["model"]["config"], found)
    for name in a["rng"]["entry"]:
        if name in b["rng"]["entry"] and a["rng"]["entry"][name]["sha256"] != b["rng"]["entry"][name]["sha256"]:
            found.append(
                (
                    f"the state of the generator {name} at entry",
                    a["rng"]["entry"][name]["sha256"][:12],
                    b["rng"]["entry"][name]["sha256"][:12],
                )
            )
    return found + _tensor_facts(a["model"]["tensors"], b["model"]["tensors"])


def _tensor_facts(tensors_a, tensors_b):
    by_name = {entry["name"]: entry for entry in tensors_b}
    pairs = [(entry, by_name[entry["name"]]) for entry in tensors_a if entry["name"] in by_name]
    found = []
    if len(pairs) != len(tensors_a) or len(pairs) != len(tensors_b):
        found.append(("names of tensors", f"{len(tensors_a)}", f"{len(tensors_b)}, {len(pairs)} in common"))
    for what in ("dtype", "shape", "device", "alignment", live_tensors.KEY, "sha256"):
        unlike = [(a, b) for a, b in pairs if what in a and what in b and a[what] != b[what]]
        if unlike:
            a, b = unlike[0]
            is_digest = what in (live_tensors.KEY, "sha256")
            shown = [_shown(side[what])[:12] if is_digest else _shown(side[what]) for side in (a, b)]
            more = f" and {len(unlike) - 1} more" if len(unlike) > 1 else ""
            name = "address modulo 64" if what == "alignment" else "digest" if is_digest else what
            found.append((f"{name} of {a['name']}{more}", *shown))
    return found


def _short(a, b):
    if isinstance(a, list):
        return f"{len(a)} modules", f"{len(b)} modules"
    return str(a), str(b)


def _collect(path, a, b, found):
    if isinstance(a, dict) and isinstance(b, dict):
        for name in {**a, **b}:
            _collect(f"{path}.{name}", a.get(name), b.get(name), found)
    elif a != b:
        found.append((path, _shown(a), _shown(b)))


def _not_checked(one, other, calls_a, calls_b, common):
    sentences = [f"{label}: {sentence}" for label, side in (("A", one), ("B", other)) for sentence in side["not_recorded"]]
    for label, calls in (("A", calls_a), ("B", calls_b)):
        for place in common:
            for leaf in calls[place]["outputs"]:
                if "opaque" in leaf:
                    sentences.append(f"{label}: output{leaf['path']} of {point_name(place)} was not recorded: {leaf['opaque']}")
    return sentences


def _lines(found):
    answer = {"same": "every output has the same bits", "different": "outputs differ", "unknown": "not all of it could be compared"}
    if found.verdict == "different" and found.steps and not found.differing:
        answer["different"] = "the optimizer's steps differ"
    elif found.verdict == "different" and not found.differing:
        answer["different"] = "the calls that both have agree, and one recording has more of them"
    elif found.inputs:
        answer["different"] = "outputs differ, and the model was given other inputs"
    yield f"{found.verdict}: {answer[found.verdict]}"
    if found.inputs:
        yield f"  inputs    differ at {found.inputs}"
    yield f"  calls     {found.compared} compared, {found.differing} differ"
    for label, places in (("A", found.only_a), ("B", found.only_b)):
        if places:
            yield f"  only {label}    {len(places)} calls: {', '.join(places[:5])}{' ...' if len(places) > 5 else ''}"
    if found.first:
        place = point_name((found.first["module"], found.first["call"]))
        yield f"  part at   {place} ({found.first['class'].rpartition('.')[2]}){found.first['path'] and ' output' + found.first['path']}"
        yield f"            {'' if found.first['how'].startswith(found.first['what']) else found.first['what'] + ': '}{found.first['how']}"
        if found.first["inputs"] != "not recorded":
            inside = found.first["computed_in"]
            yield f"            its inputs are {found.first['inputs']}{f': {inside} computes them in its own code' if inside and inside != place else ''}"
    if found.draws:
        yield f"  draws     {point_name((found.draws['module'], found.draws['call']))}: {found.draws['how']}"
    for step in found.steps:
        yield f"  step {step['step']:<4} {step['how']}"
    for what, a, b in found.facts:
        yield f"  not same  {what}: {a} and {b}"
    for sentence in found.not_checked:
        yield f"  unchecked {sentence}"
