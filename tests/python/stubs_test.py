"""The stubs of the native module name what it has."""

import ast
import pathlib
import re

import samebits
from samebits import _native

STUBS = ast.parse((pathlib.Path(samebits.__file__).parent / "_native.pyi").read_text())


def names(body):
    declared = set()
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            declared.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            declared.add(node.target.id)
    return {name for name in declared if not name.startswith("__")}


def public(thing):
    return {name for name in dir(thing) if not name.startswith("__")}


def test_every_name_is_in_the_stubs_and_nothing_else():
    assert names(STUBS.body) == public(_native)
    for node in STUBS.body:
        if isinstance(node, ast.ClassDef):
            assert names(node.body) == public(getattr(_native, node.name)), node.name


def test_functions_have_the_arguments_of_the_stubs():
    for node in STUBS.body:
        if isinstance(node, ast.FunctionDef):
            signature = re.sub(r"\[[^\[\]]*\]", "", getattr(_native, node.name).__nb_signature__[0][0])
            assert [argument.arg for argument in node.args.args] == re.findall(r"(\w+): ", signature), signature
