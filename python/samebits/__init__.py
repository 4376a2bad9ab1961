"""Load a model any way you like and get the same bits. When two loads differ, learn exactly why, with proof.

Needs numpy alone. torch is used where somebody imported it, and imported where a function's answer is a torch tensor.
"""

from ._checkpoint import Checkpoint, Tensor, open
from ._commands import Converted, Lock, Outputs, check, convert, diff, explain, inspect, lock, resume, run, verify
from ._errors import Error
from ._flat import flat
from ._identity import NotSame, assert_same, fingerprint
from ._native import version as __version__
from ._random import Generator, rand, randint, randn, randperm
from ._reports import Report
from .record import Record, compare_records, record, record_step
from .resume_check import ResumeCheckError, resume_check

_OF_LIVE = {"Live": "live", "explain_live": "live", "RecordComparison": "record"}


def __getattr__(name):
    """What only live models need, which takes longer to import than all the rest."""
    if name in _OF_LIVE:
        from importlib import import_module

        return getattr(import_module(f".{_OF_LIVE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Checkpoint",
    "Converted",
    "Error",
    "Generator",
    "Live",
    "Lock",
    "NotSame",
    "Outputs",
    "Record",
    "RecordComparison",
    "Report",
    "ResumeCheckError",
    "Tensor",
    "__version__",
    "assert_same",
    "check",
    "compare_records",
    "convert",
    "diff",
    "explain",
    "explain_live",
    "fingerprint",
    "flat",
    "inspect",
    "lock",
    "open",
    "rand",
    "randint",
    "randn",
    "randperm",
    "record",
    "record_step",
    "resume",
    "resume_check",
    "run",
    "verify",
]
