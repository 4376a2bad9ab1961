#include "samebits/checkpoint/safetensors_files.h"

#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/choice.h"
#include "samebits/checkpoint/dcp_shards.h"
#include "samebits/checkpoint/torch_files.h"
#include "samebits/container/safetensors.h"

namespace samebits {
namespace {

// Its names are known to be different; operator[] would look for each among all.
void take_metadata(Checkpoint& checkpoint, const SafetensorsFile& header) {
  if (header.metadata.empty()) return;
  Json::object_t metadata;
  for (const auto& [name, value] : header.metadata) metadata.emplace_back(name, value);
  checkpoint.producer["metadata"] = std::move(metadata);
}

}  // namespace

Result<void> add_safetensors(Checkpoint& checkpoint, std::uint32_t file) {
  checkpoint.files[file].container = "safetensors";
  const Bytes bytes = checkpoint.files[file].map->bytes();
  SAMEBITS_TRY(SafetensorsFile header, SafetensorsFile::open(bytes, checkpoint.files[file].path));
  use_bytes(checkpoint, file, 0, 8 + header.header_bytes, ByteUse::structure);
  take_metadata(checkpoint, header);
  std::uint32_t id = next_storage_id(checkpoint);
  for (SafetensorsEntry& entry : header.entries) {
    StoredTensor tensor;
    tensor.path = std::move(entry.name);
    tensor.role = TensorRole::weight;
    tensor.file = file;
    tensor.offset = entry.begin;
    tensor.storage = id++;
    tensor.storage_bytes = entry.end - entry.begin;
    Strides strides = contiguous_strides(entry.shape);
    SAMEBITS_TRY(tensor.view,
                 TensorView::make(entry.dtype, std::move(entry.shape), std::move(strides), 0,
                                  bytes.subspan(entry.begin, entry.end - entry.begin)));
    checkpoint.entries.push_back(std::move(tensor));
  }
  return {};
}

namespace {

// What samebits run --trace wrote beside the points. Metadata that is no such thing makes the file
// an ordinary one.
void read_trace(Checkpoint& checkpoint) {
  checkpoint.kind = CheckpointKind::safetensors;
  if (checkpoint.producer.is_null()) return;
  Json& metadata = checkpoint.producer["metadata"];
  const auto text = metadata.find("samebits.trace");
  if (text == metadata.end() || !text->is_string()) return;
  const std::string bytes = text->get<std::string>();
  const Result<Json> trace = parse_json(
      {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, checkpoint.path);
  if (!trace || !trace->is_object() || !trace->contains("points") || !(*trace)["points"].is_array())
    return;
  checkpoint.kind = CheckpointKind::trace;
  for (StoredTensor& point : checkpoint.entries) point.role = TensorRole::other;
  metadata.erase(text);
  for (const Json& point : (*trace)["points"]) {
    if (point.is_object() && point.contains("name") && point["name"].is_string())
      checkpoint.trace_order.push_back(point["name"].get<std::string>());
  }
  const auto run = trace->find("run");
  if (run == trace->end() || !run->is_object()) return;
  if (const auto config = run->find("config"); config != run->end() && config->is_object()) {
    checkpoint.config = *config;
    checkpoint.config_from = "samebits.trace";
    if (config->contains("model_type") && (*config)["model_type"].is_string())
      checkpoint.model_type = (*config)["model_type"].get<std::string>();
  }
  checkpoint.producer["trace"] = *run;
  checkpoint.producer["trace"].erase("config");
}

}  // namespace

Result<void> read_safetensors(Checkpoint& checkpoint, std::uint32_t file, const std::string& key) {
  SAMEBITS_TRY_VOID(add_safetensors(checkpoint, file));
  read_trace(checkpoint);
  if (checkpoint.kind == CheckpointKind::trace) return {};  // activations are no weights
  find_lone_dcp_shard(checkpoint, file);
  Candidate all;
  for (std::uint32_t i = 0; i < checkpoint.entries.size(); ++i) all.weights.push_back(i);
  checkpoint.candidates.push_back(std::move(all));
  return choose_weights(checkpoint, key);
}

}  // namespace samebits
