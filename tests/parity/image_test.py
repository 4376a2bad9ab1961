"""Pictures against Pillow and the processors of transformers on Pillow: equal bytes."""

import io
import json
import os
import pathlib
import random
import shutil
import subprocess

import conftest
import numpy
import PIL.Image
import PIL.ImageOps
import pytest
import transformers
from run_test import EXAMPLE, report, run

VALUES = pathlib.Path(os.environ.get("SAMEBITS_IMAGE_VALUES", conftest.PROGRAM.parent / "image_values"))


def ask(lines):
    text = "".join(" ".join(map(str, line)) + "\n" for line in lines)
    done = subprocess.run([str(VALUES)], input=text, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def opened(path):
    """As transformers' load_image()."""
    return numpy.array(PIL.ImageOps.exif_transpose(PIL.Image.open(path)).convert("RGB"))


def picture(height, width, mode="RGB", seed=0):
    """Smooth areas, edges and noise."""
    generator = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    base = numpy.stack([127 + 120 * numpy.sin(x / 7 + c) * numpy.cos(y / (5 + c)) for c in range(4)], -1)
    base[: height // 3, : width // 2] = generator.integers(0, 256, 4)
    base += generator.normal(0, 8, base.shape) * (x[..., None] > width * 2 / 3)
    image = PIL.Image.fromarray(numpy.clip(base, 0, 255).astype("u1"), "RGBA")
    return image.convert("RGB").convert(mode) if mode not in ("RGBA", "LA") else image.convert(mode)


def exif(orientation):
    data = PIL.Image.Exif()
    data[0x0112] = orientation
    return data


def pictures(folder):
    """(name, saved how)."""
    saved = []

    def save(name, image, **how):
        image.save(folder / name, **how)
        saved.append(folder / name)

    for size in ((1, 1), (7, 5), (64, 48), (33, 101)):
        tag = "x".join(map(str, size))
        for sampling in (0, 1, 2):
            for progressive in (False, True):
                save(f"{tag}-{sampling}-{progressive}.jpg", picture(*size), quality=80, subsampling=sampling, progressive=progressive)
        save(f"{tag}-gray.jpg", picture(*size, "L"), quality=90)
        for mode in ("RGB", "RGBA", "L", "LA", "P", "1"):
            save(f"{tag}-{mode}.png", picture(*size, mode))
    save("rgb.jpg", picture(40, 30), quality=95, keep_rgb=True)
    save("optimized.jpg", picture(40, 30), quality=30, optimize=True)
    for colors in (2, 4, 16, 200):
        save(f"palette{colors}.png", picture(20, 30).quantize(colors), bits={2: 1, 4: 2, 16: 4, 200: 8}[colors])
    save("transparent.png", picture(20, 30, "P"), transparency=3)
    save("transparent-rgb.png", picture(20, 30), transparency=(1, 2, 3))
    for orientation in range(1, 9):
        save(f"turned{orientation}.jpg", picture(20, 31), exif=exif(orientation), quality=90)
        save(f"turned{orientation}.png", picture(20, 31), exif=exif(orientation))
    xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    save("xmp.jpg", picture(20, 31), xmp=xmp)
    return saved


def test_pixels_are_pillows(tmp_path):
    saved = pictures(tmp_path)
    assert len(saved) > 70
    answers = ask([(path, "-", f"{path}.raw") for path in saved])
    for path, answer in zip(saved, answers, strict=True):
        wanted = opened(path)
        assert answer == f"{wanted.shape[0]} {wanted.shape[1]}", path
        assert pathlib.Path(f"{path}.raw").read_bytes() == wanted.tobytes(), path


def raw_png(bits, kind, height, width, rows, interlace=0):
    import struct
    import zlib

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    body = b"".join(b"\0" + row for row in rows)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlace))
            + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b""))


def test_depths_that_pillow_does_not_write(tmp_path):
    generator = numpy.random.default_rng(1)
    files = {}
    for bits in (1, 2, 4):
        files[f"gray{bits}"] = raw_png(bits, 0, 9, 16, [generator.bytes(16 * bits // 8) for _ in range(9)])
    for kind, channels in ((2, 3), (6, 4), (4, 2)):
        files[f"wide{kind}"] = raw_png(16, kind, 5, 7, [generator.bytes(14 * channels) for _ in range(5)])
    lines = []
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        lines.append((tmp_path / name, "-", tmp_path / f"{name}.raw"))
    for (path, _, out), answer in zip(lines, ask(lines), strict=True):
        assert not answer.startswith("error"), answer
        assert out.read_bytes() == opened(path).tobytes(), path.name


PROCESSORS = {"ViT": "ViTImageProcessorPil", "DeiT": "DeiTImageProcessorPil", "Bit": "BitImageProcessorPil"}


def configs(count):
    chance = random.Random(5)
    for n in range(count):
        kind = chance.choice(list(PROCESSORS))
        side = lambda: chance.randint(4, 90)  # noqa: E731
        size = {"height": side(), "width": side()}
        if kind == "Bit" and chance.random() < 0.6:
            size = {"shortest_edge": side()}
        config = {
            "do_resize": chance.random() < 0.9, "size": size, "resample": chance.choice([0, 1, 2, 3, 4, 5]),
            "do_rescale": True, "rescale_factor": chance.choice([1 / 255, 1 / 127.5]), "do_normalize": chance.random() < 0.9,
            "image_mean": [chance.random() for _ in range(3)], "image_std": [chance.random() + 0.1 for _ in range(3)],
        }
        if kind != "ViT":
            config |= {"do_center_crop": chance.random() < 0.8, "crop_size": {"height": side(), "width": side()}}
        yield kind, config, (chance.randint(4, 120), chance.randint(4, 120)), n


def test_values_are_those_of_the_processors_on_pillow(tmp_path):
    lines, wanted = [], []
    for kind, config, size, n in configs(300):
        processor = getattr(transformers, PROCESSORS[kind])(**config)
        path = tmp_path / f"{n}.png"
        picture(*size, seed=n).save(path)
        written = json.loads(processor.to_json_string())
        (tmp_path / f"{n}.json").write_text(json.dumps(written))
        wanted.append((processor, path, written))
        lines.append((path, tmp_path / f"{n}.json", tmp_path / f"{n}.raw"))
    for (processor, path, written), (_, _, out), answer in zip(wanted, lines, ask(lines), strict=True):
        values = processor(PIL.Image.open(path), return_tensors="np")["pixel_values"][0]
        assert values.dtype == numpy.float32
        assert answer == f"{values.shape[1]} {values.shape[2]}", (written, answer)
        assert out.read_bytes() == numpy.ascontiguousarray(values).tobytes(), written


def test_values_of_transformers_4_are_the_same(tmp_path):
    """The slow classes of 4.57.6 on Pillow 12, in their own interpreter."""
    lines = []
    jobs = []
    for kind, config, size, n in configs(120):
        path = tmp_path / f"{n}.png"
        picture(*size, seed=n).save(path)
        (tmp_path / f"{n}.json").write_text(json.dumps(config | {"image_processor_type": f"{kind}ImageProcessor"}))
        lines.append((path, tmp_path / f"{n}.json", tmp_path / f"{n}.raw", 12))
        jobs.append([f"{kind}ImageProcessor", config, str(path), str(tmp_path / f"{n}.wanted")])
    script = (
        "import json, sys, numpy, PIL.Image, transformers\n"
        "assert PIL.__version__.startswith('12.')\n"
        "for name, config, path, out in json.load(sys.stdin):\n"
        "    values = getattr(transformers, name)(**config)(PIL.Image.open(path), return_tensors='np')['pixel_values'][0]\n"
        "    open(out, 'wb').write(numpy.ascontiguousarray(values).tobytes())\n"
    )
    subprocess.run([os.environ["SAMEBITS_PYTHON_T4"], "-c", script], input=json.dumps(jobs), text=True, check=True, timeout=300)
    for (path, _, out, _), answer in zip(lines, ask(lines), strict=True):
        assert not answer.startswith("error"), answer
        assert out.read_bytes() == pathlib.Path(str(out).replace(".raw", ".wanted")).read_bytes(), path


def test_a_picture_that_pillow_12_and_13_resize_otherwise_is_named(tmp_path):
    picture(200, 40).save(tmp_path / "tall.png")
    (tmp_path / "processor.json").write_text(transformers.ViTImageProcessorPil(size={"height": 32, "width": 32}).to_json_string())
    given = ["--images", tmp_path / "tall.png", "--processor", tmp_path / "processor.json"]
    new, old = report(EXAMPLE / "hf", *given), report(EXAMPLE / "hf", *given, "--pillow", 12)
    assert any("Pillow 12 resizes in another order" in text for text in new["assumed"])
    assert any("Pillow 13 resizes in another order" in text for text in old["assumed"])
    assert new["outputs"] != old["outputs"]


def saved_bytes(image, kind, **how):
    buffer = io.BytesIO()
    image.save(buffer, kind, **how)
    return buffer.getvalue()


def test_damaged_pictures_are_errors(tmp_path):
    whole = {"jpg": saved_bytes(picture(60, 60), "JPEG"), "progressive": saved_bytes(picture(60, 60), "JPEG", progressive=True),
             "png": saved_bytes(picture(60, 60), "PNG")}
    lines = []
    for name, data in whole.items():
        for part in (0.05, 0.3, 0.6, 0.9):
            path = tmp_path / f"{name}{part}"
            path.write_bytes(data[: int(len(data) * part)])
            lines.append((path, "-", tmp_path / "out"))
    flipped = bytearray(whole["png"])
    flipped[len(flipped) // 2] ^= 1
    (tmp_path / "flipped").write_bytes(flipped)
    answers = ask([*lines, (tmp_path / "flipped", "-", tmp_path / "out")])
    assert all(answer.startswith("error") for answer in answers)


@pytest.mark.parametrize("write, message", [
    (lambda path: picture(8, 8).convert("CMYK").save(path, "JPEG"), "4 channels"),
    (lambda path: PIL.Image.fromarray(numpy.arange(64, dtype="u2").reshape(8, 8) * 1000).save(path, "PNG"), "gray of 16 bits"),
    (lambda path: picture(8, 8).save(path, "BMP"), "JPEG or PNG"), (lambda path: path.write_bytes(b""), "empty"),
    (lambda path: path.write_bytes(raw_png(8, 2, 1 << 20, 1 << 20, [])), "too large"),
])
def test_what_is_not_covered_is_refused_by_name(tmp_path, write, message):
    write(tmp_path / "x")
    (answer,) = ask([(tmp_path / "x", "-", tmp_path / "out")])
    assert answer.startswith("error") and message in answer


@pytest.mark.parametrize("change, message", [
    ({"image_processor_type": "CLIPImageProcessor"}, "image_processor_type"), ({"size": {"longest_edge": 9}}, "size"),
    ({"resample": 9}, "resample"), ({"do_pad": True}, "do_pad"), ({"image_mean": None}, "image_mean"),
    ({"image_std": [1, 2]}, "image_std"), ({"do_resize": "yes"}, "do_resize"), ({"size": {"height": 0, "width": 4}}, "size"),
])
def test_a_processor_that_is_not_covered_is_refused_by_name(tmp_path, change, message):
    config = json.loads(transformers.ViTImageProcessorPil().to_json_string()) | change
    (tmp_path / "config").write_text(json.dumps(config))
    picture(8, 8).save(tmp_path / "x.png")
    (answer,) = ask([(tmp_path / "x.png", tmp_path / "config", tmp_path / "out")])
    assert answer.startswith("error") and message in answer


def test_run_takes_pictures(tmp_path):
    paths = [tmp_path / "a.jpg", tmp_path / "b.png"]
    for n, path in enumerate(paths):
        picture(50, 70, seed=n).save(path)
    processor = transformers.ViTImageProcessorPil(size={"height": 32, "width": 32})
    (tmp_path / "processor.json").write_text(processor.to_json_string())
    given = ["--noise-seed", 3]
    found = report(EXAMPLE / "hf", "--images", *paths, "--processor", tmp_path / "processor.json", *given)
    import safetensors.numpy

    values = processor([PIL.Image.open(path) for path in paths], return_tensors="np")["pixel_values"]
    safetensors.numpy.save_file({"pixel_values": numpy.ascontiguousarray(values)}, tmp_path / "input")
    wanted = report(EXAMPLE / "hf", "--input", tmp_path / "input", *given)
    assert found["outputs"] == wanted["outputs"]
    assert any("Pillow" in text for text in found["assumed"])
    shutil.copytree(EXAMPLE / "hf", tmp_path / "bare")
    (tmp_path / "bare" / "preprocessor_config.json").unlink(missing_ok=True)
    assert "image processor" in run(tmp_path / "bare", "--images", paths[0], status=2).stderr


