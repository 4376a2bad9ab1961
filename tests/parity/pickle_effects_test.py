"""Harmless pickles that change a throwaway module when they are loaded, one for each way there is: every one is named."""

import json
import struct
import subprocess
import sys

import pytest

MODULE = '''
log, items, names = [], {}, set()


def note(*given):
    log.append(given)
    return given


class Holder:
    mark = None

    def method(self):
        log.append("method")


holder = Holder()
'''
# Loads each file into a fresh module, and prints what was changed.
LOADER = '''
import importlib, json, pathlib, pickle, sys

def state(m):
    return repr((m.log, m.items, m.names, m.Holder.mark, vars(m.holder), getattr(m, "mark", None)))

found = {}
for path in sys.argv[1:]:
    for name in ("throwaway", "acts_on_import"):
        sys.modules.pop(name, None)
    module = importlib.import_module("throwaway")
    before = state(module)
    try:
        with open(path, "rb") as file:
            pickle.load(file)
    except Exception as error:  # some functions do not take what they have called
        print(type(error).__name__, error, file=sys.stderr)
    found[pathlib.Path(path).name] = state(module) != before
print(json.dumps(found))
'''


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def name(module, function):
    return f"c{module}\n{function}\n".encode()


def of(attribute):
    return name("throwaway", attribute)


def attributes(key, value):
    return b"}" + text(key) + value + b"s"


def call(function, *arguments):
    return function + b"(" + b"".join(arguments) + b"tR"


def made(module, function):
    return name(module, function) + b")\x81"


X = text("x")
BAG = made("argparse", "Namespace")
MAP = name("builtins", "map") + b"(" + of("note") + b"](" + X + b"et\x81"
STAND_INS = {
    "setitem": of("items") + X + X + b"s",
    "setitems": of("items") + b"(" + X + X + b"u",
    "append": of("log") + X + b"a",
    "appends": of("log") + b"(" + X + b"e",
    "additems": of("names") + b"(" + X + b"\x90",
    "build-object": of("holder") + attributes("mark", X) + b"b",
    "build-class": of("Holder") + b"N" + attributes("mark", X) + b"\x86b",
    "through-the-memo": of("log") + b"\x940h\x00" + X + b"a",
    "reduce": call(of("note"), X),
    "inst": b"(" + X + b"ithrowaway\nnote\n",
    "obj": b"(" + of("note") + X + b"o",
    "result-of-getattr": call(call(name("builtins", "getattr"), of("log"), text("append")), X),
    "dotted-name": text("throwaway") + text("holder.method") + b"\x93)R",
    "extension": call(name("copyreg", "add_extension"), text("throwaway"), text("note"), b"K\x07") + b"0\x82\x07)R",
    "new-map": name("builtins", "bytes") + MAP + b"\x85\x81",
    "list-of-map": call(name("builtins", "list"), MAP),
    "setstate-of-the-object": BAG + attributes("__setstate__", of("note")) + b"b" + X + b"b",
    "append-of-the-object": BAG + attributes("append", of("note")) + b"b" + X + b"a",
    "add-of-the-object": BAG + attributes("add", of("note")) + b"b(" + X + b"\x90",
    "user-dict": made("collections", "UserDict") + attributes("data", of("items")) + b"b" + X + X + b"s",
    "detach-of-the-object": call(
        name("torch._utils", "_rebuild_parameter"), BAG + attributes("detach", of("note")) + b"b", b"\x89", b"N"),
    "rebuild-from-type": call(name("torch._tensor", "_rebuild_from_type"), of("note"), name("torch", "Tensor"), b"(" + X + b"t", b"}"),
    "rebuild-from-type-2": call(
        name("torch._tensor", "_rebuild_from_type_v2"), of("note"), name("torch", "Tensor"), b"(" + X + b"t", b"}"),
    "generator": call(name("numpy.random._pickle", "__generator_ctor"), X, of("note")),
    "random-state": call(name("numpy.random._pickle", "__randomstate_ctor"), X, of("note")),
    "append-to-what-is-returned": call(name("torch.jit._pickle", "restore_type_tag"), of("log"), X) + X + b"a",
    "reconstructor": call(name("copyreg", "_reconstructor"), name("builtins", "list"), name("builtins", "list"), MAP),
    "import": name("acts_on_import", "nothing"),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stand-ins")
    for key, value in STAND_INS.items():
        (folder / key).write_bytes(b"\x80\x04" + value + b".")
    return folder


def test_each_changes_something_when_loaded(files, tmp_path):
    (tmp_path / "throwaway.py").write_text(MODULE)
    (tmp_path / "acts_on_import.py").write_text("import throwaway\nthrowaway.log.append(1)\nnothing = None\n")
    (tmp_path / "loader.py").write_text(LOADER)
    words = [sys.executable, "loader.py", *(str(files / key) for key in STAND_INS)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert [key for key, changed in json.loads(done.stdout).items() if not changed] == [], done.stderr


@pytest.mark.parametrize("key", STAND_INS)
def test_each_is_named(run, files, key):
    found = run("inspect", files / key)
    (finding,) = [f for f in found.findings("file.calls") if f["role"] == "risk"] or found.findings("file.calls")
    assert finding["role"] == ("note" if key == "import" else "risk")
    assert found["verdict"] in ({"clean"} if key == "import" else {"risk", "unknown"})
    assert finding["evidence"]["calls"] or key == "import"


def test_a_pickle_beside_the_weights_is_named(run, tmp_path):
    import numpy
    import safetensors.numpy

    for side in "ab":
        (tmp_path / side).mkdir()
        safetensors.numpy.save_file({"w": numpy.ones(3, "f4")}, tmp_path / side / "model.safetensors")
    (tmp_path / "b" / "training_args.bin").write_bytes(b"\x80\x04" + STAND_INS["append"] + b".")
    found = run("diff", tmp_path / "a", tmp_path / "b")
    (finding,) = found.findings("file.calls")
    assert found["verdict"] == "same" and found.status == 1
    assert "training_args.bin" in finding["summary"] and "throwaway.log.append" in finding["summary"]
    assert finding["subjects"] == ["B"]
