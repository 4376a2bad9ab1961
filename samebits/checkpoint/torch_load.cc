#include "samebits/checkpoint/torch_load.h"

#include <algorithm>
#include <set>

#include "samebits/checkpoint/weights_only.h"
#include "samebits/container/zip.h"

namespace samebits {
namespace {

void take_reading(const WeightsOnlyReading& reading, LoadRefusal* refusal) {
  refusal->globals.insert(refusal->globals.end(), reading.globals.begin(), reading.globals.end());
  refusal->obstacles.insert(refusal->obstacles.end(), reading.obstacles.begin(),
                            reading.obstacles.end());
}

/// data.pkl of the archive's first level, as torch's reader finds it.
const ZipEntry* main_record(const ZipArchive& zip) {
  for (const ZipEntry& entry : zip.entries()) {
    const std::size_t slash = entry.name.find('/');
    if (slash != std::string::npos && entry.name.substr(slash) == "/data.pkl") return &entry;
  }
  return zip.find("data.pkl");
}

LoadRefusal zip_refusal(const SourceFile& source) {
  LoadRefusal refusal;
  const Result<ZipArchive> zip = ZipArchive::open(source.map->bytes(), source.path);
  if (!zip) return refusal;
  const ZipEntry* record = main_record(*zip);
  if (record == nullptr) return refusal;
  const std::string prefix = record->name.substr(0, record->name.size() - 8);
  refusal.archive = zip->find(prefix + "constants.pkl") != nullptr;
  if (refusal.archive) {
    refusal.obstacles.emplace_back("a TorchScript archive, which torch.jit.load() reads");
    return refusal;
  }
  std::vector<std::uint8_t> buffer;
  if (const Result<Bytes> bytes = zip->read(*record, buffer))
    take_reading(read_as_weights_only(*bytes), &refusal);
  return refusal;
}

/// Magic number, version, system, object and keys: five pickles, one behind the other.
LoadRefusal legacy_refusal(const SourceFile& source) {
  LoadRefusal refusal;
  Bytes rest = source.map->bytes();
  for (int part = 0; part < 5; ++part) {
    const WeightsOnlyReading reading = read_as_weights_only(rest);
    take_reading(reading, &refusal);
    if (reading.stopped || reading.broken) break;
    rest = rest.subspan(reading.end);
  }
  return refusal;
}

LoadRefusal refusal_of(const SourceFile& source) {
  if (!source.map) return {};
  if (source.container == "torch-zip") return zip_refusal(source);
  if (source.container == "torch-legacy") return legacy_refusal(source);
  LoadRefusal refusal;
  if (source.container == "torch-tar") {
    refusal.archive = true;
    refusal.obstacles.emplace_back("a tar archive, as torch wrote them in 2016");
  }
  return refusal;
}

/// In a directory those files that hold the weights; else the one file.
std::set<std::uint32_t> files_of_weights(const Checkpoint& checkpoint) {
  std::set<std::uint32_t> files;
  if (checkpoint.kind != CheckpointKind::hf_directory) {
    if (!checkpoint.files.empty()) files.insert(0);
  } else if (checkpoint.has_weights()) {
    for (const std::uint32_t index : checkpoint.weights().weights)
      files.insert(checkpoint.entries[index].file);
  }
  return files;
}

void sort_unique(std::vector<std::string>* names) {
  std::sort(names->begin(), names->end());
  names->erase(std::unique(names->begin(), names->end()), names->end());
}

}  // namespace

std::vector<LoadRefusal> find_refusals(const Checkpoint& checkpoint) {
  std::vector<LoadRefusal> refusals;
  for (const std::uint32_t file : files_of_weights(checkpoint)) {
    LoadRefusal refusal = refusal_of(checkpoint.files[file]);
    if (refusal.globals.empty() && refusal.obstacles.empty()) continue;
    refusal.file = file;
    sort_unique(&refusal.globals);
    refusals.push_back(std::move(refusal));
  }
  return refusals;
}

std::vector<std::string> devices(const Checkpoint& checkpoint) {
  std::vector<std::string> names;
  for (const StoredTensor& tensor : checkpoint.entries) {
    if (!tensor.device.empty() && (names.empty() || names.back() != tensor.device))
      names.push_back(tensor.device);
  }
  sort_unique(&names);
  return names;
}

bool needs_map_location(const std::string& device) {
  return device != "cpu" && device != "meta" && !device.empty();
}

}  // namespace samebits
