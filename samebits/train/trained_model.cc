#include "samebits/train/trained_model.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/checkpoint/open.h"
#include "samebits/run/module_config.h"
#include "samebits/run/weight_parts.h"
#include "samebits/train/model_step.h"

namespace samebits {
namespace {

/// Where a stored tensor stands among the slots.
struct SlotPlace {
  std::string slot;  // role
  std::size_t part = 0, parts = 1;
};

SlotPlace place_of_role(const std::string& stored) {
  std::string role = part_of_role(stored);
  constexpr std::string_view kThirds[] = {"query.", "key.", "value."};
  for (std::size_t i = 0; i < std::size(kThirds); ++i) {
    const std::size_t at = role.find(kThirds[i]);
    if (at == std::string::npos || (at > 0 && role[at - 1] != ':')) continue;
    return {role.replace(at, kThirds[i].size(), "qkv."), i, std::size(kThirds)};
  }
  return {role};
}

bool is_fixed(const VitConfig& config, const std::string& role) {
  return config.masked && (role == "positions" || role == "decoder:positions");
}

Error not_trained(const Checkpoint& checkpoint, const std::string& what) {
  return {.code = ErrorCode::unsupported, .what = what, .file = checkpoint.path};
}

/// Fills the lists of stored tensors.
class StoredTensors {
 public:
  StoredTensors(const Checkpoint& checkpoint, const model::Recognition& found, TrainedModel& model)
      : checkpoint_(checkpoint), found_(found), model_(model) {
    const std::vector<WeightSlot> slots = weight_slots(model.model.weights());
    for (std::size_t i = 0; i < slots.size(); ++i) by_role_[slots[i].role] = {i, slots[i].rows()};
  }

  Result<void> list() {
    const std::vector<std::uint32_t>& entries = checkpoint_.weights().weights;
    std::set<std::size_t> used;
    for (const model::Piece& piece : found_.pieces) {
      if (piece.parts != 1 || !add(checkpoint_.entries[entries[piece.tensor]], piece.role))
        continue;
      used.insert(piece.tensor);
    }
    std::map<std::size_t, std::string> roles;
    for (const model::Piece& piece : found_.pieces) {
      if (piece.parts == 1) roles[piece.tensor] = piece.role;
    }
    std::set<std::string> names;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const StoredTensor& tensor = checkpoint_.entries[entries[i]];
      if (!names.insert(tensor.name).second)
        return fail(not_trained(checkpoint_, "two tensors are called " + tensor.name));
      if (!used.contains(i)) {
        add_other(tensor, roles[i]);
      } else if (tensor.view.dtype() != DType::float32) {
        Error error = not_trained(checkpoint_, "the tensor " + tensor.name + " cannot be trained");
        error.expected = "float32";
        error.found = std::string(info(tensor.view.dtype()).torch);
        error.hint = "samebits convert writes the weights as float32";
        return fail(std::move(error));
      }
    }
    return {};
  }

 private:
  std::string name_of(const StoredTensor& tensor) const {
    const std::string& prefix = found_.prefix;
    return tensor.name.starts_with(prefix) ? tensor.name.substr(prefix.size()) : tensor.name;
  }

  bool add(const StoredTensor& tensor, const std::string& role) {
    const SlotPlace place = place_of_role(role);
    const auto slot = by_role_.find(place.slot);
    if (slot == by_role_.end()) return false;
    const auto& [index, rows] = slot->second;
    const bool fixed = is_fixed(model_.model.config(), role);
    model_.weights.push_back({.name = name_of(tensor),
                              .role = role,
                              .shape = tensor.view.shape(),
                              .slot = index,
                              .first = rows / place.parts * place.part,
                              .count = rows / place.parts,
                              .fixed = fixed,
                              .learns = !fixed});
    return true;
  }

  void add_other(const StoredTensor& tensor, const std::string& role) {
    std::vector<std::uint8_t> buffer;
    const Bytes bytes = tensor.view.row_major_bytes(buffer);
    model_.others.push_back({name_of(tensor), role, tensor.view.dtype(), tensor.view.shape(),
                             std::vector<std::uint8_t>(bytes.begin(), bytes.end())});
  }

  const Checkpoint& checkpoint_;
  const model::Recognition& found_;
  TrainedModel& model_;
  std::map<std::string, std::pair<std::size_t, std::size_t>> by_role_;  // index, rows
};

}  // namespace

/// Rows as bytes, some at a time.
Blob blob_of_rows(const WeightSlot& slot, std::size_t first, std::size_t count) {
  const std::size_t length = slot.row_length();
  return {.size = count * length * sizeof(float),
          .feed = [slot, first, count, length](const ByteSink& sink) -> Result<void> {
            constexpr std::size_t kTogether = 1 << 18;  // elements
            const std::size_t rows = std::max<std::size_t>(kTileColumns, kTogether / length);
            std::vector<float> buffer(std::min(rows, count) * length);
            for (std::size_t row = 0; row < count; row += rows) {
              const std::size_t some = std::min(rows, count - row);
              slot.read_rows(first + row, some, buffer.data());
              SAMEBITS_TRY_VOID(sink({reinterpret_cast<const std::uint8_t*>(buffer.data()),
                                      some * length * sizeof(float)}));
            }
            return {};
          }};
}

bool TrainedModel::is_norm_or_bias(const WeightSlot& slot) {
  return slot.role.ends_with(".bias") || slot.role.find("norm") != std::string::npos;
}

TensorsToWrite TrainedModel::tensors(VitWeights& values, const std::string& prefix,
                                     bool all) const {
  TensorsToWrite made;
  const std::vector<WeightSlot> slots = weight_slots(values);
  for (const StoredWeight& weight : weights) {
    if (!all && !weight.learns) continue;
    made.tensors.push_back({prefix + weight.name, DType::float32, weight.shape, made.blobs.size()});
    made.blobs.push_back(blob_of_rows(slots[weight.slot], weight.first, weight.count));
  }
  for (std::size_t i = 0; all && i < others.size(); ++i) {
    const OtherTensor& other = others[i];
    made.tensors.push_back({prefix + other.name, other.dtype, other.shape, made.blobs.size()});
    made.blobs.push_back({other.bytes.size(), [&other](const ByteSink& sink) -> Result<void> {
                            return other.bytes.empty() ? Result<void>() : sink(other.bytes);
                          }});
  }
  return made;
}

Result<TrainedModel> trained_model(const Checkpoint& checkpoint, const Json& config, int threads) {
  SAMEBITS_TRY(VitModel model, open_vit(checkpoint, config, threads));
  if (const char* reason = ModelStep::cannot_train(model); reason != nullptr)
    return fail(not_trained(checkpoint, std::string("this model cannot be trained: ") + reason));
  const ModuleConfig modules = run_config(checkpoint, config);
  SAMEBITS_TRY(const model::Recognition found, recognize_vit(checkpoint, modules.config));
  TrainedModel trained{.model = std::move(model),
                       .config = modules.config,
                       .preprocessing = checkpoint.preprocessing,
                       .found = found};
  SAMEBITS_TRY_VOID(StoredTensors(checkpoint, found, trained).list());
  return trained;
}

Result<TrainedModel> open_trained_model(const std::string& path, int threads) {
  SAMEBITS_TRY(const Checkpoint checkpoint, open_checkpoint(path, {.threads = threads}));
  return trained_model(checkpoint, checkpoint.config, threads);
}

}  // namespace samebits
