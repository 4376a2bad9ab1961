#include "samebits/explain/load_contents.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "samebits/checkpoint/hf_directory.h"
#include "samebits/checkpoint/torch_load.h"
#include "samebits/explain/subjects.h"
#include "samebits/family/activations.h"
#include "samebits/model/predict_load.h"

namespace samebits {
namespace {

constexpr const char* kConvert = "samebits convert --to hf writes it as it is to be";

bool is_four(const LoadReport& load) { return load.target.starts_with("transformers-4"); }

/// What torch.load() raises becomes an OSError in 4.57.6.
std::string by_version(const LoadReport& load, std::string_view five, std::string_view text) {
  return fmt::format("{}: {}", is_four(load) ? "OSError" : five, text);
}

/// "np" of {"format": "np"}; "" where the file does not say one.
std::string format_in_metadata(const Checkpoint& checkpoint) {
  const Json& producer = checkpoint.producer;
  if (!producer.is_object() || !producer.contains("metadata")) return "";
  const Json& metadata = producer["metadata"];
  if (!metadata.is_object() || !metadata.contains("format")) return "";
  return metadata["format"].is_string() ? metadata["format"].get<std::string>() : "";
}

void refuse_metadata(const Checkpoint& checkpoint, LoadReport& load) {
  const std::string format = format_in_metadata(checkpoint);
  if (!is_four(load) || format.empty() || format == "pt" || format == "mlx") return;
  const std::string remedy =
      std::string("Write it with metadata={\"format\": \"pt\"}: ") + kConvert;
  const bool tensorflow = format == "tf";
  if (!tensorflow && format != "flax")
    return end_with_error(
        load, fmt::format("ValueError: the file's metadata says format {}", format), remedy);
  end_with_error(load,
                 fmt::format("ModuleNotFoundError: the file's metadata says format {}, which is "
                             "read through {} alone",
                             format, tensorflow ? "tensorflow" : "jax"),
                 remedy);
}

/// What 4.57.6 has no type for, whoever wants the tensor.
void refuse_complex(const Checkpoint& checkpoint, LoadReport& load) {
  if (!is_four(load)) return;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    const bool safetensors = checkpoint.files[tensor.file].container == "safetensors";
    if (!safetensors || info(tensor.view.dtype()).family != DTypeFamily::complex) continue;
    return end_with_error(
        load, fmt::format("ValueError: {} is complex in a safetensors file", tensor.name),
        "Store it in a type of real numbers, as the parameters are");
  }
}

/// The files that hold the chosen weights.
std::set<std::uint32_t> weight_files(const Checkpoint& checkpoint) {
  std::set<std::uint32_t> files;
  for (const std::uint32_t index : checkpoint.weights().weights)
    if (!checkpoint.entries[index].absent) files.insert(checkpoint.entries[index].file);
  return files;
}

/// A file whose name says another format than its bytes: only names decide how it is read.
void refuse_other_format(const Checkpoint& checkpoint, LoadReport& load) {
  const std::set<std::uint32_t> files = weight_files(checkpoint);
  for (const std::uint32_t index : files) {
    const SourceFile& source = checkpoint.files[index];
    const std::string name = std::filesystem::path(source.path).filename().string();
    const bool named = name.ends_with(".safetensors");
    const bool is_safetensors = source.container == "safetensors";
    if (named == is_safetensors) continue;
    const std::string held = is_safetensors ? "safetensors" : "no safetensors";
    end_with_error(
        load,
        named ? fmt::format("SafetensorError: {} holds {}", name, held)
              : by_version(load, "UnpicklingError", fmt::format("{} holds {}", name, held)),
        fmt::format("{} is read as its name says: {}", name, kConvert));
    if (files.size() == 1 && is_safetensors)
      load.remedy = fmt::format("Rename {} to model.safetensors", name);
    return;
  }
}

/// What torch.load(weights_only=True) raises: an archive of another kind, or a class or a function
/// that it does not allow.
void refuse_pickles(const Checkpoint& checkpoint, LoadReport& load) {
  if (checkpoint.weights().inside == kModuleInside)
    return end_with_error(
        load, by_version(load, "UnpicklingError", "the file holds a whole module, no state dict"),
        std::string("Save its state_dict() in that file: ") + kConvert);
  const std::vector<LoadRefusal> refusals = find_refusals(checkpoint);
  if (!refusals.empty()) {
    const LoadRefusal& refusal = refusals.front();
    const std::string text =
        refusal.globals.empty()
            ? "torch.load refuses the file: " + refusal.obstacles[0]
            : fmt::format("torch.load refuses the file: it names {}", some_of(refusal.globals));
    return end_with_error(
        load, by_version(load, refusal.archive ? "RuntimeError" : "UnpicklingError", text),
        std::string("Save plain tensors under plain names: ") + kConvert);
  }
  for (const std::uint32_t index : weight_files(checkpoint)) {
    const std::string& container = checkpoint.files[index].container;
    if (container == "safetensors" || container.starts_with("torch-")) continue;
    return end_with_error(
        load,
        by_version(load, container == "pickle" ? "UnpicklingError" : "RuntimeError",
                   "the file is none of torch.save"),
        std::string("Write its tensors by torch.save: ") + kConvert);
  }
}

using Names = std::vector<std::string>;

/// What stands in the checkpoint and is wanted by the target, by why no parameter takes it.
struct Untaken {
  Names valueless, sparse, quantized, integers;
  bool coordinates = false;  // sparse_coo
};

Untaken untaken_values(const Checkpoint& checkpoint, const LoadReport& load) {
  const std::set<std::string> dropped(load.dropped.begin(), load.dropped.end());
  Untaken found;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    const std::string& name = tensor.name;
    const std::string key =
        tensor.sparse ? name.substr(0, name.size() - tensor.sparse->part.size() - 1) : name;
    if (dropped.contains(key)) continue;
    const DTypeFamily family = info(tensor.view.dtype()).family;
    if (tensor.sparse) {
      if (found.sparse.empty() || found.sparse.back() != key) found.sparse.push_back(key);
      found.coordinates = found.coordinates || tensor.sparse->layout == "sparse_coo";
    } else if (tensor.device == "meta") {
      found.valueless.push_back(key);
    } else if (family == DTypeFamily::quantized) {
      found.quantized.push_back(key);
    } else if (family != DTypeFamily::floating && family != DTypeFamily::complex) {
      found.integers.push_back(key);
    }
  }
  return found;
}

/// "13 tensors are sparse, fc.weight among them".
std::string told(const Names& names, const char* what) {
  return fmt::format("{} {}, {}{}", counted(names.size(), "tensor", "is", "are"), what, names[0],
                     names.size() > 1 ? " among them" : "");
}

}  // namespace

void end_with_error(LoadReport& load, std::string raises, std::string remedy) {
  LoadReport ended{.target = std::move(load.target),
                   .way = std::move(load.way),
                   .target_tensors = load.target_tensors};
  ended.raises = std::move(raises);
  ended.remedy = std::move(remedy);
  load = std::move(ended);
}

void refuse_contents(const Checkpoint& checkpoint, LoadReport& load) {
  for (const auto refuse : {refuse_other_format, refuse_metadata, refuse_complex, refuse_pickles}) {
    refuse(checkpoint, load);
    if (!load.raises.empty() && !load.remedy.empty()) return;
  }
}

void refuse_values(const Checkpoint& checkpoint, bool plain_target, LoadReport& load) {
  if (!load.raises.empty() && !load.remedy.empty()) return;
  const Untaken found = untaken_values(checkpoint, load);
  const bool pretrained = load.way == model::way_name(model::Way::from_pretrained);
  const auto raised = [&](const char* error, const std::string& text) {
    return fmt::format("{}: {}", pretrained ? error : "RuntimeError", text);
  };
  if (!found.valueless.empty()) {
    end_with_error(load,
                   raised("NotImplementedError", told(found.valueless, "without values (meta)")),
                   "Take the checkpoint that the model was to be filled from, or save again when "
                   "its tensors have values: the file holds none of these");
  } else if (!found.sparse.empty()) {
    end_with_error(load,
                   raised(found.coordinates ? "NotImplementedError" : "RuntimeError",
                          told(found.sparse, "sparse")),
                   "Make them dense and save them again: state[name] = state[name].to_dense()");
  } else if (!found.quantized.empty() && plain_target) {
    const std::string text = told(found.quantized, "quantized");
    end_with_error(load, pretrained ? by_version(load, "RuntimeError", text) : raised("", text),
                   "Give them as numbers and save them again: state[name] = "
                   "state[name].dequantize()");
  } else if (!found.integers.empty() && pretrained && is_four(load)) {
    end_with_error(load, raised("RuntimeError", told(found.integers, "of an integer type")),
                   "Store them as the parameters are: samebits convert --to hf --dtype float32");
  }
}

void refuse_activation(const Json& config, model::Library library, LoadReport& load) {
  if (!config.is_object() || !load.remedy.empty()) return;
  const auto named = config.find("hidden_act");
  if (named == config.end() || !named->is_string()) return;
  const std::string name = named->get<std::string>();
  const Json swiglu = config.value("use_swiglu_ffn", Json());
  if (has_activation(library, name) || (swiglu.is_boolean() && swiglu.get<bool>())) return;
  end_with_error(load, fmt::format("KeyError: hidden_act of config.json is {}", name),
                 fmt::format("Name an activation that {} has in hidden_act, as it was trained: "
                             "\"gelu\" in most of these models",
                             library_name(library)));
}

bool is_list_of_pairs(const Checkpoint& checkpoint) {
  const std::vector<std::uint32_t>& weights = checkpoint.weights().weights;
  return !weights.empty() && std::ranges::all_of(weights, [&](std::uint32_t index) {
    const std::string& name = checkpoint.entries[index].name;
    const std::size_t end = name.find_first_not_of("0123456789");
    return end != 0 && end != std::string::npos && name.substr(end) == ".1";
  });
}

}  // namespace samebits
