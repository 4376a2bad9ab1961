"""GGUF files, ONNX models and exported programs against the libraries that write them."""

import hashlib
import json
import subprocess
import zipfile

import numpy
import pytest
import torch
from conftest import PROGRAM, ROOT
from torch import nn

gguf = pytest.importorskip("gguf")
onnx = pytest.importorskip("onnx")


def sha256(array):
    return hashlib.sha256(numpy.ascontiguousarray(array).tobytes()).hexdigest()


def entries(report):
    return {entry["name"]: entry for entry in report.part("entries")}


# ---- GGUF
BLOCKS = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "TQ1_0", "TQ2_0", "MXFP4", "NVFP4",
          "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "IQ1_S", "IQ1_M"]
RNG = numpy.random.default_rng(0)


def random_blocks(name, rows=3, elements=512):
    """Any bits in any place, but for scales of half precision that would be infinite or NaN."""
    kind = gguf.GGMLQuantizationType[name]
    block, size = gguf.GGML_QUANT_SIZES[kind]
    data = RNG.integers(0, 256, (rows * elements // block, size), dtype=numpy.uint8)
    places = {"Q2_K": (81, 83), "Q3_K": (109,), "Q6_K": (209,), "TQ1_0": (53,), "TQ2_0": (65,), "MXFP4": (0,), "NVFP4": (), "IQ1_M": (55,)}
    with_minimum = name in ("Q4_1", "Q5_1", "Q4_K", "Q5_K")
    for place in places.get(name, (1, 3) if with_minimum else (1,)):
        data[:, place] &= 0xBF
    data = data.reshape(rows, -1)
    values = gguf.dequantize(data, kind)
    assert numpy.isfinite(values).all()
    return data, values


def test_every_type_of_gguf_is_read_as_gguf_does(run, tmp_path):
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "clip")
    writer.add_uint32("clip.vision.block_count", 2)
    writer.add_array("tokens", ["a", "b"])
    plain = {
        "f32": RNG.standard_normal((3, 5)).astype("f4"), "f16": RNG.standard_normal((2, 3, 4)).astype("f2"), "f64": RNG.standard_normal(3),
        "i8": RNG.integers(-9, 9, 4).astype("i1"), "i16": RNG.integers(-9, 9, 4).astype("i2"), "i32": RNG.integers(-9, 9, 4).astype("i4"), "i64": RNG.integers(-9, 9, 4),
    }
    expected = {}
    for name, array in plain.items():
        writer.add_tensor(name, array)
        expected[name] = (list(array.shape), sha256(array))
    bf16 = torch.randn(4, 2).bfloat16()
    writer.add_tensor("bf16", bf16.view(torch.uint8).numpy(), raw_dtype=gguf.GGMLQuantizationType.BF16)
    expected["bf16"] = ([4, 2], sha256(bf16.view(torch.int16).numpy()))
    for name in BLOCKS:
        data, values = random_blocks(name)
        writer.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType[name])
        expected[name] = (list(values.shape), sha256(values.astype("f4")))
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()
    report = run("inspect", tmp_path / "m.gguf", "--sha256")
    assert report["verdict"] == "clean" and report.subject["kind"] == "gguf"
    assert {name: (entry["shape"], entry["sha256"]) for name, entry in entries(report).items()} == expected
    assert report.subject["producer"]["metadata"]["general.architecture"] == "clip"


def small_gguf(path, **tensors):
    writer = gguf.GGUFWriter(path, "clip")
    for name, array in tensors.items():
        writer.add_tensor(name, array)
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()
    return path


def test_a_gguf_file_against_safetensors(run, tmp_path):
    made = {"v.blk.0.attn_q.weight": torch.randn(8, 8), "v.blk.0.attn_q.bias": torch.randn(8)}
    small_gguf(tmp_path / "m.gguf", **{k: v.numpy() for k, v in made.items()})
    torch.save({k.replace("v.blk", "vision.layers"): v for k, v in made.items()}, tmp_path / "m.pth")
    diff = run("diff", tmp_path / "m.gguf", tmp_path / "m.pth")
    assert (diff["verdict"], diff["weights"][0]["verdict"], diff["weights"][0]["matched"]) == ("same", "identical", 2)


def test_damaged_gguf_files(run, tmp_path):
    whole = small_gguf(tmp_path / "m.gguf", a=numpy.ones((4, 8), "f4"), b=numpy.ones(8, "f4")).read_bytes()
    name = whole.index(b"\1\0\0\0\0\0\0\0a\2\0\0\0")
    cases = {
        "cut": whole[:-8], "header": whole[:40], "version": whole[:4] + b"\7" + whole[5:], "swapped": whole[:4] + b"\0\0\0\3" + whole[8:],
        "no tensors": whole[:8] + bytes(16) + bytes(64), "doubled": whole.replace(b"\1\0\0\0\0\0\0\0b\1", b"\1\0\0\0\0\0\0\0a\1"),
        "overlap": whole.replace((128).to_bytes(8, "little"), bytes(8)), "counts": whole[:8] + b"\xff" * 8 + whole[16:],
        "sizes": whole[: name + 13] + b"\xff" * 8 + whole[name + 21 :],
    }
    for case, data in cases.items():
        assert data != whole, case
        (tmp_path / "x.gguf").write_bytes(data)
        report = run("inspect", tmp_path / "x.gguf")
        assert report["verdict"] == "unknown" and report["not_checked"], case


# ---- big_vision
def test_big_visions_npz(run, tmp_path):
    """Names with slashes, kernels transposed, as its save_checkpoint() writes them."""
    embedding, dense, bias = torch.randn(8, 3, 4, 4), torch.randn(6, 8), torch.randn(6)
    made = {"params/img/embedding/kernel": embedding.permute(2, 3, 1, 0).numpy(), "params/img/head/kernel": dense.T.numpy(), "params/img/head/bias": bias.numpy()}
    numpy.savez(tmp_path / "m.npz", **made)
    report = run("inspect", tmp_path / "m.npz", "--sha256")
    assert report["verdict"] == "clean" and {n: e["sha256"] for n, e in entries(report).items()} == {n: sha256(a) for n, a in made.items()}
    numpy.savez(tmp_path / "head.npz", **{name: array for name, array in made.items() if "head" in name})
    torch.save({"head.weight": dense, "head.bias": bias}, tmp_path / "head.pth")
    assert run("diff", tmp_path / "head.npz", tmp_path / "head.pth")["weights"][0]["verdict"] == "same-values"


def big_vision_pair(width=48, heads=3, blocks=2):
    """(arrays under big_vision's names, the same model under those of PyTorch): kernels are [in, out], those of attention
    [width, heads, width of a head], of the patch embedding [height, width, in, out]."""
    arrays, state = {}, {}

    def put(name, array, own, tensor):
        arrays[f"params/img/{name}"], state[own] = array.contiguous().numpy(), tensor

    patches, bias, positions = torch.randn(width, 3, 16, 16), torch.randn(width), torch.randn(1, 16, width)
    put("embedding/kernel", patches.permute(2, 3, 1, 0), "embed.proj.weight", patches)
    put("embedding/bias", bias, "embed.proj.bias", bias)
    put("pos_embedding", positions, "pos_embed", positions)
    for n in range(blocks):
        block, own = f"Transformer/encoderblock_{n}", f"blocks.{n}"
        attention = f"{block}/MultiHeadDotProductAttention_0"
        for part in ("query", "key", "value"):
            weight, bias = torch.randn(width, width), torch.randn(width)
            put(f"{attention}/{part}/kernel", weight.T.reshape(width, heads, -1), f"{own}.attn.{part}.weight", weight)
            put(f"{attention}/{part}/bias", bias.reshape(heads, -1), f"{own}.attn.{part}.bias", bias)
        out = torch.randn(width, width)
        put(f"{attention}/out/kernel", out.T.reshape(heads, -1, width), f"{own}.attn.out.weight", out)
        for k, (rows, columns) in enumerate(((4 * width, width), (width, 4 * width))):
            weight = torch.randn(rows, columns)
            put(f"{block}/MlpBlock_0/Dense_{k}/kernel", weight.T, f"{own}.mlp.fc{k + 1}.weight", weight)
    return arrays, state


def test_kernels_of_big_vision_are_the_transposes_that_they_are(run, tmp_path):
    arrays, state = big_vision_pair()
    numpy.savez(tmp_path / "m.npz", **arrays)
    torch.save(state, tmp_path / "m.pth")
    report = run("diff", tmp_path / "m.npz", tmp_path / "m.pth")
    weights = report["weights"][0]
    assert (report["verdict"], weights["verdict"], weights["matched"]) == ("same", "same-values", len(state))
    how = {tensor["a"]: (tensor["b"], tensor["how"]) for tensor in weights["tensors"]}
    assert how["params/img/embedding/kernel"] == ("embed.proj.weight", "dimensions in the order 3, 2, 0, 1")
    attention = "params/img/Transformer/encoderblock_1/MultiHeadDotProductAttention_0"
    assert how[f"{attention}/key/kernel"] == ("blocks.1.attn.key.weight", "transposed and reshaped")
    assert how[f"{attention}/out/kernel"] == ("blocks.1.attn.out.weight", "transposed and reshaped")


def test_a_kernel_that_is_no_transpose_is_another_weight(run, tmp_path):
    """One number is enough, though all samples of both are equal."""
    arrays, state = big_vision_pair(blocks=1)
    name = "params/img/embedding/kernel"
    arrays[name] = arrays[name].copy()
    arrays[name][3, 5, 1, 7] += 1
    numpy.savez(tmp_path / "m.npz", **arrays)
    torch.save(state, tmp_path / "m.pth")
    report = run("diff", tmp_path / "m.npz", tmp_path / "m.pth")
    assert report["verdict"] == "different" and not any(tensor["a"] == name and tensor["kind"] == "rearranged" for tensor in report["weights"][0]["tensors"])


# ---- ONNX
def initializers(path):
    model = onnx.load(path)
    return {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}


def every_onnx_tensor():
    helper, kind = onnx.helper, onnx.TensorProto
    values = numpy.array([1.5, -2.0, 0.0, 3.25])
    made = [onnx.numpy_helper.from_array(values.astype(t).reshape(2, 2), t) for t in ("f4", "f8", "f2", "i1", "i2", "i4", "i8", "u1", "?", "c8")]
    made += [helper.make_tensor(f"plain{t}", t, [2], [1, 3]) for t in (kind.FLOAT, kind.INT32, kind.INT64, kind.UINT8, kind.DOUBLE, kind.FLOAT16, kind.BOOL, kind.UINT64, kind.BFLOAT16)]
    return [*made, helper.make_tensor("scalar", kind.FLOAT, [], [2.0]), helper.make_tensor("empty", kind.FLOAT, [0, 3], [])]


def onnx_model(tensors, nodes=()):
    value = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [2])
    nodes = nodes or [onnx.helper.make_node("Identity", [tensors[0].name], ["y"])]
    return onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", [], [value], list(tensors)), producer_name="test")


def test_every_type_of_onnx_is_read_as_onnx_does(run, tmp_path):
    inner = onnx.helper.make_tensor("of a node", onnx.TensorProto.FLOAT, [2], [5.0, 6.0])
    nodes = [onnx.helper.make_node("Constant", [], ["c"], value=inner), onnx.helper.make_node("Identity", ["c"], ["y"])]
    onnx.save(onnx_model(every_onnx_tensor(), nodes), tmp_path / "m.onnx")
    report = run("inspect", tmp_path / "m.onnx", "--sha256")
    assert report["verdict"] == "clean" and report.subject["kind"] == "onnx"
    found = entries(report)
    assert found.pop("c")["sha256"] == sha256(numpy.array([5.0, 6.0], "f4"))
    expected = {name: (list(array.shape), sha256(array)) for name, array in initializers(tmp_path / "m.onnx").items()}
    assert {name: (entry["shape"], entry["sha256"]) for name, entry in found.items()} == expected


def test_external_data_of_onnx(run, tmp_path):
    arrays = {name: RNG.standard_normal((40, 40)).astype("f4") for name in "ab"}
    model = onnx_model([onnx.numpy_helper.from_array(array, name) for name, array in arrays.items()])
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    report = run("inspect", tmp_path / "m.onnx", "--sha256")
    assert {name: entry["sha256"] for name, entry in entries(report).items()} == {name: sha256(array) for name, array in arrays.items()}
    torch.save({name: torch.from_numpy(array) for name, array in arrays.items()}, tmp_path / "m.pth")
    assert run("diff", tmp_path / "m.onnx", tmp_path / "m.pth")["weights"][0]["verdict"] == "identical"
    (tmp_path / "m.data").write_bytes((tmp_path / "m.data").read_bytes()[:-4])
    assert "ends before the data" in str(run("inspect", tmp_path / "m.onnx")["not_checked"])
    (tmp_path / "m.data").unlink()
    assert run("inspect", tmp_path / "m.onnx")["verdict"] == "unknown"


def test_transposes_that_exporters_fold(run, tmp_path):
    module = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3))
    state = module.state_dict()
    folded = [onnx.numpy_helper.from_array(v.numpy().T.copy() if v.ndim == 2 else v.numpy(), f"val_{i}") for i, v in enumerate(state.values())]
    onnx.save(onnx_model(folded), tmp_path / "m.onnx")
    torch.save(state, tmp_path / "m.pth")
    diff = run("diff", tmp_path / "m.onnx", tmp_path / "m.pth")
    assert (diff["weights"][0]["verdict"], diff["weights"][0]["matched"]) == ("same-values", 4)
    assert any("ONNX graph" in text for text in diff["not_checked"])


def test_other_graphs_of_onnx_are_no_same(run, tmp_path):
    tensors = [onnx.numpy_helper.from_array(numpy.arange(2, dtype="f4"), "w")]
    for name, operation in (("a", "Relu"), ("b", "Tanh"), ("c", "Relu")):
        onnx.save(onnx_model(tensors, [onnx.helper.make_node(operation, ["w"], ["y"])]), tmp_path / f"{name}.onnx")
    assert run("diff", tmp_path / "a.onnx", tmp_path / "b.onnx")["verdict"] == "unknown"
    assert run("diff", tmp_path / "a.onnx", tmp_path / "c.onnx")["verdict"] == "same"
    subprocess.run([str(PROGRAM), "lock", str(tmp_path / "a.onnx"), "-o", str(tmp_path / "a.lock")], check=True, capture_output=True)
    verified = run("verify", tmp_path / "b.onnx", tmp_path / "a.lock")
    assert verified["verdict"] == "unknown" and "not the locked graph" in str(verified["not_checked"])
    assert run("verify", tmp_path / "c.onnx", tmp_path / "a.lock")["verdict"] == "same"


def test_graphs_with_other_constants_are_no_same(run, tmp_path):
    """The operations are equal; what they compute with stands in the values of Constant nodes."""
    weights = [onnx.numpy_helper.from_array(numpy.arange(4, dtype="f4"), "w")]
    for name, value in (("a", 2.0), ("b", 4.0), ("c", 2.0)):
        constant = onnx.helper.make_tensor("of a node", onnx.TensorProto.FLOAT, [1], [value])
        nodes = [onnx.helper.make_node("Constant", [], ["k"], value=constant), onnx.helper.make_node("Mul", ["w", "k"], ["y"])]
        onnx.save(onnx_model(weights, nodes), tmp_path / f"{name}.onnx")
    report = run("diff", tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert report["verdict"] == "unknown" and "1 constant that differs: k" in str(report["not_checked"])
    assert run("diff", tmp_path / "a.onnx", tmp_path / "c.onnx")["verdict"] == "same"


def test_damaged_onnx_files(run, tmp_path):
    tensor = onnx.numpy_helper.from_array(numpy.ones((2, 3), "f4"), "w")
    tensor.dims[0] = 5
    onnx.save(onnx_model([tensor]), tmp_path / "x.onnx")
    assert "bytes of values" in str(run("inspect", tmp_path / "x.onnx")["not_checked"])
    outside = onnx.numpy_helper.from_array(numpy.ones(2, "f4"), "w")
    outside.ClearField("raw_data")
    outside.data_location = onnx.TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="../secret")
    (tmp_path / "y.onnx").write_bytes(onnx_model([outside]).SerializeToString())
    assert "outside" in str(run("inspect", tmp_path / "y.onnx")["not_checked"])


# ---- torch.export
class Exported(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c = nn.Linear(3, 4), nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        self.c.weight = self.b.weight
        self.small = nn.Parameter(torch.randn(4).bfloat16())
        self.turned = nn.Parameter(torch.randn(3, 4).T)
        flat = torch.randn(12)
        self.first, self.later = nn.Parameter(flat[:4]), nn.Parameter(flat[6:10])
        self.register_buffer("kept", torch.arange(4.0))
        self.register_buffer("rebuilt", torch.ones(4), persistent=False)

    def forward(self, x):
        return self.c(self.b(self.a(x))) + self.kept + self.rebuilt + self.small.float() + x @ self.turned.T + self.first * self.later


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pt2")
    torch.manual_seed(0)
    module = Exported().eval()
    torch.export.save(torch.export.export(module, (torch.randn(2, 3),)), folder / "m.pt2")
    torch.save(module.state_dict(), folder / "m.pth")
    return folder, module


def test_an_exported_program_has_the_state_dict(run, exported):
    folder, module = exported
    loaded = torch.export.load(folder / "m.pt2").state_dict
    report = run("inspect", folder / "m.pt2", "--sha256")
    assert report["verdict"] == "clean" and report.subject["kind"] == "exported-program"
    found = {name: entry for name, entry in entries(report).items() if entry["role"] in ("parameter", "buffer")}
    assert {name: entry["sha256"] for name, entry in found.items()} == {
        name: hashlib.sha256(t.detach().contiguous().view(torch.uint8).numpy().tobytes()).hexdigest() for name, t in loaded.items()
    }
    assert entries(report)["rebuilt"]["role"] == "non-persistent buffer"
    diff = run("diff", folder / "m.pt2", folder / "m.pth")
    assert diff["weights"][0]["verdict"] == "identical" and diff["weights"][0]["matched"] == len(module.state_dict())
    assert any("exported graph" in text for text in diff["not_checked"])


def rewritten(folder, out, change):
    with zipfile.ZipFile(folder / "m.pt2") as source, zipfile.ZipFile(out, "w") as target:
        for record in source.infolist():
            data = change(record.filename, source.read(record))
            if data is not None:
                target.writestr(record.filename, data)
    return out


def test_exported_programs_that_do_not_fit(run, exported, tmp_path):
    folder, _ = exported

    def config(edit):
        def change(name, data):
            if not name.endswith("weights_config.json"):
                return data
            value = json.loads(data)
            edit(value["config"]["a.weight"])
            return json.dumps(value)

        return change

    changes = [
        lambda name, data: None if name.endswith("weight_2") else data, config(lambda c: c.update(path_name="../x")),
        config(lambda c: c["tensor_meta"].update(sizes=[{"as_int": 400}, {"as_int": 3}])), config(lambda c: c["tensor_meta"].update(dtype=99)),
        config(lambda c: c.update(use_pickle=True)), config(lambda c: c["tensor_meta"].update(storage_offset={"as_int": 2**62})), config(lambda c: c.pop("tensor_meta")),
    ]
    for i, change in enumerate(changes):
        report = run("inspect", rewritten(folder, tmp_path / f"{i}.pt2", change))
        assert report["verdict"] == "unknown" and report["not_checked"], i


class Act:
    def __reduce__(self):
        return print, ("loaded",)


def test_what_the_pickles_of_an_exported_program_call_is_listed(run, exported, tmp_path):
    torch.save(Act(), tmp_path / "act.pt")
    payload = (tmp_path / "act.pt").read_bytes()
    path = rewritten(exported[0], tmp_path / "m.pt2", lambda name, data: payload if "sample_inputs" in name else data)
    assert any("print" in call["global"] for call in run("inspect", path).part("calls"))


def test_another_graph_is_no_same(run, exported, tmp_path):
    folder, module = exported

    class Other(Exported):
        def forward(self, x):
            return torch.relu(super().forward(x))

    other = Other()
    other.load_state_dict(module.state_dict())
    torch.export.save(torch.export.export(other.eval(), (torch.randn(2, 3),)), tmp_path / "o.pt2")
    assert run("diff", folder / "m.pt2", tmp_path / "o.pt2")["verdict"] == "unknown"
    assert run("diff", folder / "m.pt2", folder / "m.pt2")["verdict"] == "same"


def test_the_document_lists_the_types_that_are_read():
    row = next(line for line in (ROOT / "docs" / "formats.md").read_text().splitlines() if line.startswith("| GGUF"))
    read, left_out = row.split("|")[2:4]
    named = read[read.index("Q4_0") : read.index(" as the float32")]
    assert named.split(", ") == BLOCKS
    assert all(name not in left_out.replace(",", "").split() for name in BLOCKS)


def test_inspect_names_the_types_that_stand_in_the_file(run, tmp_path):
    numbers = numpy.random.default_rng(0).standard_normal((32, 64)).astype(numpy.float32)
    writer = gguf.GGUFWriter(tmp_path / "m.gguf", "llama")
    blocks = gguf.quantize(numbers, gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("blk.0.attn_q.weight", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("output_norm.weight", numbers[0])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    report = run("inspect", tmp_path / "m.gguf")
    assert "of 2 types" in report["answers"]["model"] and report.subject["parameters"] == 32 * 64 + 64
    import subprocess

    from conftest import PROGRAM

    text = subprocess.run([str(PROGRAM), "inspect", str(tmp_path / "m.gguf")], capture_output=True, text=True).stdout
    assert "1 Q8_0" in text and "1 float32" in text, text
