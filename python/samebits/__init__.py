"""Load a model any way you like and get the same bits. When two loads differ, learn exactly why, with proof.

Needs numpy alone. torch is used where somebody imported it, and imported where a function's answer is a torch tensor.
"""

from ._checkpoint import Checkpoint, Tensor, open
from ._commands import Converted, Lock, Outputs, check, convert, diff, explain, inspect, lock, resume, run, verify
from ._errors import Error
from ._identity import NotSame, assert_same, fingerprint
from ._native import version as __version__
from ._random import Generator, rand, randint, randn, randperm
from ._reports import Report

__all__ = [
    "Checkpoint",
    "Converted",
    "Error",
    "Generator",
    "Lock",
    "NotSame",
    "Outputs",
    "Report",
    "Tensor",
    "__version__",
    "assert_same",
    "check",
    "convert",
    "diff",
    "explain",
    "fingerprint",
    "inspect",
    "lock",
    "open",
    "rand",
    "randint",
    "randn",
    "randperm",
    "resume",
    "run",
    "verify",
]
