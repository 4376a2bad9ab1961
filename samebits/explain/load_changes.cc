#include "samebits/explain/load_changes.h"

#include <string_view>

#include <fmt/format.h>

#include "samebits/explain/subjects.h"
#include "samebits/family/word_list.h"
#include "samebits/model/predict_load.h"

namespace samebits {
namespace {

constexpr std::string_view kRescaled = "rescale_prenorm_residual";

/// transformers 5.24.0 scales the weights that it loaded as if they were new
/// (findings/mamba-weights-change-on-load.sh).
bool rescales_on_load(const Json& config) {
  if (!config.is_object()) return false;
  const auto type = config.find("model_type"), says = config.find(kRescaled);
  return type != config.end() && type->is_string() && says != config.end() && *says == true &&
         lists_word("mamba mamba2 falcon_mamba", type->get_ref<const std::string&>());
}

std::string rescaling_remedy() {
  return fmt::format("Set {} to false in config.json: it is for new weights alone", kRescaled);
}

}  // namespace

void find_changed_by_load(Report& report, const LoadReport& load) {
  if (load.changed.empty()) return;
  Finding finding{
      .cause = "code.version", .role = Role::risk, .proof = Proof::observed, .subjects = {"A"}};
  finding.summary = fmt::format("{} gives {} of {} other values than the file holds: {}",
                                load.run_by, load.changed.size(),
                                counted(load.target_tensors, "tensor"), some_of(load.changed));
  finding.evidence = {{"count", load.changed.size()},
                      {"tensors", name_list(load.changed)},
                      {"target", load.target},
                      {"way", load.way}};
  if (load.factors.size() == 1)
    finding.details.push_back(fmt::format("each is the file's times {:g}", *load.factors.begin()));
  const bool known = rescales_on_load(report.subjects[0].checkpoint->config);
  if (known)
    finding.details.push_back(fmt::format(
        "{} is true: 5.24.0 scales what it loads as it scales new weights, in every load",
        kRescaled));
  finding.remedy = known ? rescaling_remedy()
                         : "Build the class from its config and load the weights into it with "
                           "load_state_dict(), which takes them as they are";
  add_finding(report, std::move(finding));
}

void find_rescaled(Report& report, const Subject& subject) {
  if (report.for_transformers_4) return;
  const bool is_pretrained =
      subject.checkpoint && subject.checkpoint->kind == CheckpointKind::hf_directory;
  if (!is_pretrained || !rescales_on_load(subject.checkpoint->config)) return;
  for (const LoadReport& load : report.loads)
    if (!load.changed.empty() || load.way != model::way_name(model::Way::from_pretrained)) return;
  Finding finding{.cause = "code.version",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = fmt::format(
      "from_pretrained of transformers 5.24.0 gives {} other weights than its file holds: {} is "
      "true, and it divides every out_proj.weight by the root of the number of layers",
      subject.label, kRescaled);
  finding.details.emplace_back(
      "in every load: saved and loaded again they are divided twice; load_state_dict() and 4.57.6 "
      "take them as they are");
  finding.evidence = {{"fields", {{std::string(kRescaled), true}}}};
  finding.remedy = rescaling_remedy();
  add_finding(report, std::move(finding));
}

}  // namespace samebits
