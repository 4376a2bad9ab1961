"""The search for a smallest set of factors: which of the things in which two runs differ has to be exchanged until they agree.

Delta debugging (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, 2002) over groups of factors first, then
over the factors of the groups that are left. It knows nothing of models: `agrees` makes a run.
"""

import dataclasses
import time


@dataclasses.dataclass
class Smallest:
    """`factors`: exchanging them makes the runs agree. `minimal`: without any one of them they do not, shown by runs; false where the
    budget ended before that was shown. `runs`: how many were made."""

    factors: list
    minimal: bool
    runs: int


class _BudgetSpent(Exception):
    pass


class _Trials:
    """Counts runs, remembers answers, and ends the search when the budget is spent, or `until` is past."""

    def __init__(self, agrees, budget, until=None):
        self._agrees, self._left, self._known = agrees, budget, {}
        self._until = until
        self.runs = 0

    def __call__(self, factors):
        key = frozenset(map(id, factors))
        if key not in self._known:
            late = self.runs and self._until is not None and time.monotonic() > self._until
            if self._left == 0 or late:
                raise _BudgetSpent
            self._left -= 1
            self.runs += 1
            self._known[key] = self._agrees(factors)
        return self._known[key]


def smallest(groups, agrees, budget, until=None):
    """A smallest set out of `groups`, a list of lists of factors; None where exchanging all of them does not make the runs agree.

    agrees(factors) -> bool makes a run with these exchanged. Smallest means that no single factor can be left out, not that no other
    set has fewer. `until`: of time.monotonic(), from when on no smaller set is looked for.
    """
    trials = _Trials(agrees, budget, until)
    kept = [list(group) for group in groups if group]
    if not kept or not trials(_flat(kept)):
        return None
    try:
        kept = _reduced(kept, lambda some: trials(_flat(some)))
        for index in range(len(kept)):
            others = kept[:index] + kept[index + 1 :]
            kept[index] = _reduced(kept[index], lambda some, others=others: trials(_flat([*others, some])))
        return Smallest(_single(_flat(kept), trials), True, trials.runs)
    except _BudgetSpent:
        return Smallest(_flat(kept), False, trials.runs)


def eliminated(factors, agrees, budget):
    """The same for a handful of factors, by leaving out one after the other: fewer runs where most of them are needed."""
    trials = _Trials(agrees, budget)
    kept = list(factors)
    if not kept or not trials(kept):
        return None
    try:
        return Smallest(_single(kept, trials), True, trials.runs)
    except _BudgetSpent:
        return Smallest(kept, False, trials.runs)


def _flat(groups):
    return [factor for group in groups for factor in group]


def _single(factors, trials):
    """Leaves out one factor after the other for as long as the runs still agree."""
    shorter = True
    while shorter:
        shorter = False
        for factor in list(factors):
            rest = [other for other in factors if other is not factor]
            if rest and trials(rest):
                factors, shorter = rest, True
    return factors


def _reduced(items, agrees):
    """Delta debugging: a part of `items` with which the runs agree, and with no half, quarter, ... of which left out they do."""
    pieces = 2
    while len(items) > 1:
        size = -(-len(items) // pieces)
        parts = [items[start : start + size] for start in range(0, len(items), size)]
        rests = [[item for part in parts if part is not left for item in part] for left in parts]
        found = next((some for some in parts if agrees(some)), None)
        if found is not None:
            items, pieces = found, 2
            continue
        found = next((rest for rest in rests if rest and agrees(rest)), None) if len(parts) > 2 else None
        if found is not None:
            items, pieces = found, max(pieces - 1, 2)
        elif size == 1:
            break
        else:
            pieces = min(len(items), 2 * pieces)
    return items
