#include "samebits/explain/trace_diff.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "samebits/compare/equal_bytes.h"
#include "samebits/compare/number_block.h"
#include "samebits/compare/trace.h"
#include "samebits/explain/context_findings.h"
#include "samebits/explain/output_pair.h"
#include "samebits/explain/recorded_dropout.h"
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
    find_place();
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
    if (differs(kInput)) {
      find_input();
    } else if (parting != report_.outputs.end()) {
      find_shape(*parting);
    }
    const bool different = parting != report_.outputs.end() || differs(kInput) || differs(kNoise);
    report_.verdict = verdict_of_traces(report_, different);
  }

 private:
  /// One image here, several there, this one among them: compared with its place.
  void find_place() {
    const StoredTensor* x = point_of(a_, kInput);
    const StoredTensor* y = point_of(b_, kInput);
    if (x == nullptr || y == nullptr || x->view.shape().size() != 4 ||
        y->view.shape().size() != 4 || x->view.dtype() != y->view.dtype())
      return;
    const std::int64_t images_a = x->view.shape()[0];
    const std::int64_t images_b = y->view.shape()[0];
    if ((images_a == 1) == (images_b == 1)) return;
    batch_is_b_ = images_a == 1;
    const TensorView& one = batch_is_b_ ? x->view : y->view;
    const TensorView& many = batch_is_b_ ? y->view : x->view;
    const std::int64_t images = std::max(images_a, images_b);
    for (std::int64_t i = 0; i < images && !place_; ++i) {
      const auto row = image_of(many, i, images);
      if (!row || row->shape() != one.shape()) return;
      if (equal_bytes({{&one, &*row}}, threads_)[0]) place_ = i;
    }
    images_ = images;
    if (place_)
      report_.assumed.push_back(fmt::format("the one image of {} is image {} of {} in {}",
                                            batch_is_b_ ? a_.label : b_.label, *place_, images,
                                            batch_is_b_ ? b_.label : a_.label));
  }

  static const StoredTensor* point_of(const Subject& subject, const std::string& name) {
    for (const StoredTensor& entry : subject.checkpoint->entries) {
      if (entry.path == name && entry.readable) return &entry;
    }
    return nullptr;
  }

  /// Image `i` of a point of `images` images, as a batch of one.
  static std::optional<TensorView> image_of(const TensorView& batch, std::int64_t i,
                                            std::int64_t images) {
    const Shape& shape = batch.shape();
    if (shape.empty() || shape[0] != images || !batch.is_plain()) return std::nullopt;
    Shape one = shape;
    one[0] = 1;
    const std::uint64_t size = batch.numel() / static_cast<std::uint64_t>(images);
    const auto view = TensorView::make(batch.dtype(), one, contiguous_strides(one),
                                       static_cast<std::uint64_t>(i) * size, batch.plain_bytes());
    return view ? std::optional(*view) : std::nullopt;
  }

  void add(const StoredTensor& x, const StoredTensor& y) {
    ValuePair values{x.view, y.view};
    if (place_ && x.view.shape() != y.view.shape()) {
      TensorView& batch = batch_is_b_ ? values.b : values.a;
      if (const auto image = image_of(batch, *place_, images_)) batch = *image;
    }
    compare(x, y, values);
  }

  void compare(const StoredTensor& x, const StoredTensor& y, const ValuePair& values) {
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
    report_.outputs.push_back(std::move(pair));
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
    for (const std::string& point : points)
      report_.not_checked.push_back(fmt::format("{}: only in {}", point, subject.label));
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
    if (input->verdict == "rounding") return find_shape(*input);
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
    } else if (!place_ && is_one_row_of_a_linear(parting)) {
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
    } else if (const auto types = types_at(parting.point)) {
      finding.cause = "numerics.dtype";
      finding.summary = "the two runs were recorded in different types";
      finding.details = {fmt::format("at {} {} has {}, {} {}", parting.point, a_.label,
                                     info(types->first).torch, b_.label,
                                     info(types->second).torch)};
      finding.remedy = "Run and record both in one type";
      if (parting.dropout) add_dropout(parting);
    } else if (is_rounding(parting)) {
      const OutputPair* beyond = first_beyond_rounding();
      return beyond == nullptr ? find_choices(parting) : find_departure(parting, *beyond);
    } else {
      add_dropout(parting);
      return;
    }
    add_finding(report_, std::move(finding));
  }

  std::optional<std::pair<DType, DType>> types_at(const std::string& point) const {
    for (const auto& [x, y] : pairs_.matched) {
      const StoredTensor& one = a_.checkpoint->entries[x];
      const StoredTensor& other = b_.checkpoint->entries[y];
      if (one.path == point && one.view.dtype() != other.view.dtype())
        return std::pair(one.view.dtype(), other.view.dtype());
    }
    return std::nullopt;
  }

  /// True where active dropout is what makes the two part.
  bool add_dropout(const OutputPair& parting) {
    const auto dropout = dropout_finding(parting, a_, b_);
    if (dropout) add_finding(report_, *dropout);
    return dropout && dropout->role == Role::cause;
  }

  /// Off by no more than sums in another order are.
  bool is_rounding(const OutputPair& parting) const {
    const StoredTensor* point = point_of(a_, parting.point);
    return parting.looks_like != "nan" && point != nullptr &&
           point->view.dtype() == DType::float32 && is_within(parting, kRounding);
  }

  /// Where rounding at an earlier point has grown into more than it grows to.
  const OutputPair* first_beyond_rounding() const {
    constexpr double kGrown = 1e-4;
    const auto found = std::ranges::find_if(report_.outputs, [&](const OutputPair& pair) {
      return pair.differing > 0 && !is_within(pair, kGrown);
    });
    return found == report_.outputs.end() ? nullptr : &*found;
  }

  void find_departure(const OutputPair& parting, const OutputPair& beyond) {
    if (add_dropout(beyond)) return;
    add_finding(
        report_,
        {.cause = "code.version",
         .role = Role::cause,
         .proof = Proof::suspected,
         .subjects = {a_.label, b_.label},
         .summary = fmt::format("the two differ by more than rounding from {} on", beyond.point),
         .details = {fmt::format("from {} on as rounding differs, there by {:.3g}", parting.point,
                                 beyond.max_abs)},
         .evidence = {{"point", beyond.point}},
         .remedy = "Look at what the code does there: another version, an edited module, other "
                   "weights",
         .settle = "Hold each against the model: samebits explain MODEL TRACE"});
  }

  /// What PyTorch's rounding depends on, as far as the recordings say it: the batch from the
  /// shapes, the rest from metadata that was saved with the points.
  void find_choices(const OutputPair& parting) {
    std::vector<std::pair<const char*, std::string>> choices;  // cause, how it differs
    if (place_)
      choices.emplace_back("numerics.batch",
                           fmt::format("one image alone, and as image {} of {}", *place_, images_));
    constexpr std::pair<const char*, const char*> kKeys[] = {{"threads", "numerics.threads"},
                                                             {"attention", "numerics.attention"},
                                                             {"cpu", "numerics.hardware"},
                                                             {"device", "numerics.hardware"}};
    for (const auto& [key, cause] : kKeys) {
      const std::string left = metadata(a_, key);
      const std::string right = metadata(b_, key);
      if (!left.empty() && !right.empty() && left != right)
        choices.emplace_back(
            cause, fmt::format("{} {} in {}, {} in {}", key, left, a_.label, right, b_.label));
    }
    if (choices.empty()) choices.emplace_back("numerics.rounding", "");
    for (const auto& [cause, how] : choices) {
      Finding finding{.cause = cause,
                      .role = Role::cause,
                      .proof = Proof::suspected,
                      .subjects = {a_.label, b_.label},
                      .summary = "the two differ as rounding in another order differs",
                      .evidence = {{"point", parting.point}}};
      finding.details.push_back(fmt::format("at {} {} of {} elements differ, up to {:.3g}",
                                            parting.point, parting.differing, parting.elements,
                                            parting.max_abs));
      if (!how.empty()) {
        finding.details.push_back("the recordings differ in what rounding depends on: " + how);
        finding.settle = "Record both again with that alike";
      } else {
        finding.details.emplace_back(
            "PyTorch rounds otherwise with another batch, number of threads, attention kernel or "
            "instruction set; what these were, the recordings do not say");
        finding.settle = "Hold each against the model: samebits explain MODEL TRACE";
      }
      finding.remedy =
          "For equal bits, run both with one batch, one number of threads, one attention kernel "
          "and on one kind of processor";
      add_finding(report_, std::move(finding));
    }
  }

  static std::string metadata(const Subject& subject, const char* key) {
    const Json& producer = subject.checkpoint->producer;
    if (!producer.is_object() || !producer.contains("metadata")) return "";
    const Json& values = producer["metadata"];
    return values.is_object() && values.contains(key) && values[key].is_string()
               ? values[key].get<std::string>()
               : "";
  }

  /// A head's output for one image, after equal points, off by rounding.
  bool is_one_row_of_a_linear(const OutputPair& parting) const {
    const bool head = parting.point.ends_with("classifier") || parting.point.ends_with("pooler") ||
                      parting.point.ends_with("pooler.dense") || parting.point.ends_with("head");
    const StoredTensor* point = point_of(a_, parting.point);
    if (!head || report_.outputs.front().point == parting.point || point == nullptr) return false;
    const Shape& shape = point->view.shape();
    return shape.size() == 2 && shape[0] == 1 && is_within(parting, kRounding);
  }

  static constexpr double kRounding = 1e-5;  // of the largest number at a point

  /// No difference is larger than this share of A's largest number there, or of 1.
  bool is_within(const OutputPair& pair, double share) const {
    const StoredTensor* point = point_of(a_, pair.point);
    return point != nullptr && pair.max_abs <= share * std::max(1.0, largest(*point));
  }

  /// 0 where the numbers are complex.
  static double largest(const StoredTensor& point) {
    if (!has_element_values(point.view.dtype())) return 0;
    constexpr std::uint64_t kBlock = 1 << 16;
    NumberBlock block;
    double most = 0;
    for (std::uint64_t first = 0; first < point.view.numel(); first += kBlock) {
      block.load(point.view, first, std::min(kBlock, point.view.numel() - first));
      for (const double number : block.numbers()) most = std::max(most, std::fabs(number));
    }
    return most;
  }

  Report& report_;
  int threads_;
  const Subject& a_;
  const Subject& b_;
  PointPairs pairs_;
  std::vector<std::size_t> first_a_, first_b_;  // entries that show the same elements
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> compared_;  // at which output
  std::optional<std::int64_t> place_;  // of the one image in the other side's batch
  std::int64_t images_ = 0;
  bool batch_is_b_ = false;
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
