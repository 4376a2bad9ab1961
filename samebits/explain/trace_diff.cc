#include "samebits/explain/trace_diff.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "samebits/compare/trace.h"
#include "samebits/explain/context_findings.h"
#include "samebits/explain/output_pair.h"
#include "samebits/explain/recorded_inputs.h"
#include "samebits/explain/scope.h"
#include "samebits/explain/segment_text.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/trace_batch.h"
#include "samebits/explain/trace_causes.h"
#include "samebits/run/open_vit.h"
#include "samebits/tensor/distinct_views.h"

namespace samebits {
namespace {

constexpr const char* kInput = "pixel_values";
constexpr const char* kNoise = "noise";

/// One comparison of two traces.
class TraceDiff {
 public:
  TraceDiff(Report& report, int threads)
      : report_(report),
        threads_(threads),
        a_(report.subjects[0]),
        b_(report.subjects[1]),
        pairs_(match_points(*a_.checkpoint, *b_.checkpoint)),
        first_a_(first_showing(a_.checkpoint->entries)),
        first_b_(first_showing(b_.checkpoint->entries)) {}

  void run() {
    report_.traces = true;
    place_ = BatchPlace::find(a_, b_, threads_);
    if (place_.found()) report_.assumed.push_back(place_.text(a_, b_));
    report_.in_file_order = !has_known_order(*a_.checkpoint);
    keep_taken();
    for (const auto& [x, y] : pairs_.matched)
      compare(a_.checkpoint->entries[x], b_.checkpoint->entries[y]);
    note_unmatched(a_, pairs_.only_a);
    note_unmatched(b_, pairs_.only_b);
    find_config_changes(report_, a_, b_);
    const auto parting =
        std::find_if(report_.outputs.begin(), report_.outputs.end(), [](const OutputPair& pair) {
          return pair.differing > 0 && pair.point != kInput && pair.point != kNoise;
        });
    if (differs(kNoise)) find_noise();
    const std::string recorded = unlike_recorded_inputs(a_, b_);
    if (differs(kInput)) {
      find_input();
    } else if (!recorded.empty() && parting != report_.outputs.end()) {
      find_recorded_inputs(recorded);
    } else if (parting != report_.outputs.end() && left_out_ == 0) {  // the first of all points
      find_causes(*parting);
    }
    const bool different = parting != report_.outputs.end() || differs(kInput) || differs(kNoise);
    report_.verdict = verdict_of_traces(report_, different);
    settle_close(report_);
    if (left_out_ > 0 && !any_taken()) report_.verdict = Verdict::unknown;
    if (left_out_ > 0)
      report_.not_checked.push_back(fmt::format("{}, which --filter {} leaves out",
                                                counted(left_out_, "point"),
                                                report_.scope.filter->text()));
  }

 private:
  bool any_taken() const {
    return std::ranges::any_of(report_.outputs, [](const OutputPair& pair) {
      return pair.point != kInput && pair.point != kNoise;
    });
  }

  /// Of pairs and single points those with a name that the filter takes.
  void keep_taken() {
    if (!report_.scope.filter) return;
    const NameFilter& filter = *report_.scope.filter;
    const auto path = [](const Subject& subject, std::uint32_t entry) -> const std::string& {
      return subject.checkpoint->entries[entry].path;
    };
    left_out_ = std::erase_if(pairs_.matched, [&](const auto& pair) {
      const std::string& name = path(a_, pair.first);
      // What both were given decides what a difference can mean.
      if (name == kInput || name == kNoise) return false;
      return !filter.takes(name) && !filter.takes(path(b_, pair.second));
    });
    for (std::vector<std::string>* names : {&pairs_.only_a, &pairs_.only_b}) {
      left_out_ +=
          std::erase_if(*names, [&](const std::string& each) { return !filter.takes(each); });
    }
  }

  void compare(const StoredTensor& x, const StoredTensor& y) {
    const ValuePair values = place_.values(x, y);
    const bool same_shape = values.a.shape() == values.b.shape();
    if (!same_shape || !x.readable || !y.readable || !have_numbers(values)) {
      report_.not_checked.push_back(
          fmt::format("{}: {} {} in {}, {} {} in {}", x.path, info(x.view.dtype()).torch,
                      shape_text(x.view.shape()), a_.label, info(y.view.dtype()).torch,
                      shape_text(y.view.shape()), b_.label));
      return;
    }
    OutputPair pair = same_elements(values.a, x.view) && same_elements(values.b, y.view)
                          ? compare_once(x, y, values)
                          : compare_outputs(a_.label, b_.label, x.path, values, threads_);
    pair.point = x.path;
    if (report_.scope.tolerance)
      pair.beyond = count_beyond(values, *report_.scope.tolerance, threads_);
    report_.outputs.push_back(std::move(pair));
    values_.push_back(values);
  }

  /// Points that are one tensor under many names are compared once.
  OutputPair compare_once(const StoredTensor& x, const StoredTensor& y, const ValuePair& values) {
    const std::pair key(first_a_[&x - a_.checkpoint->entries.data()],
                        first_b_[&y - b_.checkpoint->entries.data()]);
    const auto [at, is_new] = compared_.try_emplace(key, report_.outputs.size());
    if (!is_new) return report_.outputs[at->second];
    return compare_outputs(a_.label, b_.label, x.path, values, threads_);
  }

  void note_unmatched(const Subject& subject, const std::vector<std::string>& points) {
    for (const std::string& line : folded_names(points, "point"))
      report_.not_checked.push_back(fmt::format("{}: only in {}", line, subject.label));
  }

  bool differs(const std::string& point) const {
    return std::any_of(report_.outputs.begin(), report_.outputs.end(), [&](const OutputPair& pair) {
      return pair.point == point && pair.differing > 0;
    });
  }

  void find_noise() {
    add_finding(report_,
                {.cause = "rng.seed",
                 .role = Role::cause,
                 .proof = Proof::observed,
                 .subjects = {a_.label, b_.label},
                 .summary = "the two runs were given different noise",
                 .details = {"the traces hold the noise of each run, and it is not the same"},
                 .remedy = "run both with the same --noise or --noise-seed"});
  }

  void find_input() {
    const auto input = std::ranges::find(report_.outputs, kInput, &OutputPair::point);
    if (input->verdict == "rounding") return find_causes(*input);
    Finding finding{.cause = "input.preprocessing",
                    .role = Role::cause,
                    .proof = Proof::observed,
                    .subjects = {a_.label, b_.label},
                    .summary = "the two runs were given different pixel_values",
                    .remedy = "Give both the same input, preprocessed once"};
    finding.details.push_back(fmt::format("{} of {} elements differ, up to {:.3g}",
                                          input->differing, input->elements, input->max_abs));
    if (input->looks_like.ends_with("permuted"))
      finding.details.emplace_back(
          "they are the same rows in another order, as images in another "
          "order have");
    finding.evidence = {{"fields", {{kInput, nullptr}}}};
    add_finding(report_, std::move(finding));
  }

  void find_recorded_inputs(const std::string& how) {
    add_finding(report_, {.cause = "input.preprocessing",
                          .role = Role::cause,
                          .proof = Proof::observed,
                          .subjects = {a_.label, b_.label},
                          .summary = "the two recorded passes were given different inputs",
                          .details = {how},
                          .evidence = {{"fields", {{"inputs", nullptr}}}},
                          .remedy = "Give both the same input, and record again"});
  }

  void find_causes(const OutputPair& parting) {
    find_trace_causes(report_,
                      {.outputs = report_.outputs,
                       .values = values_,
                       .in_execution_order = !report_.in_file_order,
                       .place = place_},
                      static_cast<std::size_t>(&parting - report_.outputs.data()));
  }

  Report& report_;
  int threads_;
  const Subject& a_;
  const Subject& b_;
  PointPairs pairs_;
  std::vector<std::size_t> first_a_, first_b_;  // entries that show the same elements
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> compared_;  // at which output
  std::vector<ValuePair> values_;                                        // of each output
  BatchPlace place_;
  std::size_t left_out_ = 0;  // points, by the filter
};

}  // namespace

bool is_vit_model(const Subject& subject) {
  return subject.checkpoint && subject.checkpoint->has_weights() &&
         recognize_vit(*subject.checkpoint, subject.checkpoint->config).has_value();
}

bool is_recorded_run(const Subject& subject) {
  if (!subject.checkpoint) return false;
  if (subject.checkpoint->kind == CheckpointKind::trace) return true;
  const std::vector<StoredTensor>& entries = subject.checkpoint->entries;
  // A model has weights that end in .weight, which the outputs of modules do not.
  const auto is_weight = [](const StoredTensor& entry) { return entry.path.ends_with(".weight"); };
  const auto is_point = [](const StoredTensor& entry) {
    const std::string_view last = std::string_view(entry.path).substr(entry.path.rfind('.') + 1);
    return last == "layernorm" || last == "embeddings" || last == "pixel_values";
  };
  return std::ranges::any_of(entries, is_point) && std::ranges::none_of(entries, is_weight);
}

bool refuse_recorded(Report& report, const std::string& why) {
  for (const Subject& subject : report.subjects) {
    if (!is_recorded_run(subject)) continue;
    add_gap(report, subject.path + ": " + why, Gap::blocking);
    report.verdict = Verdict::unknown;
    return true;
  }
  return false;
}

bool are_traces(const Report& report) {
  return report.subjects.size() == 2 && is_recorded_run(report.subjects[0]) &&
         is_recorded_run(report.subjects[1]);
}

void compare_traces(Report& report, int threads) { TraceDiff(report, threads).run(); }

}  // namespace samebits
