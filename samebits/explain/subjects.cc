#include "samebits/explain/subjects.h"

#include <optional>

#include "samebits/base/parallel.h"

namespace samebits {
namespace {

WeightSet set_of(const Checkpoint& checkpoint, const std::vector<std::uint32_t>& indexes,
                 const std::string& key) {
  const bool chosen = checkpoint.has_weights() && checkpoint.weights().key == key;
  const std::size_t prefix =
      key.empty() || checkpoint.kind == CheckpointKind::hf_directory ? 0 : key.size() + 1;
  std::vector<NamedTensor> tensors;
  tensors.reserve(indexes.size());
  for (const std::uint32_t index : indexes) {
    const StoredTensor& tensor = checkpoint.entries[index];
    std::string name =
        chosen ? tensor.name : tensor.path.substr(std::min(prefix, tensor.path.size()));
    tensors.push_back({std::move(name), tensor.view, tensor.storage, tensor.readable});
  }
  return WeightSet(std::move(tensors));
}

void note_unread(Report& report, const Checkpoint& checkpoint) {
  for (const Error& error : checkpoint.unread) {
    report.not_checked.push_back(to_string(error));
    report.incomplete = true;
  }
}

}  // namespace

void open_subjects(Report& report, const std::vector<SubjectOptions>& subjects,
                   const OpenOptions& options) {
  std::vector<std::optional<Result<Checkpoint>>> opened(subjects.size());
  parallel_for(subjects.size(), options.threads, [&](std::size_t i) {
    OpenOptions own = options;
    own.key = subjects[i].key;
    opened[i] = open_checkpoint(subjects[i].path, own);
  });
  for (std::size_t i = 0; i < subjects.size(); ++i) {
    Subject subject;
    subject.label = subject_label(i);
    subject.path = subjects[i].path;
    Result<Checkpoint>& result = *opened[i];
    if (result) {
      note_unread(report, *result);
      subject.checkpoint = std::move(*result);
    } else {
      report.not_checked.push_back(to_string(result.error()));
      report.incomplete = true;
    }
    report.subjects.push_back(std::move(subject));
  }
}

std::string subject_label(std::size_t index) {
  std::string label(1, static_cast<char>('A' + index % 26));
  return index < 26 ? label : subject_label(index / 26 - 1) + label;
}

WeightSet weight_set(const Checkpoint& checkpoint, const Candidate& candidate) {
  return set_of(checkpoint, candidate.weights, candidate.key);
}

WeightSet buffer_set(const Checkpoint& checkpoint, const Candidate& candidate) {
  return set_of(checkpoint, candidate.buffers, candidate.key);
}

Json name_list(const std::vector<std::string>& names, std::size_t limit) {
  Json list = Json::array();
  for (const std::string& name : names) {
    if (list.size() >= limit) break;
    list.push_back(name);
  }
  return list;
}

std::string counted(std::uint64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace samebits
