"""Pictures that are cheap to store and dear to read: refused by name, at once and in little memory."""

import json
import struct
import time
import zlib

import conftest  # noqa: F401
import pytest
import transformers
from image_test import ask, picture, raw_png

SECONDS = 60  # generous: a refusal takes less than one


def deflated_zeros(size):
    compress = zlib.compressobj(9)
    return b"".join([compress.compress(bytes(size)), compress.flush()])


def png(width, height, interlace=0, rows=b"", texts=()):
    """One bit a pixel; `rows` deflated."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, interlace)
    extra = b"".join(chunk(name, data) for name, data in texts)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def scan(coefficient, approximation, bits):
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    return segment(0xDA, bytes([1, 1, 0, coefficient, coefficient, approximation])) + data


def many_scans(side, planes):
    """A gray progressive JPEG without content, whose coefficients come one at a time, bit plane by bit plane."""
    blocks = (side // 8) ** 2
    out = [b"\xff\xd8", segment(0xDB, bytes([0] + [1] * 64)), segment(0xC2, struct.pack(">BHHBBBB", 8, side, side, 1, 1, 0x11, 0))]
    for table, symbol in ((0x00, 0x00), (0x10, 0xE0)):  # one code of one bit: no difference; 2^14 blocks and more end
        out.append(segment(0xC4, bytes([table, 1] + [0] * 15 + [symbol])))
    out.append(scan(0, 0, "0" * blocks))
    run = ""
    while blocks:
        part = blocks if blocks < 32768 else min(32767, blocks - 16384)
        run += "0" + f"{part - 16384:014b}"
        blocks -= part
    for coefficient in range(1, 64):
        for plane in range(planes, -1, -1):
            out.append(scan(coefficient, (plane + 1 if plane < planes else 0) << 4 | plane, run))
    return b"".join(out) + b"\xff\xd9"


XMP = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b" " * (2 << 20) + b'tiff:Orientation="6"')
DEAR = {
    "rows": (png(8, 20_000_000, 1, deflated_zeros(45_000_000)), "of a side at most"),
    "pixels": (png(12000, 12000, 0, deflated_zeros(1501 * 12000)), "pixels in a file of"),
    "scans": (many_scans(4000, 3), "scans of so many pixels"),
    "text": (png(8, 8, 0, zlib.compress(bytes(16)), [(b"iTXt", XMP)]), "texts"),
    "texts": (png(8, 8, 0, zlib.compress(bytes(16)), [(b"tEXt", b"k\0text")] * 70), "texts"),
}


@pytest.mark.parametrize("name", DEAR)
def test_a_picture_that_is_dear_to_read_is_refused_by_name(tmp_path, name):
    data, message = DEAR[name]
    (tmp_path / name).write_bytes(data)
    began = time.monotonic()
    (answer,) = ask([(tmp_path / name, "-", tmp_path / "out")])
    assert answer.startswith("error") and message in answer
    assert time.monotonic() - began < SECONDS


def test_as_many_scans_as_pictures_have_are_read(tmp_path):
    (tmp_path / "x").write_bytes(many_scans(1024, 3))  # 252 of a megapixel
    assert ask([(tmp_path / "x", "-", tmp_path / "out")]) == ["1024 1024"]


@pytest.mark.parametrize("change, pillow, message", [
    ({"size": {"height": 8, "width": 4096}}, 12, "too long to be resized"),  # 4 columns become 4096 before rows shrink
    ({"size": {"height": 60000, "width": 60000}}, 13, "from 1 to 4096"),
    ({"size": {"shortest_edge": 1000}}, 13, "prepared at this size"),  # the other edge follows the picture
    ({"do_resize": False, "crop_size": {"height": 60000, "width": 60000}}, 13, "from 1 to 4096"),
])
def test_a_size_that_is_dear_to_make_is_refused_by_name(tmp_path, change, pillow, message):
    config = json.loads(transformers.BitImageProcessorPil().to_json_string()) | change
    (tmp_path / "config").write_text(json.dumps(config))
    (tmp_path / "x").write_bytes(raw_png(1, 0, 100_000, 4, [b"\0"] * 100_000))
    (answer,) = ask([(tmp_path / "x", tmp_path / "config", tmp_path / "out", pillow)])
    assert answer.startswith("error") and message in answer


def test_a_long_picture_is_still_resized(tmp_path):
    config = json.loads(transformers.BitImageProcessorPil().to_json_string()) | {"size": {"shortest_edge": 4}, "do_center_crop": False}
    (tmp_path / "config").write_text(json.dumps(config))
    picture(4, 2000).save(tmp_path / "x.png")
    assert ask([(tmp_path / "x.png", tmp_path / "config", tmp_path / "out")]) == ["4 2000"]
