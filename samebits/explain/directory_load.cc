#include "samebits/explain/directory_load.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "samebits/checkpoint/hf_directory.h"

namespace samebits {
namespace {

constexpr std::array<std::string_view, 4> kFound = {
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json"};

/// "fp16" of "model.fp16.safetensors" and "model.safetensors.index.fp16.json".
std::string variant_in(const std::string& file) {
  struct Form {
    std::string_view before, after;
  };
  constexpr std::array<Form, 4> kForms = {
      Form{"model.safetensors.index.", ".json"}, Form{"pytorch_model.bin.index.", ".json"},
      Form{"model.", ".safetensors"}, Form{"pytorch_model.", ".bin"}};
  for (const Form& form : kForms) {
    if (!file.starts_with(form.before) || !file.ends_with(form.after)) continue;
    if (file.size() <= form.before.size() + form.after.size()) continue;
    return file.substr(form.before.size(), file.size() - form.before.size() - form.after.size());
  }
  return "";
}

/// What bitsandbytes 0.50.2 writes beside a packed matrix.
constexpr std::array<std::string_view, 7> kStates = {".absmax",
                                                     ".quant_map",
                                                     ".nested_absmax",
                                                     ".nested_quant_map",
                                                     ".quant_state.bitsandbytes__nf4",
                                                     ".quant_state.bitsandbytes__fp4",
                                                     ".weight_format"};

/// The matrix to which a tensor is a state: "fc.weight" for "fc.weight.absmax" and "fc.SCB".
std::string matrix_of(const std::string& name) {
  for (const std::string_view state : kStates)
    if (name.ends_with(state)) {
      const std::string stem = name.substr(0, name.size() - state.size());
      return state == ".weight_format" ? stem + ".weight" : stem;
    }
  return name.ends_with(".SCB") ? name.substr(0, name.size() - 4) + ".weight" : "";
}

/// {"shape": [48, 48], ...} as bytes in a tensor of uint8.
std::optional<Shape> shape_in_state(const StoredTensor& state) {
  constexpr std::uint64_t kLargest = 1 << 16;
  if (!state.readable || state.view.dtype() != DType::uint8 || state.view.numel() > kLargest)
    return std::nullopt;
  std::vector<std::uint8_t> scratch;
  const Bytes bytes = state.view.row_major_range(0, state.view.numel(), scratch);
  const Result<Json> json = parse_json(bytes, "");
  if (!json || !json->is_object() || !json->contains("shape") || !(*json)["shape"].is_array())
    return std::nullopt;
  Shape shape;
  for (const Json& size : (*json)["shape"]) {
    if (!size.is_number_integer()) return std::nullopt;
    shape.push_back(size.get<std::int64_t>());
  }
  return shape;
}

/// "np" of {"format": "np"}, which transformers 4.57.6 refuses; "" where it takes the file.
std::string refused_format(const Checkpoint& checkpoint) {
  const Json& producer = checkpoint.producer;
  if (!producer.is_object() || !producer.contains("metadata")) return "";
  const Json& metadata = producer["metadata"];
  if (!metadata.is_object() || !metadata.contains("format")) return "";
  constexpr std::array<std::string_view, 4> kTaken = {"pt", "tf", "flax", "mlx"};
  const std::string format =
      metadata["format"].is_string() ? metadata["format"].get<std::string>() : "";
  return std::ranges::find(kTaken, format) == kTaken.end() ? format : "";
}

/// What the loader makes of a file before it looks at a tensor of it.
void refuse_contents(const Checkpoint& checkpoint, LoadReport& load) {
  const bool four = load.target.starts_with("transformers-4");
  constexpr const char* kConvert = "samebits convert --to hf writes it as it is to be";
  if (checkpoint.weights().inside == kModuleInside) {
    load.raises = four ? "OSError: the file holds a whole module, no state dict"
                       : "UnpicklingError: the file holds a whole module, no state dict";
    load.remedy = std::string("Save its state_dict() in that file: ") + kConvert;
  } else if (const std::string format = refused_format(checkpoint); four && !format.empty()) {
    load.raises = fmt::format("ValueError: the file's metadata says format {}", format);
    load.remedy = std::string("Write it with metadata={\"format\": \"pt\"}: ") + kConvert;
  }
}

}  // namespace

void refuse_missing_files(const Checkpoint& checkpoint, LoadReport& load) {
  const std::string& taken = checkpoint.weights().key;
  refuse_contents(checkpoint, load);
  if (std::ranges::find(kFound, taken) == kFound.end()) {
    const std::string variant = variant_in(taken);
    load.raises =
        "OSError: no file named model.safetensors or pytorch_model.bin is in the directory";
    const bool series = taken.find("-*-of-") != std::string::npos;
    load.remedy = series ? "Get the index of these shards from where they are from, or load them "
                           "one by one"
                  : variant.empty()
                      ? fmt::format("Rename {} to model.safetensors, or load it by itself", taken)
                      : fmt::format("Pass variant=\"{}\" to from_pretrained, which then finds {}",
                                    variant, taken);
  }
  for (const Error& error : checkpoint.unread) {
    if (error.what != "a shard of the model is missing") continue;
    load.raises =
        "FileNotFoundError: no such file: " + std::filesystem::path(error.file).filename().string();
    load.remedy = error.hint;
    break;
  }
  if (load.raises.empty() || load.remedy.empty()) return;
  load.loaded = 0;
  load.silent = false;
  load.random.clear();
  load.dropped.clear();
  load.mismatched.clear();
  load.mismatches.clear();
  load.repair.clear();
  load.refits.clear();
  load.restored = 0;
}

StoredWeights stored_weights(const Checkpoint& checkpoint) {
  StoredWeights out;
  const bool packed = quantization_method(checkpoint) == "bitsandbytes";
  std::map<std::string, std::optional<Shape>> matrices;
  std::set<std::string> names, states;
  for (const std::uint32_t index : checkpoint.weights().weights)
    names.insert(checkpoint.entries[index].name);
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    const std::string matrix = packed ? matrix_of(tensor.name) : "";
    if (matrix.empty() || !names.contains(matrix)) continue;
    states.insert(tensor.name);
    std::optional<Shape>& shape = matrices[matrix];
    if (tensor.name.find(".quant_state.") != std::string::npos) shape = shape_in_state(tensor);
  }
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    if (!tensor.readable || states.contains(tensor.name)) continue;
    const auto matrix = matrices.find(tensor.name);
    const bool known = matrix != matrices.end() && matrix->second;
    if (matrix != matrices.end()) out.quantized.push_back(tensor.name);
    out.shapes.push_back({tensor.name, known ? *matrix->second : tensor.view.shape()});
  }
  return out;
}

std::string quantization_method(const Checkpoint& checkpoint) {
  if (!checkpoint.config.is_object()) return "";
  const auto found = checkpoint.config.find("quantization_config");
  if (found == checkpoint.config.end() || !found->is_object()) return "";
  const auto method = found->find("quant_method");
  if (method != found->end() && method->is_string()) return method->get<std::string>();
  const auto four = found->find("load_in_4bit"), eight = found->find("load_in_8bit");
  return four != found->end() || eight != found->end() ? "bitsandbytes" : "unknown";
}

}  // namespace samebits
