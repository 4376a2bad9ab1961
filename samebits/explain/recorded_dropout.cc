#include "samebits/explain/recorded_dropout.h"

#include <fmt/format.h>

#include "samebits/explain/trace_diff.h"

namespace samebits {
namespace {

struct ActiveDropout {
  std::string point, input;
  double rate = 0;
};

bool is_dropout(std::string_view point) {
  return point.ends_with("dropout") || point.ends_with("drop");
}

/// "vit.layers.0." of "vit.layers.0.dropout".
std::string_view parent(std::string_view point) { return point.substr(0, point.rfind('.') + 1); }

bool has_zeros(const TensorView& view) {
  if (!has_element_values(view.dtype())) return false;
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = view.row_major_bytes(buffer);
  const std::uint64_t size = itemsize(view.dtype());
  for (std::uint64_t i = 0; i < view.numel(); ++i) {
    if (element_as_double(view.dtype(), bytes.data() + i * size) == 0) return true;
  }
  return false;
}

/// Of a recording's dropout modules one whose output is the output of another module there, some
/// elements dropped.
std::optional<ActiveDropout> active_dropout(const Subject& subject) {
  if (!is_recorded_run(subject)) return std::nullopt;
  const std::vector<StoredTensor>& points = subject.checkpoint->entries;
  for (const StoredTensor& point : points) {
    if (!is_dropout(point.path) || !point.readable || !has_zeros(point.view)) continue;
    for (const StoredTensor& input : points) {
      const bool beside = input.path != point.path && input.path.starts_with(parent(point.path)) &&
                          input.readable && input.view.shape() == point.view.shape();
      const ValuePair values{input.view, point.view};
      if (!beside || !have_numbers(values)) continue;
      const auto dropout = dropout_pattern(values);
      if (dropout && dropout->in_b && !dropout->in_a)
        return ActiveDropout{point.path, input.path, dropout->rate};
    }
  }
  return std::nullopt;
}

Finding finding_of(const OutputPair& pair, const std::string& who, std::string detail,
                   const std::string& point, double rate) {
  return {.cause = "mode.training",
          .role = Role::cause,
          .proof = Proof::observed,
          .subjects = {pair.a, pair.b},
          .summary = who + " ran in training mode: dropout was active",
          .details = {std::move(detail)},
          .evidence = {{"modules", Json::array()}, {"point", point}, {"rate", rate}},
          .remedy = "Call model.eval() before running the model"};
}

}  // namespace

std::optional<Finding> dropout_finding(const OutputPair& pair, const Subject& a, const Subject& b) {
  if (pair.dropout) {
    const DropoutPattern& seen = *pair.dropout;
    const bool both = seen.in_a && seen.in_b;
    const char* what = both
                           ? "at {} each has zeros of its own, {:.2g} of all, and the rest is equal"
                           : "at {} elements are 0 with a chance of {:.2g}, and the rest is the "
                             "other's, divided by one less that chance";
    return finding_of(pair,
                      both        ? pair.a + " and " + pair.b
                      : seen.in_a ? pair.a
                                  : pair.b,
                      fmt::format(fmt::runtime(what), pair.point, seen.rate), pair.point,
                      seen.rate);
  }
  for (const Subject* subject : {&b, &a}) {
    const auto active = active_dropout(*subject);
    if (!active) continue;
    return finding_of(
        pair, subject->label,
        fmt::format("at {} elements are 0 with a chance of {:.2g}, and the rest is that of {}, "
                    "divided by one less that chance",
                    active->point, active->rate, active->input),
        active->point, active->rate);
  }
  return std::nullopt;
}

}  // namespace samebits
