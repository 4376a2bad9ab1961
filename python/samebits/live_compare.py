"""Two recordings side by side: where they part, what differs there and how, and what else is not the same."""

import dataclasses

from . import live_file, live_tensors
from .live_report import as_html


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
    calls_a, calls_b = calls_by_place(one), calls_by_place(other)
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
    facts = _facts(one, other)
    return RecordComparison(verdict, first, draws, len(common), len(differing), only_a, only_b, steps, facts, not_checked)


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
    settings = _settings(a["groups"], b["groups"])
    if settings:
        return {"what": "groups", "names": settings, "how": "settings of the parameter groups differ: " + ", ".join(settings)}
    for what, said in (("state", "the optimizer's state differs"), ("after", "weights differ behind the step")):
        names = [x["name"] for x, y in pairs if _digests(x[what]) != _digests(y[what])]
        if names:
            return {"what": what, "names": names, "how": f"{said}: {len(names)} of {len(pairs)} parameters"}
    return None


def _digests(entry):
    if "path" in entry:  # a leaf
        return digest_in(entry)
    return {name: digest_in(leaf) or leaf.get("value") for name, leaf in entry.items()}


def _settings(groups_a, groups_b):
    if len(groups_a) != len(groups_b):
        return ["the number of groups"]
    return [
        f"param_groups[{i}].{name} {_shown(a.get(name))} and {_shown(b.get(name))}"
        for i, (a, b) in enumerate(zip(groups_a, groups_b))
        for name in {**a, **b}
        if a.get(name) != b.get(name)
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
    yield f"{found.verdict}: {answer[found.verdict]}"
    yield f"  calls     {found.compared} compared, {found.differing} differ"
    for label, places in (("A", found.only_a), ("B", found.only_b)):
        if places:
            yield f"  only {label}    {len(places)} calls: {', '.join(places[:5])}{' ...' if len(places) > 5 else ''}"
    if found.first:
        place = point_name((found.first["module"], found.first["call"]))
        yield f"  part at   {place} ({found.first['class'].rpartition('.')[2]}){found.first['path'] and ' output' + found.first['path']}"
        yield f"            {found.first['what']}: {found.first['how']}"
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
