"""The result of resume_check() as a value, its JSON and its text."""

import dataclasses
import textwrap

from . import live_file
from .live_report import as_html
from .live_session import EPOCH, PLACES, POSITION

WIDTH = 80
STATES = {  # generator -> how its state is read
    "rng.torch": "torch.get_rng_state()",
    "rng.numpy": "numpy.random.get_state()",
    "rng.python": "random.getstate()",
    "rng.loader": "the states of the data loader's own generators",
}
SAVED = {
    "weights": "model.state_dict() in its own type, load it, and change no weight between that and the first step",
    "buffers": "every buffer, those that state_dict() leaves out, too, and reset none between their load and the first step",
    "moments": "optimizer.state_dict(), and load it into the optimizer that was built",
    "groups": "optimizer.state_dict(); build optimizer and schedule, then load both, in this order, and set no option anew behind that",
    "gradients": "the gradients that are accumulated, p.grad of every parameter",
}


FLAGS = {
    "requires_grad": "set requires_grad of the parameters before the first step as it was at the checkpoint",
    "mode": "put every module in the mode that it had at the checkpoint before the first step: model.train()",
}


def advice(part, place, donor):
    """What to save and when to restore it, as a sentence."""
    if part in FLAGS:
        return FLAGS[part]
    if part == EPOCH:
        return "save the generators' states as they are before iter(loader) of an epoch, and restore them before iter(loader)"
    if part == POSITION:
        return f"save how many batches of the epoch were used ({donor['count']}), and skip these"
    if part.startswith("rng."):
        where = "before iter(loader)" if part == "rng.loader" and place == "begin" else PLACES[place]
        state = STATES.get(part) or f"the state of the generator {part.removeprefix('rng.')}"
        return f"save {state}, and restore it {where}"
    return f"save {SAVED.get(part, f'{part}.state_dict(), and load it')}"


@dataclasses.dataclass
class ResumeReport:
    """`verdict`: "same": every step behind the checkpoint has the same bits as without a stop; "different"; "unknown": two uninterrupted runs
    differ. `first`: the first step that differs: step, parts (what differs, in the order in which a step computes it), names, values,
    generators. `cold`: the same of the run from the weights alone. `restored`: part -> whether it was at session.begin() what it had been at
    the checkpoint. `lacks`: the smallest addition that makes it exact, a list of part, do, proof; None where there is none or none is
    needed. `inside`: whether the checkpoint is inside an epoch, None where session.batches() was not used. `tried`: parts that were given
    where no addition makes it exact; `hints`: what to do, as sentences."""

    verdict: str
    first: dict | None
    cold: dict | None
    restored: dict
    lacks: list | None
    steps: dict
    inside: bool | None
    runs: int
    not_checked: list
    tried: list = dataclasses.field(default_factory=list)
    hints: list = dataclasses.field(default_factory=list)

    def to_json(self):
        """The fields as JSON text, schema samebits.resume_check/1."""
        return live_file.dumps({"schema": "samebits.resume_check/1", **dataclasses.asdict(self)})

    def __bool__(self):
        return self.verdict == "same"

    def __str__(self):
        return "\n".join(_lines(self))

    def _repr_html_(self):
        return as_html(self)


def _lines(report):
    rest = report.steps["uninterrupted"] - report.steps["saved"]
    if report.verdict == "same":
        yield from _wrapped("", f"same: the {rest} steps behind the checkpoint have the same bits as without a stop")
    elif report.verdict == "different":
        yield from _wrapped("", f"different: resumed, it parts from the uninterrupted run at step {report.first['step']}")
    else:
        yield from _wrapped("", f"unknown: two uninterrupted runs first differ at step {report.first['step']}")
    yield ""
    where = {True: ", inside an epoch", False: ", between two epochs", None: ""}[report.inside]
    yield from _wrapped(
        "steps",
        f"{report.steps['uninterrupted']}, the checkpoint behind step {report.steps['saved']}" + (where if report.restored else ""),
    )
    if report.first:
        yield from _wrapped("differs", described(report.first))
    if report.restored:
        yield from _of_restored(report)
    for addition in report.lacks or []:
        yield from _wrapped("lacks", f"{addition['part']}   {addition['proof']}")
        yield from _wrapped("do this", addition["do"])
    if report.verdict == "different":
        said = "with this from the uninterrupted run, and the rest from the checkpoint, every step has the same bits"
        if report.lacks and len(report.lacks) > 1:
            said = said.replace("this", "these") + "; without any one of them it has not"
        yield from _wrapped("", said if report.lacks else f"no addition makes it exact: tried were {', '.join(report.tried)}")
    for hint in report.hints:
        yield from _wrapped("do this", hint)
    for sentence in report.not_checked:
        yield from _wrapped("unchecked", sentence)


def _of_restored(report):
    yield from _wrapped("restored", ", ".join(part for part, equal in report.restored.items() if equal) or "nothing")
    unlike = [part for part, equal in report.restored.items() if not equal]
    if unlike:
        yield from _wrapped("not so", ", ".join(unlike) + (" at session.begin()" if report.hints and report.verdict == "same" else ""))
    cold = "does not part, either: these steps do not show whether anything else was restored"
    if report.verdict != "same":
        cold = "does not part from the uninterrupted run: what the checkpoint lacks, or its restoring changed, is not needed without it"
    if report.cold:
        cold = f"parts at step {report.cold['step']}: {described(report.cold)}"
    yield from _wrapped("cold", f"from the weights alone it {cold}")


def described(first):
    """What differs first in a step, as a phrase."""
    if first["parts"] == ["count"]:
        return "the uninterrupted run makes {} steps there, and the other {}".format(*first["values"]["count"])
    if first["parts"][0] == "optimizer.step()":
        one, other = first["values"]["optimizer.step()"]
        behind = f"; then {', '.join(first['parts'][1:])}" if len(first["parts"]) > 1 else ""
        return f"optimizer.step() is {one} in the uninterrupted run, and {other} in the other{behind}"
    values = [f"{name} {one} and {other}" for name, (one, other) in first["values"].items()]
    names = first["names"]
    named = ", ".join(values) or (names[0] if names and names != [first["parts"][0]] else "")
    more = f" and {len(names) - 1} more" if len(names) > 1 and not values else ""
    behind = f"; then {', '.join(first['parts'][1:])}" if len(first["parts"]) > 1 else ""
    return first["parts"][0] + (f" ({named}{more})" if named else "") + behind


def _wrapped(label, text):
    indent = "" if not label and text.split(":")[0] in ("same", "different", "unknown") else f"  {label:<10}"
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent), break_on_hyphens=False)
