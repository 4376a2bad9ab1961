#include "samebits/convert/merge_adapter.h"

#include <algorithm>
#include <filesystem>
#include <span>

#include <fmt/format.h>

#include "samebits/base/scratch_file.h"
#include "samebits/base/work_meter.h"
#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/convert/adapter_layers.h"
#include "samebits/convert/base_names.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/verify.h"

namespace samebits {
namespace {

Error merge_error(const Checkpoint& base, ErrorCode code, std::string what, std::string hint) {
  return {.code = code, .what = std::move(what), .file = base.path, .hint = std::move(hint)};
}

Result<Checkpoint> open_factors(const std::string& folder, int threads) {
  for (const char* name : {"adapter_model.safetensors", "adapter_model.bin"}) {
    const std::string path = folder + "/" + name;
    std::error_code error;
    if (!std::filesystem::exists(path, error)) continue;
    SAMEBITS_TRY(Checkpoint factors, open_checkpoint(path, {.threads = threads}));
    SAMEBITS_TRY_VOID(check_whole(factors, threads));
    return factors;
  }
  return fail({.code = ErrorCode::usage,
               .what = "it holds no adapter_model.safetensors and no adapter_model.bin",
               .file = folder,
               .hint = "Give the directory that peft's save_pretrained() wrote"});
}

class Merger {
 public:
  Merger(Checkpoint& base, const AdapterRules& rules, const AdapterLayers& adapter, int threads)
      : base_(base), rules_(rules), adapter_(adapter), pool_(threads) {}

  Result<MergedAdapter> merge(const std::string& folder) {
    SAMEBITS_TRY_VOID(find_weights());
    SAMEBITS_TRY_VOID(replace_whole());
    look_at_directions();
    const std::uint64_t bytes = merged_bytes();
    SAMEBITS_TRY(scratch_, ScratchFile::create(folder, bytes));
    WorkStep step("merging", bytes);
    for (const auto& [name, layer] : adapter_.layers) {
      SAMEBITS_TRY_VOID(merge_layer(name, layer));
      step.add(base_.entries[names_.at(name + ".weight")].view.nbytes());
    }
    return MergedAdapter{.weights = adapter_.layers.size(),
                         .whole = adapter_.whole.size(),
                         .kind = rules_.dora ? "DoRA" : "LoRA",
                         .scratch = scratch_};
  }

 private:
  Result<void> find_weights() {
    std::set<std::string> wanted;
    for (const auto& [name, layer] : adapter_.layers) wanted.insert(name + ".weight");
    if (wanted.empty())
      return fail(merge_error(base_, ErrorCode::usage, "the adapter holds no factors of LoRA",
                              "Give the directory that peft's save_pretrained() wrote"));
    SAMEBITS_TRY(names_, find_in_base(base_, wanted));
    return {};
  }

  /// A module that the base has under another number of names is none that can be replaced.
  Result<void> replace_whole() {
    std::vector<std::string> absent;
    for (const auto& [name, view] : adapter_.whole) {
      const auto at = names_.find(name);
      if (at == names_.end()) {
        absent.push_back(name);
        continue;
      }
      put(at->second, view);
    }
    if (absent.empty()) return {};
    return fail(merge_error(base_, ErrorCode::inconsistent,
                            fmt::format("the adapter holds {} that the base lacks: {}",
                                        counted(absent.size(), "weight"), some_of(absent)),
                            "Save the base with the class that was adapted, head included, and "
                            "give that; where the class ties its head to the embeddings, merge "
                            "with peft: model.merge_and_unload()"));
  }

  std::uint64_t merged_bytes() const {
    std::uint64_t bytes = 0;
    for (const auto& [name, layer] : adapter_.layers)
      bytes += base_.entries[names_.at(name + ".weight")].view.nbytes();
    return bytes;
  }

  /// Square weights show no direction. The config's word counts, unless others go against it.
  void look_at_directions() {
    for (const auto& [name, layer] : adapter_.layers) {
      const Shape& shape = base_.entries[names_.at(name + ".weight")].view.shape();
      LowRankUpdate update = layer.update;
      update.transposed = rules_.transposed;
      const bool matrix = shape.size() == 2 && !layer.embedding;
      config_misleads_ |= matrix && shape_of_update(update) != shape;
    }
  }

  Result<LowRankUpdate> fitted(const std::string& name, const AdapterLayer& layer,
                               const Shape& shape) const {
    LowRankUpdate update = layer.update;
    const bool matrix = shape.size() == 2 && !layer.embedding;
    if (matrix && config_misleads_ && shape[0] == shape[1])
      return fail(merge_error(base_, ErrorCode::inconsistent,
                              fmt::format("whether {} is stored transposed cannot be told: "
                                          "fan_in_fan_out of its config is {}, and the shapes of "
                                          "other layers say otherwise",
                                          name, rules_.transposed),
                              "Merge it with peft: model.merge_and_unload()"));
    if (matrix) {
      update.transposed = rules_.transposed;
      update.transposed ^= shape_of_update(update) != shape;
    }
    if (shape_of_update(update) == shape) return update;
    return fail(merge_error(base_, ErrorCode::inconsistent,
                            fmt::format("the factors of {} do not fit its weight of shape [{}]",
                                        name, fmt::join(shape, ", ")),
                            "Give the base that the adapter was trained on"));
  }

  Result<void> merge_layer(const std::string& name, const AdapterLayer& layer) {
    const std::uint32_t index = names_.at(name + ".weight");
    const TensorView weight = base_.entries[index].view;
    if (!base_.entries[index].readable)
      return fail(merge_error(base_, ErrorCode::inconsistent,
                              "the values of " + base_.entries[index].name + " are not in it",
                              "Give the complete checkpoint"));
    SAMEBITS_TRY(const LowRankUpdate update, fitted(name, layer, weight.shape()));
    const std::span<std::uint8_t> bytes = scratch_->take(weight.nbytes());
    Result<void> merged = merge_weight(weight, update, pool_, bytes);
    if (!merged) {
      merged.error().what = name + ": " + merged.error().what;
      merged.error().file = base_.path;
      return merged;
    }
    SAMEBITS_TRY(const TensorView view,
                 TensorView::make(weight.dtype(), weight.shape(),
                                  contiguous_strides(weight.shape()), 0, bytes));
    put(index, view);
    return {};
  }

  /// In the place of a weight, and of those that are tied to it.
  void put(std::uint32_t index, const TensorView& view) {
    const StoredTensor before = base_.entries[index];
    const std::uint32_t storage = next_storage_id(base_);
    for (const std::uint32_t each : base_.weights().weights) {
      StoredTensor& tensor = base_.entries[each];
      const bool tied = tensor.readable && tensor.storage == before.storage &&
                        tensor.file == before.file && tensor.offset == before.offset &&
                        tensor.view.shape() == before.view.shape() && tensor.view.numel() > 0;
      if (each != index && !tied) continue;
      tensor.view = view;
      tensor.readable = true;
      tensor.storage = storage;
      tensor.storage_bytes = view.nbytes();
    }
  }

  Checkpoint& base_;
  const AdapterRules& rules_;
  const AdapterLayers& adapter_;
  ThreadPool pool_;
  std::shared_ptr<ScratchFile> scratch_;
  BaseNames names_;
  bool config_misleads_ = false;  // fan_in_fan_out
};

}  // namespace

Result<MergedAdapter> merge_adapter(Checkpoint& base, const std::string& adapter,
                                    const std::string& folder, int threads) {
  SAMEBITS_TRY(const AdapterRules rules, read_adapter_rules(adapter));
  if (holds_lora(base)) {
    SAMEBITS_TRY(const AdapterLayers layers, read_adapter_layers(base, rules, true));
    make_base_of(base, layers);
    base.adapter = Json();
    return Merger(base, rules, layers, threads).merge(folder);
  }
  const auto factors = std::make_shared<Checkpoint>();
  SAMEBITS_TRY(*factors, open_factors(adapter, threads));
  SAMEBITS_TRY(const AdapterLayers layers, read_adapter_layers(*factors, rules, false));
  base.adapter = Json();
  SAMEBITS_TRY(MergedAdapter merged, Merger(base, rules, layers, threads).merge(folder));
  merged.factors = factors;
  return merged;
}

}  // namespace samebits
