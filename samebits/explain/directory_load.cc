#include "samebits/explain/directory_load.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "samebits/explain/load_contents.h"

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

/// What a file that from_pretrained does not look for is to be called: by its content.
std::string name_to_find(const Checkpoint& checkpoint) {
  const bool safetensors =
      std::ranges::all_of(checkpoint.weights().weights, [&](std::uint32_t index) {
        return checkpoint.files[checkpoint.entries[index].file].container == "safetensors";
      });
  return safetensors ? "model.safetensors" : "pytorch_model.bin";
}

/// A file that from_pretrained would take under another name, or what else is to be done with it.
std::string remedy_for_name(const Checkpoint& checkpoint, const LoadReport& refused) {
  const std::string& taken = checkpoint.weights().key;
  const std::string variant = variant_in(taken);
  if (taken.find("-*-of-") != std::string::npos)
    return "Get the index of these shards from where they are from, or load them one by one";
  if (!variant.empty())
    return fmt::format("Pass variant=\"{}\" to from_pretrained, which then finds {}", variant,
                       taken);
  const std::string name = name_to_find(checkpoint);
  const bool as_it_is = refused.raises.empty() && checkpoint.weights().inside.empty();
  if (!as_it_is && !refused.raises.starts_with("SafetensorError"))
    return "Write it as from_pretrained reads it: samebits convert --to hf does";
  return fmt::format("Rename {} to {}, or load it by itself", taken, name);
}

/// A sparse tensor, of which this is a part: a loader sees it as one.
void add_whole(const StoredTensor& part, std::vector<model::StoredShape>& shapes) {
  const std::string key = part.name.substr(0, part.name.size() - part.sparse->part.size() - 1);
  if (shapes.empty() || shapes.back().name != key) shapes.push_back({key, part.sparse->size});
}

}  // namespace

void refuse_missing_files(const Checkpoint& checkpoint, LoadReport& load) {
  refuse_contents(checkpoint, load);
  const std::string& taken = checkpoint.weights().key;
  if (std::ranges::find(kFound, taken) == kFound.end())
    end_with_error(
        load, "OSError: no file named model.safetensors or pytorch_model.bin is in the directory",
        remedy_for_name(checkpoint, load));
  for (const Error& error : checkpoint.unread) {
    if (error.what != "a shard of the model is missing") continue;
    return end_with_error(
        load,
        "FileNotFoundError: no such file: " + std::filesystem::path(error.file).filename().string(),
        error.hint);
  }
}

bool has_false_index(const Checkpoint& checkpoint) {
  return std::ranges::any_of(checkpoint.unread, [](const Error& error) {
    return error.what.starts_with("the index says");
  });
}

StoredWeights stored_weights(const Checkpoint& checkpoint, bool unpacks) {
  StoredWeights out;
  const bool packed = unpacks && quantization_method(checkpoint) == "bitsandbytes";
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
    const bool is_meta = tensor.device == "meta";
    if ((!tensor.readable && !is_meta) || states.contains(tensor.name)) continue;
    if (tensor.sparse) {
      add_whole(tensor, out.shapes);
      continue;
    }
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
