// What is known of one training's file before it is judged, and the form of the judgements: rows of
// a table, each with what is wrong with it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "samebits/checkpoint/resume_state.h"
#include "samebits/explain/report.h"

namespace samebits {

struct ResumeFacts {
  const Checkpoint* checkpoint = nullptr;  // the weights; outlives this
  ResumeState state;
  std::optional<double> step, epoch;  // of the loop
  std::string step_text, epoch_text;  // "global_step 30"; "" without
  // The counts at which its optimizer began anew, where a file from before it is known.
  std::optional<double> begun_at_step, begun_at_epoch;

  bool has_gone_on() const;  // steps or epochs above 0 are counted
  /// "global_step 30", "epoch 3", or "".
  const std::string& progress() const { return step_text.empty() ? epoch_text : step_text; }
  bool is(TrainingFramework framework) const { return state.framework == framework; }
  /// Nothing of a training stands beside the weights.
  bool has_only_weights() const;
  /// The optimizers' own largest step.
  std::optional<double> optimizer_step() const;
};

ResumeFacts read_resume_facts(const Checkpoint& checkpoint);

/// One thing that is wrong: a finding, but for what stands in all of them.
struct ResumeIssue {
  std::vector<std::string> missing;
  std::string summary;
  std::vector<std::string> details;
  Json evidence = Json::object();  // further keys
  std::string remedy;              // "": the framework's, from resume_remedies.h
  Role role = Role::risk;
  bool lost = false;  // what stands under `missing` is as good as not there
};

struct ResumeRow {
  ResumePart part;
  std::vector<ResumeIssue> issues;
  std::vector<std::string> unread;  // sentences: what makes the verdict unknown
};

/// The rows of the table, in order. Several for optimizers and generators.
using ResumeRows = std::vector<ResumeRow>;

ResumeRow resume_row(const std::string& part, const std::string& state,
                     const std::string& place = "", const std::string& detail = "");

/// A value below a key of that name, at any depth of settings; nothing where there is none.
const Json* find_setting(const ResumeFacts& facts, std::string_view name);

/// 30, 0.6667: as a person writes a count.
std::string count_text(double number);

}  // namespace samebits
