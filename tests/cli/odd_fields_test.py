"""Fields of configs and image processors that hold anything but what they should: each is an error that names it, never the
end of the program, another library's message, or a report without the tensors."""

import itertools
import json
import shutil
import struct
import subprocess
import zlib
from concurrent.futures import ThreadPoolExecutor

import fixtures
import pytest
import transcript

MODEL = fixtures.EXAMPLE / "hf"
NUMBERS = [-1, 0, 1.5, 8.0, 1e9, 65535, 10**9, 2**31, 2**63, 2**64, -(2**63), 1e300, float("nan"), float("-inf")]
OTHERS = [None, True, "", "gelu", "8", [], [8], [8, -8], [1e9, 1e9], [[[]]], {}, {"a": {"b": [1]}}]
ODD = [*NUMBERS, *OTHERS]
FOREIGN = ["json.exception", "type must be", "std::", "bad_alloc", "vector", "terminate", "internal error"]
SIDES = [{"height": value, "width": 8} for value in (0, -1, 65535, 1e9, "8", None)]
SIDES += [{"height": 65535, "width": 65535}, {"shortest_edge": 2**64}, {"longest_edge": 5}]


def call(*words):
    done = subprocess.run([transcript.PROGRAM, *words], capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode in (0, 1, 2), f"{words}: {done.returncode}\n{said[-2000:]}"
    assert not [word for word in FOREIGN if word in said], f"{words}\n{said[-2000:]}"
    return done


def report(*words):
    done = call(*words, "--json")
    return done.returncode, json.loads(done.stdout)


def at_once(check, variants):
    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(check, variants))) > 60


def directory(folder, name, **files):
    path = folder / name
    shutil.copytree(MODEL, path)
    for stem, content in files.items():
        (path / f"{stem}.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def some_of(fields, values, each):
    """Every field with `each` of the values, in turn, so that all of them have theirs."""
    turn = itertools.cycle(values)
    return [(field, next(turn)) for field in fields for _ in range(each)]


def test_a_config_of_odd_values_ends_in_an_error(tmp_path):
    config = json.loads((MODEL / "config.json").read_text())
    labels = {"num_labels": 2, "id2label": {"0": "a", "1": "b"}, "pooler_act": "tanh", "drop_path_rate": 0.0}

    def check(variant):
        number, (field, value) = variant
        path = directory(tmp_path, str(number), config={**config, **labels, field: value})
        status, made = report("explain", path, MODEL)
        assert made["subjects"][0]["tensors"] == made["subjects"][1]["tensors"] > 0
        assert status != 2 or made["not_checked"], (field, value)
        done = call("run", path)
        assert done.returncode == 0 or status != 0, (field, value, done.stderr)

    at_once(check, list(enumerate(some_of({**config, **labels}, ODD, 3))))


@pytest.mark.parametrize("command", ["inspect", "diff", "explain", "check"])
@pytest.mark.parametrize("field, value", [("mask_ratio", -1), ("model_type", 5), ("image_size", 1e9), ("hidden_act", [1])])
def test_every_report_names_the_field_and_shows_the_tensors(tmp_path, command, field, value):
    config = json.loads((MODEL / "config.json").read_text())
    path = directory(tmp_path, "odd", config={**config, field: value})
    more = {"diff": [MODEL], "explain": [MODEL], "check": ["--for", "transformers-5"]}.get(command, [])
    status, made = report(command, path, *more)
    named = [text for text in made["not_checked"] if text.startswith(f"{path}/config.json: the config's field {field} ")]
    assert status == 2 and len(named) == 1 and "expected" in named[0] and "found" in named[0]
    assert made["subjects"][0]["tensors"] > 0


@pytest.mark.parametrize("content", ["", "5", "[]", "{", '{"mask_ratio": 1e999}', '{"a": "\\ud800"}', "\0"])
def test_a_config_that_is_no_json_object_hides_no_tensors(tmp_path, content):
    path = directory(tmp_path, "odd", config=content, preprocessor_config=content)
    status, made = report("inspect", path)
    assert status == 2 and made["subjects"][0]["tensors"] > 0
    assert sum("/config.json: " in text or "/preprocessor_config.json: " in text for text in made["not_checked"]) == 2
    assert call("run", path, "--config", MODEL / "config.json").returncode == 0


def picture(path):
    rows = b"".join(b"\0" + bytes(x * 7 % 256 for x in range(3 * 40)) for _ in range(30))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    coded = [struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(coded))
    return path


def test_an_image_processor_of_odd_values_ends_in_an_error(tmp_path):
    image = picture(tmp_path / "p.png")
    square = {"height": 32, "width": 32}
    processor = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": square, "resample": 2}
    processor |= {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
    processor |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    processor |= {"do_center_crop": True, "crop_size": square, "do_pad": False}
    base = directory(tmp_path, "base", preprocessor_config=processor)
    assert call("run", base, "--images", image).returncode == 0

    def check(variant):
        number, (field, value) = variant
        path = directory(tmp_path, str(number), preprocessor_config={**processor, field: value})
        done = call("run", path, "--images", image)
        assert done.returncode in (0, 2)
        status, made = report("explain", base, path, "--images", image)
        assert status != 2 or made["not_checked"], (field, value)

    sizes = [(field, value) for field in ("size", "crop_size") for value in SIDES]
    at_once(check, list(enumerate(some_of(processor, ODD, 4) + sizes)))


@pytest.mark.parametrize("option", ["--seed", "--noise-seed", "--train"])
@pytest.mark.parametrize("value", ["-1", "18446744073709551616", "1e3", "0x10", "nan", "", " 1", "4 2"])
def test_a_seed_is_a_whole_number_of_64_bits(option, value):
    done = call("run", MODEL, f"{option}={value}" if value else option)
    assert done.returncode == 2 and option in done.stderr and not done.stdout


BAD_NUMBERS = {
    "--mask-ratio": ["nan", "inf", "-inf", "-1", "1.0001", "2", "0.5x", "1e999"],
    "--randn": ["0x3x32x32", "1x3x32", "1x3x32x32x1", "x", "1x3x-1x32", "1000000x3x32x32", f"{2**64}x3x32x32", "1x3x32x32x"],
    "--threads": ["0", "-1", "1e9", "1000000000", "1025", "many"],
    "--repeat": ["0", "-1", "1e9", "1000001", "x"],
    "--top": ["0", "-1", "x", "99999999999999999999"],
    "--pillow": ["11", "14", "x", "-12"],
}


@pytest.mark.parametrize("option, value", [(option, value) for option, values in BAD_NUMBERS.items() for value in values])
def test_a_number_outside_its_range_is_a_usage_error(option, value):
    done = call("run", MODEL, f"{option}={value}")
    assert done.returncode == 2 and option in done.stderr and not done.stdout


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "x", "1e999"])
def test_a_budget_is_a_number_of_seconds(value):
    done = call("explain", MODEL, MODEL, f"--budget={value}")
    assert done.returncode == 2 and "--budget" in done.stderr and not done.stdout


def test_seeds_are_decimal():
    seeds = [call("run", MODEL, "--seed", seed, "--json").stdout.split('"timing"')[0] for seed in ("10", "010", "8")]
    assert seeds[0] == seeds[1] != seeds[2]
