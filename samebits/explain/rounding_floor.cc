#include "samebits/explain/rounding_floor.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include <fmt/format.h>

#include "samebits/compare/number_block.h"
#include "samebits/compare/trace.h"
#include "samebits/explain/floor_findings.h"
#include "samebits/explain/output_pair.h"
#include "samebits/explain/recorded_dropout.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/trace_diff.h"
#include "samebits/rng/distributions.h"
#include "samebits/run/operation_bound.h"
#include "samebits/run/plain_pass.h"

namespace samebits {
namespace {

template <class X, class Y>
double root_mean_square(const std::vector<X>& x, const std::vector<Y>& y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double difference = double{x[i]} - double{y[i]};
    sum += difference * difference;
  }
  return std::sqrt(sum / static_cast<double>(x.size()));
}

double largest_difference(const std::vector<float>& x, const std::vector<float>& y) {
  double most = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    most = std::max(most, std::fabs(double{x[i]} - double{y[i]}));
  return most;
}

std::vector<double> doubles_of(const TensorView& view) {
  std::vector<double> values;
  values.reserve(view.numel());
  for_each_number(view, [&](double number) { values.push_back(number); });
  return values;
}

/// What passes of the model compute at its points: in float32, under the numeric contract and in
/// other orders, and in double.
struct Passes {
  std::vector<NamedArray> points;  // in execution order
  std::map<std::string, std::vector<std::vector<float>>> orders;
  std::map<std::string, std::vector<double>> truth;
};

/// One comparison.
class Floor {
 public:
  Floor(Report& report, const FloorOptions& options)
      : report_(report),
        options_(options),
        trace_(report.subjects[is_vit_model(report.subjects[0]) ? 1 : 0]),
        model_(report.subjects[is_vit_model(report.subjects[0]) ? 0 : 1]) {}

  Result<void> run() {
    report_.traces = true;
    SAMEBITS_TRY(VitModel model, open_vit(*model_.checkpoint, model_.checkpoint->config));
    SAMEBITS_TRY(const Passes passes, run_model(model));
    compare(passes, model);
    return {};
  }

 private:
  /// A point of the trace as floats; nothing where it has none of that name and size.
  std::optional<std::vector<float>> recorded(const std::string& name, std::size_t dimensions,
                                             Shape* shape) const {
    for (const StoredTensor& tensor : trace_.checkpoint->entries) {
      if (tensor.path != name || !tensor.readable || !has_element_values(tensor.view.dtype()) ||
          tensor.view.shape().size() != dimensions)
        continue;
      *shape = tensor.view.shape();
      const std::vector<double> values = doubles_of(tensor.view);
      return std::vector<float>(values.begin(), values.end());
    }
    return std::nullopt;
  }

  Result<PreparedInput> images(const VitModel& model) {
    Shape shape;
    auto pixels = recorded("pixel_values", 4, &shape);
    const InputRequest& given = options_.input;
    if (!pixels && given.images.empty() && given.input_path.empty() && given.randn.empty()) {
      return fail({.code = ErrorCode::usage,
                   .what = "the recorded run does not hold its pixel_values",
                   .file = trace_.path,
                   .hint = "Record them with the points, or say what they were: --input, --images, "
                           "or --randn with --seed"});
    }
    if (!pixels) return prepare_input(given, model, *model_.checkpoint);
    const auto size = [&](std::size_t i) { return static_cast<std::size_t>(shape[i]); };
    const char* reason = size(1) != model.config().channels ? "another number of channels"
                                                            : model.cannot_take(size(2), size(3));
    if (reason == nullptr && size(0) > 0)
      return PreparedInput{*std::move(pixels), size(0), size(2), size(3), {}};
    return fail({.code = ErrorCode::inconsistent,
                 .what = "the trace's pixel_values do not fit the model",
                 .file = trace_.path,
                 .found = shape_text(shape)});
  }

  Result<std::vector<float>> noise(const VitModel& model, const PreparedInput& input) {
    if (!model.config().masked) return std::vector<float>();
    const std::size_t patches = patch_grid(model.config(), input.height, input.width).cells();
    Shape shape;
    auto given = recorded("noise", 2, &shape);
    if (given && given->size() == input.batch * patches) return *std::move(given);
    return fail({.code = ErrorCode::usage,
                 .what = "the recorded run does not hold its noise, and a masked autoencoder draws "
                         "another in every call",
                 .file = trace_.path,
                 .expected = fmt::format("noise [{}, {}]", input.batch, patches),
                 .found = given ? "noise of another shape" : "none",
                 .hint =
                     "Draw it once, noise = torch.rand(batch, patches), pass it as noise=noise, "
                     "and record it with the points"});
  }

  Result<Passes> run_model(VitModel& model) {
    SAMEBITS_TRY(const PreparedInput input, images(model));
    report_.assumed.insert(report_.assumed.end(), input.assumed.begin(), input.assumed.end());
    SAMEBITS_TRY(const std::vector<float> drawn, noise(model, input));
    const VitInput given{
        .images = input.view(), .noise = drawn, .mask_ratio = model.config().mask_ratio};
    ThreadPool pool(options_.threads);
    Passes passes;
    model.forward(
        {best_kernels(), pool}, given,
        [&](std::string_view name, std::span<const float> values,
            const std::vector<std::size_t>& shape) {
          passes.points.push_back({std::string(name), shape, {values.begin(), values.end()}});
        });
    forward_in_double(model, pool, given,
                      [&](const std::string& name, const std::vector<double>& values) {
                        passes.truth[name] = values;
                      });
    for (std::uint32_t seed = 1; seed <= kOrders; ++seed)
      forward_in_another_order(model, pool, given, seed,
                               [&](const std::string& name, const std::vector<float>& values) {
                                 passes.orders[name].push_back(values);
                               });
    return passes;
  }

  void compare(const Passes& passes, VitModel& model) {
    Checkpoint ours;
    for (const NamedArray& point : passes.points) {
      StoredTensor named;
      named.path = point.name;
      named.offset = ours.entries.size();
      ours.entries.push_back(std::move(named));
    }
    const PointPairs pairs = match_points(ours, *trace_.checkpoint);
    for (const auto& [own, other] : pairs.matched)
      add(passes.points[own], trace_.checkpoint->entries[other], passes);
    if (report_.outputs.empty() && !other_shape_) {
      add_gap(report_, trace_.path + ": no point of it is one of the model's", Gap::blocking);
      return;
    }
    check_operations(model);
    conclude();
  }

  /// Each point against what its own recorded inputs make it: proof where a bound is broken.
  void check_operations(VitModel& model) {
    // The bounds are float32's.
    if (coarser_than_float(coarsest_type()) > 0) return;
    const RecordedPoint recorded = [this](const std::string& point) {
      const auto found = recorded_.find(point);
      return found == recorded_.end() ? nullptr : &found->second;
    };
    for (const OutputPair& pair : report_.outputs) {
      const auto check = check_operation(model, pair.point, recorded);
      if (check && !check->holds()) broken_.emplace(pair.point, *check);
    }
  }

  bool is_beyond(const OutputPair& pair, double limit) const {
    return !(*pair.floor_units <= limit) || broken_.contains(pair.point);
  }

  void add(const NamedArray& own, const StoredTensor& other, const Passes& passes) {
    const ValuePair values{view_of(own), other.view};
    const auto exact = passes.truth.find(own.name);
    const bool one_shape = without_ones(values.a.shape()) == without_ones(values.b.shape());
    if (!one_shape && !other_shape_)
      other_shape_ =
          OtherShape{own.name, shape_text(values.a.shape()), shape_text(values.b.shape()),
                     report_.outputs.size(), have_one_width(values.a.shape(), values.b.shape())};
    if (exact == passes.truth.end() || !other.readable || !have_numbers(values) || !one_shape) {
      report_.not_checked.push_back(fmt::format("{}: {} {} in {}", own.name,
                                                info(other.view.dtype()).torch,
                                                shape_text(other.view.shape()), trace_.label));
      return;
    }
    OutputPair pair =
        compare_outputs(model_.label, trace_.label, own.name, values, options_.threads);
    const std::vector<double> zeros(exact->second.size());
    double unit = std::max(root_mean_square(own.values, exact->second),
                           root_mean_square(exact->second, zeros) * 0x1p-26);
    double spread = 0;
    for (const std::vector<float>& another : passes.orders.at(own.name)) {
      unit = std::max(unit, root_mean_square(another, exact->second));
      spread = std::max(spread, largest_difference(another, own.values));
    }
    std::vector<double> given = doubles_of(other.view);
    const double error = root_mean_square(given, exact->second);
    recorded_.emplace(own.name, std::move(given));
    pair.floor_units = unit == 0 ? 0 : error / unit;
    pair.floor_max_abs = spread;
    report_.outputs.push_back(std::move(pair));
    types_.emplace(own.name, other.view.dtype());
  }

  static bool have_one_width(const Shape& a, const Shape& b) {
    return a.size() == b.size() && a.size() > 1 && a.back() == b.back();
  }

  static Shape without_ones(Shape shape) {
    std::erase(shape, 1);
    return shape;
  }

  void conclude() {
    const auto beyond = std::ranges::find_if(
        report_.outputs, [this](const OutputPair& pair) { return is_beyond(pair, kMostRounding); });
    const bool equal = std::all_of(report_.outputs.begin(), report_.outputs.end(),
                                   [](const OutputPair& pair) { return pair.differing == 0; });
    const bool different = !equal || other_shape_;
    report_.verdict = verdict_of_traces(report_, different);
    if (!different) return;
    const auto at = static_cast<std::size_t>(beyond - report_.outputs.begin());
    if (other_shape_ && other_shape_->before <= at) {
      add_finding(report_, shape_finding(sides_, *other_shape_, config_used(report_, model_)));
    } else if (beyond == report_.outputs.end()) {
      add_finding(report_, rounding_finding(sides_, report_.outputs));
    } else {
      add_departures(*beyond);
    }
  }

  /// Of faults the first that recording in a narrower type does not explain; one behind active
  /// dropout where no dropout reaches.
  void add_departures(const OutputPair& first) {
    const DType type = coarsest_type();
    const double limit = kMostRounding * std::max(1.0, coarser_than_float(type));
    const auto fault = std::ranges::find_if(
        report_.outputs, [&](const OutputPair& pair) { return is_beyond(pair, limit); });
    if (*first.floor_units > kMostRounding && *first.floor_units <= limit)
      add_finding(report_, narrow_finding(sides_, first, type));
    if (fault != report_.outputs.end()) add_fault(*fault);
  }

  void add_fault(const OutputPair& first) {
    const auto dropout = dropout_finding(first, model_, trace_);
    const bool is_dropout = dropout && dropout->role == Role::cause;
    if (!is_dropout) add_finding(report_, departure(first));
    if (dropout) add_finding(report_, *dropout);
    if (!is_dropout) return;
    const auto behind = std::ranges::find_if(report_.outputs, [&](const OutputPair& pair) {
      return broken_.contains(pair.point) && has_whole_input(pair.point);
    });
    if (behind != report_.outputs.end()) add_finding(report_, departure(*behind));
  }

  /// Whether the step to the point starts from recorded outputs of modules as they are, with no
  /// dropout between them.
  static bool has_whole_input(std::string_view point) {
    return point.ends_with("layernorm_before") || point.ends_with("norm1") ||
           point.ends_with(".layernorm") || point.ends_with("decoder_norm");
  }

  /// Of an autocast run, some points have it.
  DType coarsest_type() const {
    DType coarsest = DType::float32;
    for (const auto& [point, type] : types_) {
      if (coarser_than_float(type) > coarser_than_float(coarsest)) coarsest = type;
    }
    return coarsest;
  }

  Finding departure(const OutputPair& first) const {
    const auto broken = broken_.find(first.point);
    return departure_finding(
        sides_, first, broken == broken_.end() ? std::nullopt : std::optional(broken->second));
  }

  Report& report_;
  std::map<std::string, std::vector<double>> recorded_;  // by the model's names
  std::map<std::string, OperationCheck> broken_;         // bounds
  std::map<std::string, DType> types_;
  std::optional<OtherShape> other_shape_;  // the first point of another shape
  const FloorOptions& options_;
  const Subject& trace_;
  const Subject& model_;
  const FloorSides sides_{model_.label, trace_.label};
};

}  // namespace

bool is_model_and_trace(const Report& report) {
  if (report.subjects.size() != 2) return false;
  const Subject& a = report.subjects[0];
  const Subject& b = report.subjects[1];
  return (is_vit_model(a) && is_recorded_run(b)) || (is_vit_model(b) && is_recorded_run(a));
}

void compare_with_truth(Report& report, const FloorOptions& options) {
  const Result<void> done = Floor(report, options).run();
  if (done) return;
  report.traces = false;
  report.verdict = Verdict::unknown;
  add_gap(report, "outputs: " + to_string(done.error()), Gap::blocking);
}

}  // namespace samebits
