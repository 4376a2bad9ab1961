"""The runs that resume_check() makes, their comparison, and the search for the smallest addition."""

from . import live_search
from .live_processes import folder_of, run
from .live_resume_report import ResumeReport, advice
from .live_session import EPOCH, POSITION, Plan
from .resume_check import ResumeCheckError

FLAGS = ["requires_grad", "mode"]
LIGHTNING = "in Lightning samebits.callbacks.lightning_callback() keeps generators and gradients: give it to the Trainer's callbacks"
OTHER_STATE = (
    "give session.begin() by name what else the training keeps, so that it is compared and tried: a generator of its own, a scheduler, an average, "
    "or a counter as an object with state_dict() and load_state_dict()"
)
ORDER = ["batch", "gradients", "groups", "moments", "weights", "buffers"]  # in which parts of a step are computed; others come behind


class Check:
    def __init__(self, context, train, work, stop_at, max_runs):
        self.context, self.train, self.work, self.stop_at, self.max_runs = context, train, work, stop_at, max_runs
        self.runs, self.not_checked = 0, []
        self.tried, self.hints = [], []

    def report(self):
        self.whole = self._run("uninterrupted", stop_at=self.stop_at)
        self._demand()
        self.saved = self.whole["saves"][self.stop_at - 1]["steps"]
        self.rest = self.whole["steps"][self.saved :]
        stopped = self._run("stopped", stop_at=self.stop_at)
        self.like, self.checkpoint = self.files, stopped["saves"][self.stop_at - 1]["path"]
        control = parting(self.whole["steps"][: self.saved], stopped["steps"], 0)
        if control:
            return self._unrepeatable(control, "up to the checkpoint")
        resumed = self._run("resumed", resumed=True)
        first = parting(self.rest, resumed["steps"], self.saved)
        cold = self._run("cold", limit=len(self.rest), donor=self.whole["donor"], given=("weights", "buffers"))
        self.cold = parting(self.rest, cold["steps"], self.saved)
        self.restored = self._restored(resumed)
        if first is None:
            return self._made("same", None, None)
        again = parting(self.whole["steps"], self._run("uninterrupted", stop_at=self.stop_at)["steps"], 0)
        if again:
            return self._unrepeatable(again, "to the end")
        return self._made("different", first, self._lacks(resumed))

    def _run(self, kind, resumed=False, **plan):
        self.runs += 1
        like = (self.like, self.checkpoint) if resumed else ()
        place, self.files, checkpoint = folder_of(self.work, f"run-{self.runs}", *like)
        found = run(self.context, self.train, Plan(kind, str(self.files), checkpoint, **plan), place)
        if found["begin"] is None:
            raise ResumeCheckError(f"the {kind} run did not call session.begin(model, optimizer)")
        if resumed and found["steps"] and "batch" in self.rest[0]:
            self._without_skipped(found["steps"][0])
        return found

    def _without_skipped(self, step):
        """Batches that a resumed training passes over in front of its first step are none of that step's."""
        count = len(self.rest[0]["batch"]["batch"])
        step["batch"] = {"batch": step.get("batch", {"batch": []})["batch"][-count:]}

    def _demand(self):
        saves, steps = self.whole["saves"], self.whole["steps"]
        if len(saves) < self.stop_at:
            raise ResumeCheckError(
                f"the training called session.saved() {len(saves)} times: it cannot be stopped at checkpoint {self.stop_at}"
            )
        if not steps:
            raise ResumeCheckError(_no_steps(self.whole["made"]))
        if saves[self.stop_at - 1]["steps"] == len(steps):
            raise ResumeCheckError(f"no step follows checkpoint {self.stop_at}: choose an earlier one by stop_at, or train longer")
        for path in self.whole["absent"][:1]:
            self.not_checked.append(f"what a checkpoint holds: session.saved() was given {path}, where no file is")
        if not self.whole["batches"]:
            self.not_checked.append("which batches came: the training does not read them through session.batches(loader)")

    def _restored(self, resumed):
        """part -> whether the resumed run had at session.begin() what the uninterrupted one had at its checkpoint. Not of gradients: those of
        a finished step lie about until they are zeroed."""
        donor, begin = self.whole["donor"]["digests"], resumed["begin"]
        return {part: begin.get(part) == state for part, state in donor.items() if (state or begin.get(part)) and part != "gradients"}

    # The smallest addition.

    def _lacks(self, resumed):
        """(place, parts, whether none of them can be left out), or None where no addition makes it exact."""
        donor = self.whole["donor"]
        parts = [part for part in donor["parts"] if resumed["begin"].get(part) != donor["digests"].get(part)]
        parts += list(donor["random"])
        flags = [part for part in FLAGS if donor["facts"][part] != resumed["facts"][part]]
        for more in [[], flags] if flags else [[]]:  # flags first where nothing else does: they are given more seldom
            found = self._found(donor, parts + more)
            if found:
                return found
        self.tried = [*parts, *flags]
        self.hints = self._hints(resumed, donor)
        return None

    def _found(self, donor, parts):
        for place, more in self._ways(donor):
            found = live_search.eliminated(parts + more, lambda given, place=place: self._exact(place, given), self.max_runs)
            if found:
                return place, found.factors, found.minimal
        return None

    def _hints(self, resumed, donor):
        """What to do where no addition makes it exact: sentences."""
        made, left, whole = len(resumed["steps"]), len(self.rest), len(self.whole["steps"])
        said = []
        if made == whole and left != whole:
            said.append(f"the resumed run made all {whole} steps: let the training read session.checkpoint, and go on where that was saved")
        elif made != left:
            said.append(f"the resumed run made {made} steps, and {left} are left: save how many epochs and steps were made, and go on behind them")
        lost = [names for names in donor["facts"]["ties"] if names not in resumed["facts"]["ties"]]
        if lost:
            said.append(f"{' and '.join(lost[0])} are one tensor at the checkpoint, and not at session.begin(): tie them before the optimizer is built")
        unlike = [part for part in donor["random"] if donor["digests"].get(part) != resumed["begin"].get(part)]
        if self.whole["lightning"] and unlike:
            said.append(f"{', '.join(unlike)} came back otherwise: {LIGHTNING}")
        return [*said, OTHER_STATE]

    def _ways(self, donor):
        """Where generators can be given, and the parts that go with each: the simplest first."""
        yield "begin", []
        yield "first batch", []
        if donor["inside"]:
            yield "skipped", [EPOCH]
            yield "skipped", [EPOCH, POSITION]

    def _exact(self, place, given):
        try:
            found = self._run("resumed", resumed=True, donor=self.whole["donor"], given=tuple(given), place=place)
        except ResumeCheckError:  # what was given does not fit this training: it is not exact
            return False
        return parting(self.rest, found["steps"], self.saved) is None

    # What is said.

    def _made(self, verdict, first, lacks):
        donor, steps = self.whole["donor"], {"uninterrupted": len(self.whole["steps"]), "saved": self.saved}
        additions = None
        if lacks:
            place, parts, minimal = lacks
            if self.whole["lightning"] and any(part.startswith("rng.") or part == "gradients" for part in parts):
                self.hints = [LIGHTNING]
            additions = [{"part": part, "do": advice(part, place, donor), "proof": "proved"} for part in parts]
            if not minimal:
                self.not_checked.append("whether every one of the additions is needed: the search ended before")
        inside = donor["inside"] if self.whole["batches"] else None
        late = [part for part in ("weights", "moments") if not self.restored.get(part, True)] if verdict == "same" else []
        if late:
            self.hints = [f"{' and '.join(late)} came behind session.begin(): call it when everything is restored"]
        return ResumeReport(verdict, first, self.cold, self.restored, additions, steps, inside, self.runs, self.not_checked, self.tried, self.hints)

    def _unrepeatable(self, first, how_far):
        self.not_checked.append(f"whether it resumes: two uninterrupted runs differ {how_far}, so that no run can equal the other")
        steps = {"uninterrupted": len(self.whole["steps"]), "saved": self.saved}
        return ResumeReport("unknown", first, None, {}, None, steps, False, self.runs, self.not_checked)


def _no_steps(made):
    if made:
        return f"the optimizer made {made} steps, and the training never called session.step(): call it behind each of them"
    return "the optimizer that session.begin() was given made no step, and the training never called session.step(): is it the one that trains?"


def parting(whole, other, before):
    """The first step of two lists that differs: its number in the uninterrupted run, from 1 on, the parts that differ in the order in which
    a step computes them, and names of the first part. None where all are equal. Generators alone do not count: nothing may draw from them
    any more."""
    for index, (a, b) in enumerate(zip(whole, other)):
        order = [part for part in ORDER if part in a] + [part for part in a if part not in ORDER and not part.startswith("rng.")]
        parts = [part for part in order if a[part] != b.get(part)]
        if parts and bool(a["groups"]) != bool(b.get("groups")):
            parts = ["optimizer.step()", *[part for part in parts if part not in ("gradients", "groups")]]
            values = {"optimizer.step()": ["made" if each.get("groups") else "not made" for each in (a, b)]}
            return {"step": before + index + 1, "parts": parts, "names": [], "values": values, "generators": []}
        if parts:
            one, two = a[parts[0]], b.get(parts[0], {})
            names = [name for name in {**one, **two} if one.get(name) != two.get(name)]
            random = [part for part in a if part.startswith("rng.") and a[part] != b.get(part)]
            shown = {name: [one.get(name), two.get(name)] for name in names} if parts[0] == "groups" else {}
            return {"step": before + index + 1, "parts": parts, "names": names, "values": shown, "generators": random}
    if len(whole) != len(other):
        counts = {"count": [len(whole), len(other)]}
        return {"step": before + min(len(whole), len(other)) + 1, "parts": ["count"], "names": [], "values": counts, "generators": []}
    return None
