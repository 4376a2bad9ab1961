#include "samebits/explain/config_findings.h"

#include <fmt/format.h>

#include "samebits/family/field_ranges.h"

namespace samebits {
namespace {

/// Rows of the classifier among the chosen weights; nothing where there is none.
std::optional<std::uint64_t> classifier_rows(const Checkpoint& checkpoint) {
  if (!checkpoint.has_weights()) return std::nullopt;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    const std::string& name = tensor.name.empty() ? tensor.path : tensor.name;
    if (name.ends_with("classifier.bias") && tensor.view.shape().size() == 1)
      return static_cast<std::uint64_t>(tensor.view.shape()[0]);
  }
  return std::nullopt;
}

const char* loads_or_raises(std::uint64_t classes, std::uint64_t rows) {
  return classes == rows ? "loads" : "raises for";
}

}  // namespace

void find_label_conflict(Report& report, const Subject& subject) {
  const Json& config = subject.checkpoint->config;
  if (!config.is_object() || !has_known_fields(config)) return;
  const auto number = checked_field(FieldOf::config, config, "num_labels");
  const auto names = checked_field(FieldOf::config, config, "id2label");
  if (!number || !names || *number == nullptr || *names == nullptr) return;
  const auto count = (*number)->get<std::uint64_t>();
  const std::uint64_t named = (*names)->size();
  const auto rows = classifier_rows(*subject.checkpoint);
  if (count == named || !rows) return;
  Finding finding{.cause = "code.version",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = fmt::format(
      "num_labels {} and the {} names of id2label contradict each other: transformers 4 builds {} "
      "classes, 5 builds {}",
      count, named, named, count);
  finding.details.push_back(fmt::format(
      "from_pretrained of 4.57.6 counts the names and {} the {} rows of the classifier; "
      "5.24.0 takes the number and {} them",
      loads_or_raises(named, *rows), *rows, loads_or_raises(count, *rows)));
  finding.evidence = {{"num_labels", count}, {"id2label", named}, {"rows", *rows}};
  finding.remedy =
      fmt::format("Remove num_labels from the config, or make it {} like the rows", *rows);
  add_finding(report, std::move(finding));
}

}  // namespace samebits
