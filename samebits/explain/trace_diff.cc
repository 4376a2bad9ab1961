#include "samebits/explain/trace_diff.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "samebits/compare/trace.h"
#include "samebits/explain/context_findings.h"
#include "samebits/explain/output_pair.h"
#include "samebits/run/open_vit.h"

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
        pairs_(match_points(*a_.checkpoint, *b_.checkpoint)) {}

  void run() {
    report_.traces = true;
    report_.in_file_order = !has_known_order(*a_.checkpoint);
    for (const auto& [x, y] : pairs_.matched)
      add(a_.checkpoint->entries[x], b_.checkpoint->entries[y]);
    note_unmatched(a_, pairs_.only_a);
    note_unmatched(b_, pairs_.only_b);
    find_config_changes(report_, a_, b_);
    const auto parting =
        std::find_if(report_.outputs.begin(), report_.outputs.end(), [](const OutputPair& pair) {
          return pair.differing > 0 && pair.point != kInput && pair.point != kNoise;
        });
    if (differs(kNoise)) find_noise();
    if (parting != report_.outputs.end()) find_shape(*parting);
    sort_findings(&report_.findings);
    const bool different = parting != report_.outputs.end() || differs(kInput) || differs(kNoise);
    report_.incomplete = report_.incomplete || (!different && !report_.not_checked.empty());
    report_.verdict = different            ? Verdict::different
                      : report_.incomplete ? Verdict::unknown
                                           : Verdict::same;
  }

 private:
  void add(const StoredTensor& x, const StoredTensor& y) {
    const ValuePair values{x.view, y.view};
    const bool same_shape = x.view.shape() == y.view.shape();
    if (!same_shape || !x.readable || !y.readable || !have_numbers(values)) {
      report_.not_checked.push_back(
          fmt::format("{}: {} {} in {}, {} {} in {}", x.path, info(x.view.dtype()).torch,
                      shape_text(x.view.shape()), a_.label, info(y.view.dtype()).torch,
                      shape_text(y.view.shape()), b_.label));
      return;
    }
    report_.outputs.push_back(compare_outputs(a_.label, b_.label, x.path, values, threads_));
  }

  void note_unmatched(const Subject& subject, const std::vector<std::string>& points) {
    for (const std::string& point : points)
      report_.not_checked.push_back(fmt::format("{}: only in {}", point, subject.label));
  }

  bool differs(const std::string& point) const {
    return std::any_of(report_.outputs.begin(), report_.outputs.end(), [&](const OutputPair& pair) {
      return pair.point == point && pair.differing > 0;
    });
  }

  void find_noise() {
    report_.findings.push_back(
        {.cause = "rng.seed",
         .role = Role::cause,
         .proof = Proof::observed,
         .subjects = {a_.label, b_.label},
         .summary = "the two runs were given different noise",
         .details = {"the traces hold the noise of each run, and it is not the same"},
         .remedy = "run both with the same --noise or --noise-seed"});
  }

  void find_shape(const OutputPair& parting) {
    Finding finding{.role = Role::cause,
                    .proof = Proof::observed,
                    .subjects = {a_.label, b_.label},
                    .evidence = {{"point", parting.point}}};
    if (parting.verdict == "permuted") {
      finding.cause = "order.tokens";
      finding.summary = "the tokens stand in another order";
      finding.details = {
          fmt::format("at {} the rows of {} are those of {} in another order, bit "
                      "for bit",
                      parting.point, b_.label, a_.label)};
    } else if (parting.verdict == "rounding") {
      finding.cause = "numerics.dtype";
      finding.summary = "one of the two runs computed in a narrower type";
      finding.details = {fmt::format("at {} {}", parting.point, parting.looks_like)};
    } else if (is_one_row_of_a_linear(parting)) {
      finding.cause = "numerics.alignment";
      finding.proof = Proof::suspected;
      finding.summary = "a linear layer on one row is rounded otherwise";
      finding.details = {
          fmt::format("everything before {} is equal, bit for bit; there {} of {} elements differ, "
                      "up to {:.3g}",
                      parting.point, parting.differing, parting.elements, parting.max_abs),
          "PyTorch's matrix product takes another path for one row where the weight's address is "
          "no "
          "multiple of 16, as it often is in a mapped safetensors file"};
      finding.remedy =
          "Copy the weights after loading, copy.deepcopy(model), or run two rows or "
          "more: then both give the same bits";
      finding.settle = "Record both again after copy.deepcopy(model)";
    } else {
      return;
    }
    report_.findings.push_back(std::move(finding));
  }

  /// A head's output for one image, after equal points, off by rounding.
  bool is_one_row_of_a_linear(const OutputPair& parting) const {
    constexpr double kRounding = 1e-5;
    const bool head = parting.point.ends_with("classifier") || parting.point.ends_with("pooler") ||
                      parting.point.ends_with("pooler.dense") || parting.point.ends_with("head");
    if (!head || report_.outputs.front().point == parting.point) return false;
    for (const auto& [x, y] : pairs_.matched) {
      const StoredTensor& point = a_.checkpoint->entries[x];
      if (point.path != parting.point) continue;
      const Shape& shape = point.view.shape();
      return shape.size() == 2 && shape[0] == 1 &&
             parting.max_abs <= kRounding * std::max(1.0, largest(point));
    }
    return false;
  }

  static double largest(const StoredTensor& point) {
    std::vector<std::uint8_t> buffer;
    const Bytes bytes = point.view.row_major_bytes(buffer);
    double most = 0;
    for (std::uint64_t i = 0; i < point.view.numel(); ++i)
      most =
          std::max(most, std::fabs(element_as_double(
                             point.view.dtype(), bytes.data() + i * itemsize(point.view.dtype()))));
    return most;
  }

  Report& report_;
  int threads_;
  const Subject& a_;
  const Subject& b_;
  PointPairs pairs_;
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
    return entry.path.ends_with("layernorm") || entry.path.ends_with("embeddings") ||
           entry.path.ends_with("pixel_values");
  };
  return std::ranges::any_of(entries, is_point) && std::ranges::none_of(entries, is_weight);
}

bool are_traces(const Report& report) {
  return report.subjects.size() == 2 && is_recorded_run(report.subjects[0]) &&
         is_recorded_run(report.subjects[1]);
}

void compare_traces(Report& report, int threads) { TraceDiff(report, threads).run(); }

}  // namespace samebits
