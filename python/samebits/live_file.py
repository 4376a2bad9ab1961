"""The file of a recording: safetensors, with everything but kept values in its metadata. Written whole or not at all.

The metadata key `samebits.record` holds one JSON object, schema `samebits.record/1` (docs/record.md). Where values were kept, the key
`samebits.trace` lists them in call order, so that `samebits diff` compares two files point by point. Needs numpy only.
"""

import contextlib
import json
import math
import os
import pathlib
import tempfile

import numpy

ALIGNMENT = 64  # of the first byte behind the header
MAX_HEADER = 1 << 30  # bytes: a million calls take some hundreds of megabytes
# safetensors' name, torch's name, numpy's type for the bytes; bfloat16 and float8 have none in numpy
TYPES = [
    ("F64", "float64", "<f8"),
    ("F32", "float32", "<f4"),
    ("F16", "float16", "<f2"),
    ("BF16", "bfloat16", None),
    ("I64", "int64", "<i8"),
    ("I32", "int32", "<i4"),
    ("I16", "int16", "<i2"),
    ("I8", "int8", "<i1"),
    ("U64", "uint64", "<u8"),
    ("U32", "uint32", "<u4"),
    ("U16", "uint16", "<u2"),
    ("U8", "uint8", "<u1"),
    ("BOOL", "bool", "|b1"),
    ("F8_E4M3", "float8_e4m3fn", None),
    ("F8_E5M2", "float8_e5m2", None),
    ("C64", "complex64", "<c8"),
]
WIDTH = {"BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}


class RecordError(ValueError):
    """A file that is no recording, or is damaged: says which file, what was expected and what was found."""


class Stored:
    """A kept tensor: `dtype` in torch's spelling, `shape`, `data`: its row-major bytes as numpy's uint8."""

    def __init__(self, dtype, shape, data):
        self.dtype, self.shape, self.data = dtype, tuple(shape), data

    def numpy(self):
        """The values as a numpy array; bfloat16 widened to float32, without loss. TypeError of float8, which numpy does not have."""
        if self.dtype == "bfloat16":
            bits = self.data.view("<u2").astype("<u4") << 16
            return bits.view("<f4").reshape(self.shape)
        numpy_type = {torch: numpys for _, torch, numpys in TYPES}.get(self.dtype)
        if numpy_type is None:
            raise TypeError(f"numpy has no {self.dtype}: take torch()")
        return self.data.view(numpy_type).reshape(self.shape)

    def torch(self):
        """The values as a torch tensor of its own."""
        import torch

        flat = torch.from_numpy(numpy.array(self.data)).view(getattr(torch, self.dtype))
        return flat.reshape(self.shape)


def write(path, document, values):
    """Writes the recording; `values`: name -> Stored. An existing file is replaced only once the new one is whole."""
    names = {torch: name for name, torch, _ in TYPES}
    header, offset = {}, 0
    for name, value in values.items():
        header[name] = {"dtype": names[value.dtype], "shape": list(value.shape), "data_offsets": [offset, offset + value.data.nbytes]}
        offset += value.data.nbytes
    header["__metadata__"] = _metadata(document, values)
    text = json.dumps(header, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace")
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    with _replacing(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for value in values.values():
            file.write(memoryview(numpy.ascontiguousarray(value.data)))


def _metadata(document, values):
    environment, model = document["environment"], document["model"]
    metadata = {"format": "pt", "samebits.record": dumps(document), "threads": str(environment["threads"]), "cpu": environment["cpu"]}
    if len(set(model["attention"].values())) == 1:
        metadata["attention"] = next(iter(model["attention"].values()))
    if values:
        run = {"mode": "train" if model["training"] else "eval", "threads": environment["threads"]}
        if model["config"] is not None:
            run["config"] = model["config"]
        points = [{"name": name} for name in values]
        metadata["samebits.trace"] = dumps({"schema": "samebits.trace/1", "points": points, "run": run})
    return metadata


def dumps(value):
    """JSON text; NaN and the infinities are the strings that docs/json.md names."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):  # a float that JSON has no number for
        return json.dumps(_named_floats(value), ensure_ascii=False, allow_nan=False)


def _named_floats(value):
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): _named_floats(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [_named_floats(member) for member in value]
    return value


@contextlib.contextmanager
def _replacing(path):
    """A temporary file beside `path` that takes its place when the block ends well, and goes away when it does not."""
    path = pathlib.Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        mask = os.umask(0)
        os.umask(mask)
        os.fchmod(handle, 0o666 & ~mask)  # as open() would make it
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def read(path):
    """The pair (document, values) of a file; RecordError where it is no recording. Values stay in the mapped file."""
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, MAX_HEADER):
            raise RecordError(f"{path}: a header of {length} bytes in a file of {size}: no safetensors file, or one that is cut off")
        text = file.read(length)
    try:
        header = json.loads(text)
        document = json.loads(header["__metadata__"]["samebits.record"])
    except (ValueError, KeyError, TypeError):
        raise RecordError(f"{path}: no metadata samebits.record: samebits.record() did not write this file") from None
    if document.get("schema") != "samebits.record/1":
        raise RecordError(f"{path}: schema {document.get('schema')!r}, expected 'samebits.record/1'")
    return document, _values(path, header, 8 + length, size)


def _values(path, header, start, size):
    torch_names = {name: torch for name, torch, _ in TYPES}
    widths = {name: WIDTH[name] if numpys is None else numpy.dtype(numpys).itemsize for name, _, numpys in TYPES}
    values = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        expected = math.prod(entry["shape"]) * widths.get(entry["dtype"], -1)
        if not 0 <= begin <= end <= size - start or end - begin != expected:
            raise RecordError(f"{path}: {name} is to have {expected} bytes, and [{begin}, {end}) of {size - start} do not hold them")
        data = numpy.memmap(path, numpy.uint8, "r", start + begin, (end - begin,)) if end > begin else numpy.empty(0, numpy.uint8)
        values[name] = Stored(torch_names[entry["dtype"]], entry["shape"], data)
    return values
