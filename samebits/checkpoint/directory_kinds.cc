#include "samebits/checkpoint/directory_kinds.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace samebits {
namespace {

constexpr std::size_t kMostNames = 10'000;

constexpr std::string_view kDcpHint =
    "Name that directory: {}. To load it elsewhere, python -m "
    "torch.distributed.checkpoint.format_utils dcp_to_torch {} OUT writes one file, with the "
    "optimizer's state under text keys (\"0\"), which load_state_dict takes without a word and "
    "does "
    "not use";

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end;
       !error && at != end && names.size() < kMostNames; at.increment(error))
    names.push_back(at->path().filename().string());
  std::ranges::sort(names);
  return names;
}

template <class Test>
std::size_t count_names(const std::vector<std::string>& names, Test test) {
  return static_cast<std::size_t>(std::ranges::count_if(names, test));
}

Error named(const std::string& directory, std::string what, std::string hint) {
  return {.code = ErrorCode::unsupported,
          .what = "the directory is " + std::move(what),
          .file = directory,
          .expected = "model.safetensors or pytorch_model.bin, one file or sharded by an index",
          .hint = std::move(hint)};
}

std::optional<Error> find_dcp(const std::string& directory, const std::vector<std::string>& names) {
  const bool has_metadata = std::ranges::binary_search(names, ".metadata");
  const std::size_t shards =
      count_names(names, [](const std::string& name) { return name.ends_with(".distcp"); });
  if (!has_metadata && shards == 0) return std::nullopt;
  if (has_metadata)
    return named(directory, "a distributed checkpoint (DCP)",
                 fmt::format(fmt::runtime(kDcpHint), directory, directory));
  return named(
      directory,
      fmt::format("a part of a distributed checkpoint (DCP): {} without the .metadata that "
                  "names their tensors",
                  shards == 1 ? "one shard" : fmt::format("{} shards", shards)),
      "Copy .metadata from where it was saved; it is written last, so a save that was "
      "interrupted has none");
}

std::optional<Error> find_deepspeed(const std::string& directory,
                                    const std::vector<std::string>& names) {
  const auto is_states = [](const std::string& name) {
    return name.ends_with("_model_states.pt") || name.ends_with("_optim_states.pt");
  };
  if (count_names(names, is_states) == 0) return std::nullopt;
  const std::string name_it = fmt::format(
      "Name {}: its partitions are then put together, as zero_to_fp32.py does", directory);
  const bool third =
      count_names(names, [](const std::string& name) {
        return name.starts_with("zero_pp_rank_") && name.ends_with("_model_states.pt");
      }) > 0;
  if (third)
    return named(directory,
                 "a DeepSpeed checkpoint of ZeRO stage 3: its weights are in the *_optim_states.pt "
                 "of all ranks, and no single file holds a tensor of them",
                 name_it);
  const auto model = std::ranges::find_if(
      names, [](const std::string& name) { return name.ends_with("_model_states.pt"); });
  if (model == names.end())
    return named(
        directory, "a part of a DeepSpeed checkpoint: states of the optimizer",
        "Copy the whole folder: the *_model_states.pt, which say what the tensors are, are "
        "not there");
  return named(directory, "a DeepSpeed checkpoint", name_it);
}

std::optional<Error> find_in(const std::string& directory, const std::vector<std::string>& names) {
  if (auto dcp = find_dcp(directory, names)) return dcp;
  return find_deepspeed(directory, names);
}

/// What other libraries write, by the name of one of their files.
struct ForeignWeights {
  const char *name, *what, *hint;
};
constexpr auto kForeignWeights = std::to_array<ForeignWeights>({
    {"flax_model.msgpack", "Flax",
     "Load them with from_flax=True in transformers 4, and save_pretrained() the model"},
    {"flax_model.msgpack.index.json", "Flax",
     "Load them with from_flax=True in transformers 4, and save_pretrained() the model"},
    {"tf_model.h5", "TensorFlow",
     "Load them with from_tf=True in transformers 4, and save_pretrained() the model"},
    {"saved_model.pb", "a TensorFlow SavedModel",
     "Load it with TensorFlow, and save its variables with numpy.savez"},
    {"_CHECKPOINT_METADATA", "Orbax",
     "Restore them with orbax.checkpoint, and save the arrays with numpy.savez"},
});

bool lies_there(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(path, error);
}

}  // namespace

std::optional<Error> find_distributed(const std::string& directory) {
  const std::vector<std::string> names = names_in(directory);
  if (auto own = find_in(directory, names)) return own;
  constexpr std::size_t kMostFolders = 100;
  std::vector<std::string> folders;
  for (const std::string& name : names) {
    std::error_code error;
    if (folders.size() < kMostFolders &&
        std::filesystem::is_directory(std::filesystem::path(directory) / name, error))
      folders.push_back(name);
  }
  // The weights go before the optimizer's states, the last save before those of earlier steps.
  std::ranges::stable_partition(
      folders, [](const std::string& name) { return name.find("optim") == std::string::npos; });
  for (const std::string& name : folders) {
    const std::string path = directory + "/" + name;
    if (auto below = find_in(path, names_in(path))) {
      below->what = "it holds no weights itself; in " + name + ", " + below->what;
      below->file = directory;
      return below;
    }
  }
  return std::nullopt;
}

std::optional<Error> find_foreign_weights(const std::string& directory) {
  for (const ForeignWeights& foreign : kForeignWeights)
    if (lies_there(directory + "/" + foreign.name))
      return Error{.code = ErrorCode::unsupported,
                   .what = fmt::format("the directory holds weights of {} ({}), which are not read",
                                       foreign.what, foreign.name),
                   .file = directory,
                   .hint = foreign.hint};
  return std::nullopt;
}

std::string hint_beside(const std::string& file) {
  const auto beside = [](const std::string& other, const char* what) {
    return fmt::format("It lies beside {}: {}", std::filesystem::path(other).filename().string(),
                       what);
  };
  if (const std::size_t data = file.rfind(".data-"); data != std::string::npos) {
    const std::string index = file.substr(0, data) + ".index";
    if (lies_there(index))
      return beside(index,
                    "it is the data of a TensorFlow checkpoint; load that with "
                    "tf.train.load_checkpoint, and save its variables with numpy.savez");
  }
  const std::filesystem::path path(file);
  if (path.extension() == ".bin") {
    const std::string model = (path.parent_path() / path.stem()).string() + ".xml";
    if (lies_there(model))
      return beside(model,
                    "it may be the numbers of an OpenVINO model; name what that was "
                    "converted from");
  }
  if (path.extension() == ".data" || path.extension() == ".onnx_data") {
    const std::string whole = (path.parent_path() / path.stem()).string();
    const std::string model = whole.ends_with(".onnx") ? whole : whole + ".onnx";
    if (lies_there(model))
      return beside(model,
                    "it may be the external data of that ONNX model; read both with the "
                    "onnx package");
  }
  return "";
}

}  // namespace samebits
