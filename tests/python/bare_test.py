"""The wheel in an environment that has numpy and nothing else."""

import json
import subprocess
import zipfile

import pytest

SYSTEM = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libpthread.so.0", "libdl.so.2"}


@pytest.fixture(scope="session")
def installed(bare, wheel, tmp_path_factory):
    """The folder of an environment with the wheel, and numpy behind it."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([bare, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [bare, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", python]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", wheel], check=True)
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    behind, own = (subprocess.run([p, "-c", asked], check=True, capture_output=True, text=True).stdout.strip() for p in (bare, python))
    with open(f"{own}/behind.pth", "w") as file:
        file.write(behind + "\n")
    return folder


def run(installed, script, *arguments):
    """What a script prints as JSON, in the folder of the environment."""
    words = [installed / "bin" / "python", "-I", "-c", script, *map(str, arguments)]
    done = subprocess.run(words, cwd=installed, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_library_is_in_the_wheel(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.endswith(".so") or name.endswith("scripts/samebits")]
        assert len(names) == 2
        for name in names:
            listing = subprocess.run(["readelf", "-d", archive.extract(name, tmp_path)], capture_output=True, text=True, check=True)
            needed = {line.split("[")[1].rstrip("]") for line in listing.stdout.splitlines() if "(NEEDED)" in line}
            assert needed <= SYSTEM, name


def test_the_tag_is_of_manylinux_and_no_older_python(wheel):
    assert "-manylinux_2_" in wheel.name
    assert "-cp311-cp311-" in wheel.name or "-cp312-abi3-" in wheel.name or "-cp3" in wheel.name


def test_import_takes_numpy_and_nothing_else(installed):
    script = """
import json, sys, numpy
before = set(sys.modules)
import samebits
print(json.dumps(sorted({name.split(".")[0] for name in set(sys.modules) - before})))
"""
    outside = {"torch", "transformers", "ml_dtypes", "lightning", "pytorch_lightning", "dataclasses", "inspect", "asyncio"}
    assert "samebits" in run(installed, script)
    assert not outside & set(run(installed, script))


def test_files_and_arrays_are_compared(installed, example):
    script = """
import json, sys, numpy, samebits
hf, whole, statedict = sys.argv[1:]
x = {"w": numpy.arange(6, dtype=numpy.float32)}
y = {"w": x["w"].copy()}
y["w"][3] = 7
verdicts = [samebits.diff(hf, whole).verdict, samebits.diff(statedict, dict(samebits.open(statedict))).verdict, samebits.diff(x, y).verdict]
tensor = samebits.open(hf).tensor("vit.layernorm.weight")
equal = bool((numpy.from_dlpack(tensor) == tensor.numpy()).all())
print(json.dumps([*verdicts, equal, "torch" in sys.modules]))
"""
    answer = run(installed, script, example / "hf", example / "whole.pth", example / "statedict.pth")
    assert answer == ["same", "same", "different", True, False]


def test_narrow_types_need_no_further_package(installed, tmp_path):
    header = json.dumps({"x": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"\x80\x3f\x00\x40")
    script = """
import json, sys, samebits
checkpoint = samebits.open(sys.argv[1])
try:
    checkpoint["x"]
    refused = None
except samebits.Error as error:
    refused = [error.code, error.remedy]
print(json.dumps([checkpoint.tensor("x").bits().tolist(), refused]))
"""
    bits, refused = run(installed, script, path)
    assert bits == [0x3F80, 0x4000]
    assert refused == ["unsupported", "Install ml_dtypes, or take tensor.bits() or tensor.torch()"]


def test_the_program_is_in_the_wheel(installed, program, example):
    words = ["diff", example / "hf", example / "whole.pth", "--json"]
    ours = subprocess.run([installed / "bin" / "samebits", *words], capture_output=True)
    module = subprocess.run([installed / "bin" / "python", "-m", "samebits", *words], capture_output=True)
    built = subprocess.run([program, *words], capture_output=True)
    assert ours.returncode == module.returncode == built.returncode
    assert ours.stdout == module.stdout == built.stdout != b""
