#!/usr/bin/env python3
"""Writes the seed inputs of fuzz/corpus with the libraries that write such files in the field.

Usage: make_fuzz_corpus.py [FOLDER]     (FOLDER: default fuzz/corpus beside this script's parent)

Needs torch, numpy, pillow, safetensors, gguf and onnx (tests/requirements-t5.txt). Every file has less than 4 KB,
two files together less than 12.
"""

import argparse
import collections
import io
import json
import pathlib
import pickle
import sys
import tarfile
import tempfile
import zipfile

import gguf
import numpy
import onnx
import PIL.Image
import safetensors.torch
import torch

LARGEST = 4096  # bytes of one file


def torch_objects():
    """What people save: name to object. Two tensors share one storage, one is a strided view."""
    base = torch.arange(6, dtype=torch.float32)
    tiny = torch.tensor([1.5], dtype=torch.bfloat16)
    linear = torch.nn.Linear(2, 1)
    with torch.no_grad():
        linear.weight.fill_(0.5)
        linear.bias.zero_()
    optimizer = torch.optim.SGD(linear.parameters(), lr=0.1)
    return {
        "tensor": tiny,
        "statedict": collections.OrderedDict([("a.weight", base.view(2, 3)), ("a.tied", base.view(2, 3).t())]),
        "module": linear.eval(),
        "training": {"epoch": 1, "model": linear.state_dict(), "optimizer": optimizer.state_dict()},
        "lightning": {"pytorch-lightning_version": "2.6.6", "state_dict": {"w": tiny}, "hyper_parameters": argparse.Namespace(lr=0.1)},
    }


def saved_by_torch(thing, legacy=False):
    out = io.BytesIO()
    torch.save(thing, out, _use_new_zipfile_serialization=not legacy)
    return out.getvalue()


def zip_seeds():
    for name in ("tensor", "statedict"):
        yield f"torch-{name}.pth", saved_by_torch(torch_objects()[name])
    for name, method in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", method) as archive:
            archive.comment = b"comment"
            archive.writestr(zipfile.ZipInfo("folder/"), b"")
            archive.writestr(zipfile.ZipInfo("folder/data.pkl"), b"abc" * 20, method)
        yield f"{name}.zip", out.getvalue()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        with archive.open(zipfile.ZipInfo("large"), "w", force_zip64=True) as entry:
            entry.write(b"12345678")
    yield "zip64.zip", out.getvalue()


def tar_seeds():
    formats = {"gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT, "pax": tarfile.PAX_FORMAT}
    for name, form in formats.items():
        out = io.BytesIO()
        member = tarfile.TarInfo("pickle" if form == tarfile.USTAR_FORMAT else "storages" + "x" * 100)
        member.size = 5
        with tarfile.TarFile(fileobj=out, mode="w", format=form) as archive:
            archive.addfile(member, io.BytesIO(b"12345"))
        # Only the two empty blocks that end an archive: tarfile pads to 10 KB.
        yield f"{name}.tar", out.getvalue()[: archive.offset]


def pickle_seeds():
    inner = {"list": [1, -1, 2**40, 2**80, 1.5, True, None], "text": "ä", "bytes": b"\x00\xff"}
    shared = [inner, inner, (1, 2, 3, 4), collections.OrderedDict(k=complex(1, 2)), {3}, frozenset({4})]
    shared.append(shared)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield f"protocol{protocol}.pkl", pickle.dumps(shared, protocol)
        yield f"namespace{protocol}.pkl", pickle.dumps(argparse.Namespace(lr=0.1), protocol)
    yield "bytearray5.pkl", pickle.dumps(bytearray(b"abc"), 5)
    for name, thing in torch_objects().items():
        with zipfile.ZipFile(io.BytesIO(saved_by_torch(thing))) as archive:
            record = next(n for n in archive.namelist() if n.endswith("/data.pkl"))
            yield f"torch-{name}.pkl", archive.read(record)


def safetensors_seeds():
    base = torch.arange(4, dtype=torch.float32)
    yield "one.safetensors", safetensors.torch.save({"a": base})
    several = {"a.weight": base.view(2, 2), "b": base.bool(), "c": base.to(torch.bfloat16), "d": torch.zeros(0, 3), "e": torch.tensor(1)}
    yield "several.safetensors", safetensors.torch.save(several, {"format": "pt"})


def npy_seeds():
    arrays = {"floats": numpy.arange(3.0), "fortran": numpy.ones((2, 2), order="F"), "big-endian": numpy.arange(2, dtype=">i4")}
    for name, array in arrays.items():
        out = io.BytesIO()
        numpy.save(out, array)
        yield f"{name}.npy", out.getvalue()
    out = io.BytesIO()
    numpy.save(out, numpy.array([{"a": 1}], dtype=object), allow_pickle=True)
    yield "object.npy", out.getvalue()


def gguf_file(tensors, **fields):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "m.gguf")
        writer = gguf.GGUFWriter(path, "clip")
        for name, value in fields.items():
            writer.add_array(name, value) if isinstance(value, list) else writer.add_uint32(name, value)
        for name, (array, kind) in tensors.items():
            writer.add_tensor(name, array, raw_dtype=kind)
        writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()
        return path.read_bytes()


def gguf_seeds():
    yield "plain.gguf", gguf_file({"w": (numpy.ones((2, 3), "f4"), None), "h": (numpy.ones(4, "f2"), None)}, count=2, names=["a", "b"])
    kinds = [gguf.GGMLQuantizationType[name] for name in ("Q4_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q6_K", "IQ4_XS", "TQ1_0", "MXFP4")]
    blocks = {kind.name: (numpy.arange(gguf.GGML_QUANT_SIZES[kind][1], dtype="u1").reshape(1, -1), kind) for kind in kinds}
    yield "blocks.gguf", gguf_file(blocks)


def onnx_seeds():
    helper, kind = onnx.helper, onnx.TensorProto
    tensors = [onnx.numpy_helper.from_array(numpy.ones((2, 3), "f4"), "w"), helper.make_tensor("packed", kind.FLOAT16, [2], [1, 3])]
    outside = onnx.numpy_helper.from_array(numpy.ones(2, "f4"), "outside")
    outside.ClearField("raw_data")
    outside.data_location = kind.EXTERNAL
    outside.external_data.add(key="location", value="m.data")
    constant = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("c", kind.INT64, [1], [5]))
    value = helper.make_tensor_value_info("y", kind.FLOAT, [2])
    graph = helper.make_graph([constant, helper.make_node("Relu", ["w"], ["y"])], "g", [], [value], [*tensors, outside])
    yield "small.onnx", helper.make_model(graph).SerializeToString()


def json_seeds():
    config = {"model_type": "vit_mae", "mask_ratio": 0.75, "layers": [1, 2], "nested": {"a": None, "b": True}, "ä": "\ud83d\ude00\n"}
    yield "config.json", json.dumps(config, indent=2).encode()
    yield "utf8.json", json.dumps(config, ensure_ascii=False).encode("utf-8", "surrogatepass")
    yield "numbers.json", json.dumps([0, -1, 1e-12, 1e308, 2**63, float("nan"), float("inf"), -float("inf")]).encode()


def config_seeds():
    sizes = {"hidden_size": 12, "num_hidden_layers": 2, "num_attention_heads": 3, "image_size": 8, "patch_size": 4}
    rest = {"intermediate_size": 20, "num_channels": 3, "qkv_bias": True, "hidden_act": "gelu", "layer_norm_eps": 1e-12}
    decoder = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    vit = {"model_type": "vit", "architectures": ["ViTForImageClassification"], **sizes, **rest}
    mae = {**vit, "model_type": "vit_mae", "architectures": ["ViTMAEForPreTraining"], "mask_ratio": 0.75, "norm_pix_loss": False}
    mae |= {f"decoder_{name}": value for name, value in decoder.items()}
    labels = {"num_labels": 2, "id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1}, "pooler_output_size": None}
    dino = {**vit, "model_type": "dinov2", "mlp_ratio": 4, "drop_path_rate": 0.1, "out_features": ["stage2"]}
    module = {"eps": 1e-12, "p": 0.1, "kernel_size": [4, 4], "stride": [4, 4], "padding": [0, 0], "num_attention_heads": 3}
    module |= {"attention_head_size": 4, "scaling": 0.5, "config": {"mask_ratio": 0.5}}
    seeds = {"vit": vit | labels, "vit_mae": mae, "dinov2": dino, "module": module}
    for name, config in seeds.items():
        yield f"{name}.json", json.dumps(config).encode()


def processor_seeds():
    square = {"height": 8, "width": 8}
    vit = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": square, "resample": 2, "do_rescale": True}
    vit |= {"rescale_factor": 1 / 255, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    bit = {**vit, "image_processor_type": "BitImageProcessorFast", "size": {"shortest_edge": 9}, "resample": 3}
    bit |= {"do_center_crop": True, "crop_size": square, "do_pad": None}
    old = {**vit, "image_processor_type": None, "feature_extractor_type": "ViTFeatureExtractor", "size": 8, "image_std": 0.5}
    for name, config in {"vit": vit, "bit": bit, "old": old}.items():
        yield f"{name}.json", json.dumps(config).encode()


class Tiny(torch.nn.Module):
    """A parameter, a buffer, an attribute and a constant: what a TorchScript archive can hold."""

    def __init__(self, scale):
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(1))
        self.register_buffer("b", torch.ones(1))
        self.scale = scale

    def forward(self, x):
        return x * self.w * self.scale + self.b + torch.full((1,), self.scale)


def without_sources(archive):
    """The archive without the places in the source, which nothing reads and which fill it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as whole, zipfile.ZipFile(out, "w") as small:
        for name in whole.namelist():
            if not name.endswith(".debug_pkl"):
                small.writestr(zipfile.ZipInfo(name), whole.read(name))
    return out.getvalue()


def script_archives(scale=2.0):
    module = Tiny(scale).eval()
    scripted = torch.jit.script(module)
    ways = {"scripted": scripted, "traced": torch.jit.trace(module, torch.ones(1)), "frozen": torch.jit.freeze(scripted)}
    for name, archive in ways.items():
        out = io.BytesIO()
        torch.jit.save(archive, out)
        yield f"{name}.pt", without_sources(out.getvalue())


def numpy_pickles():
    arrays = {"a": numpy.arange(2, dtype=">f4"), "b": numpy.ones((2, 1), order="F"), "c": numpy.float64(1)}
    for protocol in (0, 2, 5):
        yield f"arrays{protocol}.pkl", pickle.dumps({"model": arrays, "by": "x"}, protocol)


def foreign_seeds():
    yield "login.html", b"<!DOCTYPE html><html><title>Sign in</title></html>"
    yield "error.xml", b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"
    yield "pointer.lfs", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    yield "state.msgpack", b"\x82\xa4step\x03\xa6params\x81\xa1w\xc7\x01\x01\x00"
    yield "model.onnx", b"\x08\x0a\x3a\x04\x0a\x02\x0a\x00\x42\x02\x08\x0e"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a/model.pth"), saved_by_torch(torch.ones(1)))
    yield "inside.zip", out.getvalue()
    yield "stack.distcp", saved_by_torch(torch.ones(1)) + saved_by_torch(torch.ones(1))


def exported_program():
    """As torch.export.save lays it out, with less of the graph than it writes."""
    meta = {"dtype": 7, "sizes": [{"as_int": 2}], "strides": [{"as_int": 1}], "storage_offset": {"as_int": 0}, "layout": 7, "requires_grad": True}
    payload = {"path_name": "weight_0", "is_param": True, "use_pickle": False, "tensor_meta": meta}
    graph = {"graph_module": {"signature": {"input_specs": [{"buffer": {"buffer_name": "b", "persistent": False}}]}}, "torch_version": "2.13.0"}
    records = {
        "archive_format": b"pt2", "data/weights/weight_0": bytes(8), "data/weights/model_weights_config.json": {"config": {"w": payload}},
        "data/constants/tensor_0": bytes(8), "data/constants/model_constants_config.json": {"config": {"b": {**payload, "path_name": "tensor_0"}}},
        "models/model.json": graph, "data/sample_inputs/model.pt": saved_by_torch([torch.ones(1)])[:1200],
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, value in records.items():
            archive.writestr(zipfile.ZipInfo("m/" + name), value if isinstance(value, bytes) else json.dumps(value))
    return out.getvalue()


def checkpoint_seeds():
    yield "exported.pt2", exported_program()
    yield from gguf_seeds()
    yield from onnx_seeds()
    yield from script_archives()
    yield from numpy_pickles()
    yield from foreign_seeds()
    for name, thing in torch_objects().items():
        yield f"{name}.pth", saved_by_torch(thing)
        if name != "module":  # the legacy format adds the source of the class, which is too long
            yield f"{name}-legacy.pth", saved_by_torch(thing, legacy=True)
    yield from safetensors_seeds()
    yield from npy_seeds()
    out = io.BytesIO()
    numpy.savez(out, a=numpy.arange(2.0))
    yield "array.npz", out.getvalue()


def image_seeds():
    y, x = numpy.mgrid[0:13, 0:17]
    image = PIL.Image.fromarray(numpy.stack([x * 15, y * 19, x * y], -1).astype("u1"))
    turned = PIL.Image.Exif()
    turned[0x0112] = 6
    ways = {
        "baseline.jpg": (image, {"quality": 50}),
        "progressive.jpg": (image, {"quality": 50, "progressive": True}),
        "gray.jpg": (image.convert("L"), {"quality": 50}),
        "turned.jpg": (image, {"quality": 50, "exif": turned}),
        "rgb.png": (image, {}),
        "alpha.png": (image.convert("RGBA"), {}),
        "palette.png": (image.quantize(5), {"transparency": 1}),
        "bits.png": (image.convert("1"), {}),
        "turned.png": (image, {"exif": turned}),
    }
    for name, (picture, options) in ways.items():
        out = io.BytesIO()
        picture.save(out, "JPEG" if name.endswith("jpg") else "PNG", **options)
        yield name, out.getvalue()


def two_files(a, b):
    """As fuzz/two_files.h cuts them."""
    return len(a).to_bytes(2, "little") + a + b


def diff_seeds():
    base = torch.arange(4, dtype=torch.float32)
    weights = {"a.weight": base.view(2, 2), "b": base.bool(), "c": base.to(torch.bfloat16)}
    changed = {**weights, "a.weight": weights["a.weight"] + 1}
    one = safetensors.torch.save(weights)
    yield "same", two_files(one, one)
    yield "changed", two_files(one, safetensors.torch.save(changed))
    yield "renamed", two_files(one, safetensors.torch.save({"model." + name: tensor for name, tensor in weights.items()}))
    yield "half", two_files(one, safetensors.torch.save({name: tensor.half() for name, tensor in weights.items()}))
    yield "other-format", two_files(one, saved_by_torch(weights))
    module = torch_objects()["module"]
    yield "module", two_files(saved_by_torch(module.state_dict()), saved_by_torch(module))
    yield "legacy", two_files(saved_by_torch(weights, legacy=True), one)
    for (name, a), (_, b) in zip(script_archives(), script_archives(3.0), strict=True):
        yield name.replace(".pt", ""), two_files(a, b)
    stacked = {"x": base.view(2, 2), "y": base.view(2, 2) + 4, "z": base.view(2, 2) + 8}
    yield "stacked", two_files(safetensors.torch.save(stacked), safetensors.torch.save({"all": torch.cat(list(stacked.values()))}))


def tiny_vit():
    """The model whose config fuzz/explain_fuzz.cc gives: names as transformers 4 writes them."""
    numbers = torch.Generator().manual_seed(0)
    square = ["attention.attention.query", "attention.attention.key", "attention.attention.value", "attention.output.dense"]
    norms = ["encoder.layer.0.layernorm_before", "encoder.layer.0.layernorm_after", "layernorm"]
    shapes = {
        "vit.embeddings.cls_token": (1, 1, 4),
        "vit.embeddings.position_embeddings": (1, 5, 4),
        "vit.embeddings.patch_embeddings.projection.weight": (4, 1, 2, 2),
        "vit.embeddings.patch_embeddings.projection.bias": (4,),
        "classifier.weight": (2, 4),
        "classifier.bias": (2,),
    }
    for name in [*square, "intermediate.dense", "output.dense"]:
        shapes |= {f"vit.encoder.layer.0.{name}.weight": (4, 4), f"vit.encoder.layer.0.{name}.bias": (4,)}
    for name in norms:
        shapes |= {f"vit.{name}.weight": (4,), f"vit.{name}.bias": (4,)}
    return {name: torch.randn(shape, generator=numbers) for name, shape in shapes.items()}


def explain_seeds():
    model = tiny_vit()
    moved = {**model, "vit.layernorm.bias": model["vit.layernorm.bias"] + 1}
    query, key = (f"vit.encoder.layer.0.attention.attention.{part}.weight" for part in ("query", "key"))
    exchanged = {**model, query: model[key], key: model[query]}
    one = safetensors.torch.save(model)
    yield "same", two_files(one, one)
    yield "moved", two_files(one, safetensors.torch.save(moved))
    yield "exchanged", two_files(one, safetensors.torch.save(exchanged))
    yield "rounded", two_files(one, safetensors.torch.save({name: tensor.bfloat16() for name, tensor in model.items()}))
    yield "headless", two_files(one, safetensors.torch.save({n: t for n, t in model.items() if not n.startswith("classifier")}))


def quantized_layer(tensors, config=None, metadata=None):
    """A file with one layer, 0, and a quantization_config."""
    named = {"0" + name: tensor for name, tensor in tensors.items()}
    return two_files(safetensors.torch.save(named, metadata), json.dumps(config).encode() if config else b"")


def quantized_bitsandbytes():
    state = {"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": [8, 8]}
    nested = {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": 0.5}
    nf4 = {".weight": torch.arange(32, dtype=torch.uint8).view(32, 1), ".weight.absmax": torch.ones(1), ".weight.quant_map": torch.linspace(-1, 1, 16)}
    twice = {".weight.absmax": torch.ones(1, dtype=torch.uint8), ".weight.nested_absmax": torch.ones(1)}
    twice[".weight.nested_quant_map"] = torch.linspace(-1, 1, 256)

    def stated(state):
        return {".weight.quant_state.bitsandbytes__nf4": torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8)}

    yield "nf4", quantized_layer(nf4 | stated(state))
    yield "nf4-nested", quantized_layer(nf4 | twice | stated(state | nested))


def quantized_groups():
    words = torch.arange(4, dtype=torch.int32).view(4, 1) * 0x01234567
    packed = {".weight_packed": words, ".weight_shape": torch.tensor([4, 8]), ".weight_scale": torch.ones(4, 2)}
    bits = {"quant_method": "compressed-tensors", "config_groups": {"g": {"weights": {"num_bits": 4}}}}
    yield "packed", quantized_layer(packed | {".weight_zero_point": torch.tensor([[0x1234, 0x4321]], dtype=torch.int32)}, bits)
    grouped = {".scales": torch.ones(2, 8).half(), ".qzeros": torch.full((2, 1), 0x11111111, dtype=torch.int32)}
    order = torch.tensor([1, 0, 1, 0, 1, 0, 1, 0], dtype=torch.int32)
    gptq = {"quant_method": "gptq", "bits": 4, "group_size": 4, "desc_act": True}
    yield "gptq", quantized_layer({".qweight": words.view(1, 4).repeat(1, 2), ".g_idx": order, **grouped}, gptq)
    awq = {"quant_method": "awq", "bits": 4, "group_size": 4, "version": "gemm"}
    yield "awq", quantized_layer({".qweight": words.repeat(2, 1), **grouped}, awq)


def quantized_seeds():
    """A layer in each form that samebits/quantized reads, by names and shapes; tests/fixtures/make_quantized.py has the libraries' own."""
    yield from quantized_bitsandbytes()
    yield from quantized_groups()
    codes, scales = torch.arange(-16, 16, dtype=torch.int8).view(4, 8), torch.arange(1.0, 5.0)
    yield "int8", quantized_layer({".weight": codes, ".SCB": scales})
    order = torch.tensor([0, 1, 0, 1, 0, 1, 0, 1], dtype=torch.int32)
    zeros = torch.ones(4, 2, dtype=torch.int8)
    yield "naive", quantized_layer({".weight": codes, ".weight_scale": torch.ones(4, 2), ".weight_g_idx": order, ".weight_zero_point": zeros})
    fp8 = codes.view(torch.uint8).view(torch.float8_e4m3fn)
    config = {"quant_method": "fp8", "weight_block_size": [3, 5]}
    yield "fp8", quantized_layer({".weight": fp8, ".weight_scale_inv": torch.ones(2, 2)}, config)
    said = {"0.weight": json.dumps({"_type": "Int8Tensor", "_data": {"dtype": {"_data": "torch.float32"}}})}
    yield "torchao", quantized_layer({"._weight_qdata": codes, "._weight_scale": torch.ones(4, 1)}, metadata=said)
    own = torch.quantize_per_channel(torch.ones(2, 3), torch.tensor([0.1, 0.2]), torch.tensor([1, 2]), 0, torch.qint8)
    yield "torch", two_files(saved_by_torch({"w": own}), b"")


SEEDS = {
    "image": image_seeds,
    "zip": zip_seeds,
    "tar": tar_seeds,
    "pickle": pickle_seeds,
    "safetensors": safetensors_seeds,
    "npy": npy_seeds,
    "gguf": gguf_seeds,
    "onnx": onnx_seeds,
    "json": json_seeds,
    "config": config_seeds,
    "processor": processor_seeds,
    "checkpoint": checkpoint_seeds,
    "diff": diff_seeds,
    "explain": explain_seeds,
    "quantized": quantized_seeds,
}


def main():
    default = pathlib.Path(__file__).resolve().parent.parent / "fuzz" / "corpus"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=default)
    folder = parser.parse_args().folder
    for name, seeds in SEEDS.items():
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        for file, data in seeds():
            largest = LARGEST * (3 if name in ("diff", "explain", "quantized") else 1)
            if len(data) >= largest:
                sys.exit(f"{name}/{file} has {len(data)} bytes, {largest} or more")
            (target / file).write_bytes(data)


if __name__ == "__main__":
    main()
