"""Why two live PyTorch models give other outputs: found and proved by runs.

    report = samebits.explain_live(model_a, model_b, images)
    print(report)

What is said to be a cause was exchanged: B was run with what A has of it, and gave A's bits. docs/live.md tells how it searches.
"""

from . import live_compare, live_diff, live_findings, live_rng, live_search, live_tensors
from .live_recorder import Options
from .live_report import Finding, LiveReport, ordered
from .live_runner import Live, RestoreError, Side, TorchRunner, demand_inputs, inner, input_groups

__all__ = ["Finding", "Live", "LiveReport", "RestoreError", "explain_live"]

REPEATS = 3  # runs with one seed that show whether a model repeats


def explain_live(a, b, inputs=None, *, call=None, seed=0, max_runs=400):
    """Explains why two torch modules give other outputs on the same inputs, in this process.

    `a`, `b`: modules, or Live values, which also say inputs, threads, autocast or the deterministic flag of one side. `inputs`: what both are
    called with: a tuple is the arguments, a mapping the keyword arguments, anything else the only argument. `call(model, *arguments,
    **keywords)`: how to run them, where that is not to call them. `seed`: of the runs with equal random numbers. `max_runs`: the budget of
    the search.

    Both models, all generators and settings are given back as they were; weights into which a forward pass writes, too, as far as a model's
    are no more than 8 GiB. Grad mode is the caller's. The report says nothing that was not
    run or seen: see LiveReport. An exception of a model in a run without exchange is the caller's.
    """
    sides = [Side(label, given, inputs) for label, given in (("A", a), ("B", b))]
    demand_inputs(sides, call)
    compiled = [inner(side.model) is not side.model and type(side.model).__name__ == "OptimizedModule" for side in sides]
    if sides[0].batch != sides[1].batch and input_groups(*sides) == ["batch"]:
        sides[0].rows = sides[1].rows = min(side.batch for side in sides)
    runner = TorchRunner(*sides, call)
    explanation = Explanation(runner, seed, max_runs)
    if compiled == [True, False]:
        explanation.not_checked.append("A is compiled and B is not: give them in the other order, so that B can be run without")
    try:
        return explanation.report()
    finally:
        runner.restore()
        runner.close()


class Explanation:
    """The runs of a Runner, and what they show. Behind report(): `equal`, whether both give the same bits with one seed, None where one of
    them does not repeat; `found`, the smallest set of factors (live_search.Smallest), or None; `fresh`, of each label its first two runs.

    `ours`: an explanation of A and another model on the same inputs: what A does alone is taken from there."""

    def __init__(self, runner, seed, max_runs, until=None, ours=None):
        self.runner, self.seed, self.max_runs, self.until = runner, seed, max_runs, until
        self.labels = self.one, self.other = runner.a.label, runner.b.label
        self._alone = {self.one: ours._alone[self.one] if ours else {}, self.other: {}}
        self.findings, self.runs, self.not_checked = [], [], []
        self.first = self.outputs = self.equal = self.found = None
        self.failed = 0  # runs with exchanged factors that raised

    def report(self):
        runner = self.runner
        self._subjects = [_subject(side) for side in (runner.a, runner.b)]
        self.factors, not_checked = runner.factors()
        self.not_checked += not_checked
        self._repeat()
        writing = [side for side in (runner.a, runner.b) if side.label in runner.wrote_weights()]
        repeats = [self._repeats(label) for label in self.labels] if not writing else []
        if writing:
            self.seeded = {label: self._seeded(label)[0] for label in self.labels}
            self.draws = {label: [] for label in self.labels}
            self.findings.append(live_findings.writes_weights(writing, bool(self.outputs or self.unlike_itself)))
            self.findings += self._observed(self.factors, bool(self.outputs), exchanged=False)
        elif all(repeats):
            self._share()
            self._carry()
        differ = bool(self.outputs) or not all(repeats)
        if runner.kept_writes():
            said = f"a forward pass of {' and '.join(runner.kept_writes())} writes into its own weights, which are too large to be copied and given back"
            self.not_checked.append(said)
        self._ask_diff()
        verdict = self._verdict(differ)
        findings = ordered(self.findings)
        diagnosis = findings[0].summary if findings and findings[0].role in ("cause", "contributes") else _diagnosis(verdict, self)
        return LiveReport(verdict, diagnosis, self._subjects, self.outputs, self.first, self.draws, findings, self.runs, self.not_checked)

    def _observed(self, factors, outputs_differ, exchanged=True):
        compared = not any(isinstance(leaf, live_tensors.Opaque) for one, _ in self.fresh.values() for _, leaf in one.leaves)
        return live_findings.observed(factors, outputs_differ, self.labels, exchanged, compared, self.runner.known())

    def _ask_diff(self):
        """Gives findings on weights what diff knows of them, and says which parts have other names."""
        known = self.runner.known()
        if known is None:
            return
        self.findings = live_findings.one_of_modes(live_diff.refined(self.findings, known))
        names = [{name for name, _ in inner(side.model).named_parameters()} for side in (self.runner.a, self.runner.b)]
        if names[0] != names[1]:
            self.findings += live_findings.renamed(known, self.labels)

    def _verdict(self, differ):
        if differ or any(finding.factor in live_findings.MOVES and finding.role == "contributes" for finding in self.findings):
            return "different"
        return "unknown" if self.not_checked else "same"

    def _said(self, run, outcome):
        self.runs.append({"run": run, "outcome": outcome})

    def _once(self, label, what, run):
        """What `run` showed of one model alone."""
        if what not in self._alone[label]:
            self._alone[label][what] = run()
        return self._alone[label][what]

    # One model against itself.

    def _repeat(self):
        """As their owner runs them: with fresh random numbers."""
        self.fresh = {label: self._once(label, "fresh", lambda: [self.runner.run(label) for _ in range(2)]) for label in self.labels}
        self.unlike_itself = [label for label, (one, other) in self.fresh.items() if not one.same_bits(other)]
        for label, (one, other) in self.fresh.items():
            self._said(f"{label} twice, with fresh random numbers", _outcome(one, other))
        self.stream = live_rng.states()  # where a third model's fresh numbers go on
        ours, theirs = (self.fresh[label][0] for label in self.labels)
        self.outputs = ours.difference(theirs)
        self._said(f"{self.one} against {self.other}, with fresh random numbers", _outcome(ours, theirs))
        for label, (one, _) in self.fresh.items():
            if one.left_out:
                self.not_checked.append(
                    f"{label}: {', '.join(path or 'the output' for path in one.left_out)} has no row for each input: not compared"
                )
            self.not_checked += [
                f"{label}: output{path} is {leaf.kind}: its contents are not compared"
                for path, leaf in one.leaves
                if isinstance(leaf, live_tensors.Opaque)
            ]

    def _repeats(self, label):
        """Whether runs with one seed agree; a finding where they do not."""
        outcomes = self._seeded(label)
        self.seeded = {**getattr(self, "seeded", {}), label: outcomes[0]}
        self.draws = {**getattr(self, "draws", {}), label: _drawing(outcomes[0])}
        same = all(outcomes[0].same_bits(other) for other in outcomes[1:])
        self._said(f"{label} {REPEATS} times, every generator seeded alike", "the same bits" if same else "other bits")
        if not same:
            self.findings.append(self._once(label, "unrepeatable", lambda: self._unrepeatable(label, outcomes)))
        return same

    def _seeded(self, label):
        options = Options("none", False, True)
        return self._once(label, "seeded", lambda: [self.runner.run(label, seed=self.seed, options=options) for _ in range(REPEATS)])

    def _unrepeatable(self, label, outcomes):
        other = next(outcome for outcome in outcomes[1:] if not outcome.same_bits(outcomes[0]))
        numbers = outcomes[0].difference(other)
        single = [self.runner.run(label, seed=self.seed, threads=1) for _ in range(REPEATS)]
        alone = all(single[0].same_bits(outcome) for outcome in single[1:])
        self._said(f"{label} {REPEATS} times on one thread, seeded", "the same bits" if alone else "other bits")
        summary = f"{label} does not repeat: with every generator seeded alike it gives other bits"
        point = _first_unlike(outcomes[0].recorder, other.recorder)
        details = [f"two runs of it first differ at {point['point']}"] if point else []
        details.append(
            f"on one thread {REPEATS} runs agreed"
            if alone
            else "on one thread, too: it depends on something that is no generator of torch, Python or numpy"
        )
        remedy = (
            "torch.set_num_threads(1), or torch.use_deterministic_algorithms(True)"
            if alone
            else "Find what else the module reads: a clock, a file, an address, a generator of its own"
        )
        return Finding(
            "numerics.threads" if alone else None,
            "repeat",
            "cause",
            "proved",
            summary,
            details,
            {"outputs": numbers, "one_thread": alone},
            remedy,
            subjects=[label],
        )

    # The two against one another.

    def _share(self):
        a, b = (self.seeded[label] for label in self.labels)
        agree = self.equal = a.same_bits(b)
        self._said(f"{self.one} against {self.other}, every generator seeded alike", _outcome(a, b))
        if self.unlike_itself:
            self._random(agree)
        if agree:
            self.findings += self._observed(self.factors, bool(self.outputs))
            return
        self.outputs = self.outputs or a.difference(b)
        self._locate()
        self._exchange(a)

    def _random(self, agree):
        """Which part the random numbers have: those that eval mode leaves, and those that training mode adds."""
        still, quiet, kept = [], [], []
        for label in self.unlike_itself:
            if self._once(label, "keeps", lambda label=label: self.runner.keeps_what_it_draws(label)):
                self._said(f"{label} twice, without giving back what the first call changed", "the same bits")
                kept.append((label, self.draws[label]))
                continue
            one, other = self._once(
                label, "eval", lambda: [self.runner.run(label, eval_mode=True, options=Options("none", False)) for _ in range(2)]
            )
            self._said(f"{label} twice in eval mode, with fresh random numbers", _outcome(one, other))
            drawn = set(_drawing(one))
            in_training = [name for name in self.draws[label] if name not in drawn]
            if not one.same_bits(other):
                still.append((label, [name for name in self.draws[label] if name in drawn]))
            if one.same_bits(other) or in_training:
                quiet.append((label, in_training or self.draws[label]))
        self._noisy = [label for label, _ in still]
        for pairs, cause in ((still, "rng.noise"), (quiet, "mode.training"), (kept, None)):
            if pairs:
                self.findings.append(self._drawn(pairs, cause, agree))

    def _drawn(self, pairs, cause, agree):
        """`pairs`: labels, each with the modules that draw."""
        labels, modules = [label for label, _ in pairs], list(dict.fromkeys(name for _, names in pairs for name in names))
        one, other = self.fresh[labels[0]]
        numbers = one.difference(other)
        who, noise = " and ".join(labels), cause == "rng.noise"
        summary = live_findings.drawn(labels, cause)
        details = [
            f"drawn in {', '.join(modules[:4])}{f' and {len(modules) - 4} more' if len(modules) > 4 else ''}"
            if modules
            else "no module was seen to draw: it is done outside of them, or from a generator that is not looked at"
        ]
        most = f", up to {numbers['max_abs']:.3g}" if numbers["max_abs"] is not None else ""
        keeps = cause is None
        details.append(
            f"two first passes of {labels[0]} differ from one another{most}; a second pass gives the bits of the first"
            if keeps
            else f"{labels[0]} run twice differs from itself{most}"
        )
        details.append(
            f"with every generator seeded alike {self.one} and {self.other} " + ("give the same bits" if agree else "still differ: see the other causes")
        )
        if not noise and not keeps:
            repeat = f"{who} repeat" if len(labels) > 1 else f"{who} repeats"
            details.append("in eval mode " + ("these modules draw nothing" if set(labels) & set(self._noisy) else repeat))
        remedy = (
            "Seed before the first pass of each, or copy what the first pass keeps from one to the other"
            if keeps
            else "Draw the random numbers once and pass them, or seed before every call"
            if noise
            else "model.eval() before passes that are no training"
        )
        evidence = {"modules": modules, "self_difference": numbers["max_abs"], "equal_with_one_seed": agree}
        return Finding(cause or "rng.noise", "random numbers", "cause", "proved", summary, details, evidence, remedy, subjects=labels)

    def _carry(self):
        """Whether a first call changes what a second one gives."""
        for label in self.labels:
            second, moved = self._once(label, "twice", lambda: self.runner.twice(label, self.seed))
            same = second.same_bits(self.seeded[label])
            self._said(
                f"{label} a second time, seeded alike, without giving back what the first call changed",
                "the same bits" if same else "other bits",
            )
            if not same:
                summary = f"a second call of {label} gives other bits than the first, with the same random numbers"
                details = [f"the first call changes {', '.join(moved[:6])}"] if moved else []
                remedy = "Compare models after equally many calls, or take back what a call changes"
                self.findings.append(
                    Finding(
                        "state.buffers" if moved else None,
                        "calls",
                        "risk",
                        "proved",
                        summary,
                        details,
                        {"changes": moved},
                        remedy,
                        subjects=[label],
                    )
                )

    def _exchange(self, target):
        for factors in self.runner.stages(self.factors):
            groups = list(live_findings.by_group(factors).values())
            self.found = live_search.smallest(groups, lambda some: self._agrees(some, target), self.max_runs, self.until)
            if self.found is not None:
                break
        found = self.found
        if found is None:
            said = (
                "nothing that can be exchanged was found in which they differ"
                if not self.factors
                else "exchanging all of these does not make the bits agree: " + ", ".join(live_findings.by_group(self.factors))
            )
            self.not_checked += [f"the cause was not found: {said}", *self.runner.around()]
            self._said(f"{self.other} with everything of {self.one} that could be exchanged", f"other bits than {self.one}")
            self.findings += self._observed(self.factors, True)
            return
        names = ", ".join(live_findings.by_group(found.factors))
        count = f"{len(found.factors)} factors of {len(self.factors)}; {found.runs} runs"
        self._said(f"{self.other} with {self.one}'s {names} ({count})", f"the same bits as {self.one}")
        self.findings += live_findings.proved(found.factors, found, self.labels)
        kept = {id(factor) for factor in found.factors}
        self.findings += self._observed([factor for factor in self.factors if id(factor) not in kept], True)
        if self.failed:
            self._said(f"{self.failed} of these runs raised an exception", "counted as other bits")

    def _agrees(self, factors, target):
        try:
            return self.runner.run(self.other, factors, seed=self.seed).same_bits(target)
        except Exception:  # half of an exchange may not fit together: whatever the model's own code raises, it is not A's output
            self.failed += 1
            return False

    def _locate(self):
        point = _first_unlike(*[self.seeded[label].recorder for label in self.labels])
        if point is None:
            return
        kept = [self.runner.run(label, seed=self.seed, options=Options([point["module"]], False)).recorder.kept for label in self.labels]
        name = point["point"] + point["path"]
        if all(name in values for values in kept) and kept[0][name].shape == kept[1][name].shape:
            numbers = live_tensors.difference(*[values[name] for values in kept])
            most = "" if numbers["max_abs"] is None else f", up to {numbers['max_abs']:.3g}"
            point["how"] = f"{numbers['differing']} of {numbers['elements']} elements{most}"
        self.first = point


def _first_unlike(a, b):
    """The first call in A's order whose outputs differ: point, module, path, class, how and whether its inputs differ."""
    ours, theirs = ({(call["module"], call["call"]): call for call in recorder.calls} for recorder in (a, b))
    for place, call in ours.items():
        found = place in theirs and live_compare.leaf_difference(call["outputs"], theirs[place]["outputs"])
        if found:
            leaf, _, what = found
            inputs, origin = live_compare.inputs_of(ours, theirs, place)
            point = {
                "point": live_compare.point_name(place),
                "module": place[0],
                "path": leaf.get("path", ""),
                "class": call["class"].rpartition(".")[2],
            }
            return {**point, "how": what, "inputs": inputs, "computed_in": origin and live_compare.point_name(origin)}
    return None


def _drawing(outcome):
    return list(
        dict.fromkeys(
            call["module"] or "(model)" for call in sorted(outcome.recorder.calls, key=lambda call: call["entered"]) if call["draws"]
        )
    )


def _outcome(one, other):
    numbers = one.difference(other)
    if numbers is None:
        return "the same bits"
    if numbers["elements"] is None:
        return "other types, shapes or values"
    return f"{numbers['differing']} of {numbers['elements']} elements differ" + (
        f", up to {numbers['max_abs']:.3g}" if numbers["max_abs"] is not None else ""
    )


def _subject(side):
    modules = list(side.model.modules())
    training = sum(module.training for module in modules)
    mode = "eval" if not training else "training" if training == len(modules) else f"{training} of {len(modules)} modules in training mode"
    tensors = sum(1 for _ in side.model.parameters()) + sum(1 for _ in side.model.buffers())
    return {
        "label": side.label,
        "class": type(inner(side.model)).__qualname__,
        "tensors": tensors,
        "modules": len(modules),
        "training": training,
        "mode": mode,
    }


def _diagnosis(verdict, explanation):
    if verdict == "same":
        return "the outputs have the same bits"
    if verdict == "different":
        return "the outputs differ, and the cause was not found"
    return "the outputs that were compared have the same bits"
