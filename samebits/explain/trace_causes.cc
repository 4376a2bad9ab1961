#include "samebits/explain/trace_causes.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/attention_reach.h"
#include "samebits/explain/recorded_dropout.h"
#include "samebits/explain/trace_location.h"
#include "samebits/explain/trace_rounding.h"

namespace samebits {
namespace {

/// A text that was saved in the file beside the points; "" where there is none.
std::string recorded_text(const Subject& subject, const char* key) {
  const Json& producer = subject.checkpoint->producer;
  if (!producer.is_object() || !producer.contains("metadata")) return "";
  const Json& values = producer["metadata"];
  return values.is_object() && values.contains(key) && values[key].is_string()
             ? values[key].get<std::string>()
             : "";
}

/// 0 where a recording does not say it.
std::int64_t attention_heads(const Subject& subject) {
  const Json& config = subject.checkpoint->config;
  if (config.is_object() && config.contains("num_attention_heads") &&
      config["num_attention_heads"].is_number_unsigned())
    return config["num_attention_heads"].get<std::int64_t>();
  const std::string text = recorded_text(subject, "heads");
  const bool number =
      !text.empty() && text.size() < 6 && text.find_first_not_of("0123456789") == std::string::npos;
  return number ? std::stol(text) : 0;
}

/// A choice of how to compute, in which the recordings differ.
struct RecordedChoice {
  const char* cause;
  std::string how;
};

class TraceCauses {
 public:
  TraceCauses(Report& report, const TracePoints& points, std::size_t parting)
      : report_(report),
        points_(points),
        a_(report.subjects[0]),
        b_(report.subjects[1]),
        at_(parting),
        judge_(points.outputs, points.values, points.in_execution_order) {}

  void find() {
    const OutputPair& parting = points_.outputs[at_];
    const DType left = points_.values[at_].a.dtype();
    const DType right = points_.values[at_].b.dtype();
    if (parting.verdict == "permuted") {
      add(tokens_finding());
    } else if (parting.verdict == "rounding") {
      Finding finding = make("numerics.dtype", Proof::observed);
      finding.summary = "one of the two runs computed in a narrower type";
      finding.details = {fmt::format("at {} {}", parting.point, parting.looks_like)};
      add(std::move(finding));
      add_departure_behind();
    } else if (is_one_row_of_a_linear()) {
      add(alignment_finding());
    } else if (left != right) {
      add_types(left, right);
    } else if (judge_.is_rounding(at_)) {
      if (!add_departure_behind()) add_choices();
    } else if (!add_dropout(parting) && judge_.is_beyond(at_) && !is_dropout(parting.point)) {
      add_departure(at_);
    }
  }

 private:
  Finding make(const char* cause, Proof proof) const {
    return {.cause = cause,
            .role = Role::cause,
            .proof = proof,
            .subjects = {a_.label, b_.label},
            .evidence = {{"point", points_.outputs[at_].point}}};
  }

  void add(Finding finding) { add_finding(report_, std::move(finding)); }

  /// A module that does nothing but draw: no other code is behind a difference there.
  static bool is_dropout(std::string_view point) {
    return point.ends_with("dropout") || point.ends_with("drop_path");
  }

  Finding tokens_finding() const {
    Finding finding = make("order.tokens", Proof::observed);
    finding.summary = "the tokens stand in another order";
    finding.details = {
        fmt::format("at {} the rows of {} are those of {} in another order, bit "
                    "for bit",
                    points_.outputs[at_].point, b_.label, a_.label)};
    return finding;
  }

  Finding alignment_finding() const {
    const OutputPair& parting = points_.outputs[at_];
    Finding finding = make("numerics.alignment", Proof::suspected);
    finding.summary = "a linear layer on one row is rounded otherwise";
    finding.details = {
        fmt::format("everything before {} is equal, bit for bit; there {} of {} elements differ, "
                    "up to {:.3g}",
                    parting.point, parting.differing, parting.elements, parting.max_abs),
        "PyTorch's matrix product takes another path for one row where the weight's address is no "
        "multiple of 16, as it often is in a mapped safetensors file"};
    finding.remedy =
        "Copy the weights after loading, copy.deepcopy(model), or run two rows or "
        "more: then both give the same bits";
    finding.settle = "Record both again after copy.deepcopy(model)";
    return finding;
  }

  /// The types differ where the two part: that explains what the narrower of them rounds.
  void add_types(DType left, DType right) {
    const OutputPair& parting = points_.outputs[at_];
    Finding finding = make("numerics.dtype", Proof::observed);
    finding.summary = "the two runs were recorded in different types";
    finding.details = {fmt::format("at {} {} has {}, {} {}", parting.point, a_.label,
                                   info(left).torch, b_.label, info(right).torch)};
    finding.remedy = "Run and record both in one type";
    if (parting.dropout) add_dropout(parting);
    const bool beyond = judge_.is_beyond(at_);
    if (beyond && !parting.dropout) {
      finding.role = Role::contributes;
      finding.details.push_back("that is not all: the values differ by more than it rounds");
    }
    add(std::move(finding));
    if (parting.dropout) return;
    beyond ? add_departure(at_) : static_cast<void>(add_departure_behind());
  }

  /// True where active dropout is what makes the two part.
  bool add_dropout(const OutputPair& at) {
    const auto dropout = dropout_finding(at, a_, b_);
    if (dropout) add_finding(report_, *dropout);
    return dropout && dropout->role == Role::cause;
  }

  /// Whether the two differ by more than rounding behind the point where they part by that.
  bool add_departure_behind() {
    const auto beyond = judge_.first_beyond(at_);
    if (!beyond) return false;
    if (!add_dropout(points_.outputs[*beyond])) add_departure(*beyond);
    return true;
  }

  void add_departure(std::size_t beyond) {
    // What is known to differ, the config, the noise, explains it as well as anything could.
    if (std::ranges::any_of(report_.findings, [](const Finding& each) {
          return each.role == Role::cause && each.proof == Proof::observed &&
                 (each.cause == "config.changed" || each.cause == "rng.seed");
        }))
      return;
    const OutputPair& parting = points_.outputs[at_];
    const OutputPair& point = points_.outputs[beyond];
    const TraceLocation where =
        locate_difference(point.point, points_.values[beyond], judge_.bound_at(beyond, at_),
                          std::max(attention_heads(a_), attention_heads(b_)));
    const std::string place = where.text.empty() ? "" : " (" + where.text + ")";
    const std::string units = units_text(judge_.units_at(beyond), judge_.type_at(beyond));
    const bool is_nan = point.looks_like == "nan";
    Finding finding = make("code.version", Proof::suspected);
    finding.summary =
        beyond == at_
            ? fmt::format("the two runs first differ at {}{} by more than rounding", point.point,
                          place)
            : fmt::format("the two differ by more than rounding from {}{} on", point.point, place);
    if (beyond != at_)
      finding.details = {is_nan ? fmt::format("from {} on as rounding differs", parting.point)
                                : fmt::format("from {} on as rounding differs, there by {:.3g}",
                                              parting.point, point.max_abs)};
    else if (points_.in_execution_order && at_ > 0)
      finding.details = {"every point compared before it is equal, bit for bit"};
    if (is_nan)
      finding.details.emplace_back("there one side holds NaN where the other has numbers");
    if (!is_nan && !units.empty()) finding.details.push_back("there by " + units);
    finding.evidence = {{"point", point.point}, {"where", where.text}};
    if (!where.heads.empty()) finding.evidence["heads"] = where.heads;
    finding.remedy =
        "Look at what the code does there: another version, an edited module, other weights";
    finding.settle = "Hold each against the model: samebits explain MODEL TRACE";
    add(std::move(finding));
  }

  /// What PyTorch's rounding depends on, as far as the recordings say it: the batch from the
  /// shapes, the rest from metadata that was saved with the points.
  std::vector<RecordedChoice> choices(std::string* not_it) const {
    std::vector<RecordedChoice> found;
    if (points_.place.found()) found.push_back({"numerics.batch", points_.place.choice()});
    constexpr std::pair<const char*, const char*> kKeys[] = {{"threads", "numerics.threads"},
                                                             {"attention", "numerics.attention"},
                                                             {"cpu", "numerics.hardware"},
                                                             {"device", "numerics.hardware"}};
    for (const auto& [key, cause] : kKeys) {
      const std::string left = recorded_text(a_, key);
      const std::string right = recorded_text(b_, key);
      if (left.empty() || right.empty() || left == right) continue;
      std::string how = fmt::format("{} {} in {}, {} in {}", key, left, a_.label, right, b_.label);
      if (std::string_view(key) == "attention" && !attention_reaches(points_.outputs, at_)) {
        *not_it = fmt::format("{}, but {} is computed before any attention that differs", how,
                              points_.outputs[at_].point);
        continue;
      }
      found.push_back({cause, std::move(how)});
    }
    return found;
  }

  void add_choices() {
    std::string not_it;
    std::vector<RecordedChoice> found = choices(&not_it);
    if (found.empty()) found.push_back({"numerics.rounding", ""});
    for (const auto& [cause, how] : found) add(choice_finding(cause, how, not_it));
  }

  Finding choice_finding(const char* cause, const std::string& how,
                         const std::string& not_it) const {
    const OutputPair& parting = points_.outputs[at_];
    Finding finding = make(cause, Proof::suspected);
    finding.summary = "the two differ as rounding in another order differs";
    finding.details.push_back(fmt::format("at {} {} of {} elements differ, up to {:.3g}",
                                          parting.point, parting.differing, parting.elements,
                                          parting.max_abs));
    const std::string units = units_text(judge_.units_at(at_), judge_.type_at(at_));
    if (!units.empty()) finding.details.back() += ": " + units;
    if (!how.empty()) {
      finding.details.push_back("the recordings differ in what rounding depends on: " + how);
      finding.settle = "Record both again with that alike";
    } else {
      finding.details.emplace_back(
          not_it.empty() ? "PyTorch rounds otherwise with another batch, number of threads, "
                           "attention kernel or "
                           "instruction set; what these were, the recordings do not say"
                         : "PyTorch rounds otherwise with another batch, number of threads or "
                           "instruction set; "
                           "that these differed, the recordings do not say");
      finding.settle = "Hold each against the model: samebits explain MODEL TRACE";
    }
    if (!not_it.empty()) finding.details.push_back("the recordings differ in " + not_it);
    finding.remedy =
        "For equal bits, run both with one batch, one number of threads, one attention kernel "
        "and on one kind of processor";
    return finding;
  }

  /// A head's output for one image, after equal points, off by rounding.
  bool is_one_row_of_a_linear() const {
    const OutputPair& parting = points_.outputs[at_];
    const bool head = parting.point.ends_with("classifier") || parting.point.ends_with("pooler") ||
                      parting.point.ends_with("pooler.dense") || parting.point.ends_with("head");
    if (points_.place.found() || !head || at_ == 0) return false;
    const TensorView& values = points_.values[at_].a;
    return values.shape().size() == 2 && values.shape()[0] == 1 &&
           values.dtype() == DType::float32 && judge_.type_at(at_) == DType::float32 &&
           judge_.is_rounding(at_);
  }

  Report& report_;
  const TracePoints& points_;
  const Subject& a_;
  const Subject& b_;
  std::size_t at_;  // where the two part
  RoundingJudge judge_;
};

}  // namespace

void find_trace_causes(Report& report, const TracePoints& points, std::size_t parting) {
  TraceCauses(report, points, parting).find();
}

}  // namespace samebits
