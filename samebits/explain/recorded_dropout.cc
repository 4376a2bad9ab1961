#include "samebits/explain/recorded_dropout.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "samebits/compare/number_block.h"
#include "samebits/explain/trace_diff.h"

namespace samebits {
namespace {

/// A dropout module of a trace, whose output is that of another module there, some elements
/// dropped.
struct ActiveDropout {
  std::string input;
  double rate = 0;
  std::vector<bool> dropped;
};

/// Points beside a dropout module that are tried as its input, as a mean: a block has fewer.
constexpr std::uint64_t kMostInputs = 16;

using ActiveDropouts = std::map<std::string, ActiveDropout>;  // by point

bool is_dropout(std::string_view point) {
  return point.ends_with("dropout") || point.ends_with("drop");
}

/// "vit.layers.0." of "vit.layers.0.dropout".
std::string_view parent(std::string_view point) { return point.substr(0, point.rfind('.') + 1); }

std::vector<bool> zeros_of(const TensorView& view) {
  if (!has_element_values(view.dtype())) return {};
  std::vector<bool> zeros;
  zeros.reserve(view.numel());
  for_each_number(view, [&](double number) { zeros.push_back(number == 0); });
  return zeros;
}

ActiveDropouts active_dropouts(const Subject& subject) {
  ActiveDropouts active;
  if (!is_recorded_run(subject)) return active;
  const std::vector<StoredTensor>& points = subject.checkpoint->entries;
  std::uint64_t left = 0;  // elements that may still be read
  for (const StoredTensor& point : points) left += point.readable ? point.view.numel() : 0;
  left *= kMostInputs;
  for (const StoredTensor& point : points) {
    if (!is_dropout(point.path) || !point.readable) continue;
    std::vector<bool> zeros = zeros_of(point.view);
    if (std::ranges::find(zeros, true) == zeros.end()) continue;
    for (const StoredTensor& input : points) {
      const bool beside = input.path != point.path && input.path.starts_with(parent(point.path)) &&
                          input.readable && input.view.shape() == point.view.shape();
      const ValuePair values{input.view, point.view};
      if (!beside || !have_numbers(values)) continue;
      if (left < point.view.numel()) return active;
      left -= point.view.numel();
      const auto dropout = dropout_pattern(values);
      if (!dropout || dropout->rate_a > 0) continue;
      active[point.path] = {input.path, dropout->rate_b, std::move(zeros)};
      break;
    }
  }
  return active;
}

/// Whether a point is the output of a dropout module, or follows from it with nothing between them
/// that could differ: of a block's one dropout module the last call is recorded, and the norm
/// behind the attention is behind the first. The model's names may have a part in front that the
/// trace's have not.
bool is_behind(std::string_view point, std::string_view dropout) {
  if (point == dropout) return true;
  const std::string_view block = parent(dropout);
  if (block.empty()) return false;
  for (const std::string_view local : {"", ".layernorm_after", ".norm2"}) {
    if (!point.ends_with(local)) continue;
    const std::string_view own = point.substr(0, point.size() - local.size());
    const std::string_view stem = block.substr(0, block.size() - 1);
    if (own.ends_with(stem) &&
        (own.size() == stem.size() || own[own.size() - stem.size() - 1] == '.'))
      return true;
  }
  return false;
}

Finding parting_finding(const OutputPair& parting, Role role, bool in_a, bool in_b,
                        std::string detail) {
  const std::string who = in_a && in_b ? parting.a + " and " + parting.b + " were recorded"
                                       : (in_a ? parting.a : parting.b) + " was recorded";
  return {.cause = "mode.training",
          .role = role,
          .proof = Proof::observed,
          .subjects = {parting.a, parting.b},
          .summary = "dropout was active when " + who,
          .details = {std::move(detail)},
          .evidence = {{"modules", Json::array()}},
          .remedy =
              "Call model.eval() before running the model; it does not reach code that calls "
              "dropout with training=True"};
}

Finding at_parting(const OutputPair& parting) {
  const auto [rate_a, rate_b] = *parting.dropout;
  const bool both = rate_a > 0 && rate_b > 0;
  std::string detail =
      both ? fmt::format(
                 "at {} each has zeros of its own, about {:.2g} and {:.2g} of all, and the "
                 "rest is equal",
                 parting.point, rate_a, rate_b)
           : fmt::format(
                 "at {} elements are 0 with a chance of about {:.2g}, and the rest is the "
                 "other's, divided by one less that chance",
                 parting.point, std::max(rate_a, rate_b));
  Finding finding =
      parting_finding(parting, Role::cause, rate_a > 0, rate_b > 0, std::move(detail));
  finding.evidence["point"] = parting.point;
  finding.evidence["rate"] = both ? Json{rate_a, rate_b} : Json(std::max(rate_a, rate_b));
  return finding;
}

}  // namespace

std::optional<Finding> dropout_finding(const OutputPair& parting, const Subject& a,
                                       const Subject& b) {
  if (parting.dropout) return at_parting(parting);
  ActiveDropouts in_a = active_dropouts(a);
  ActiveDropouts in_b = active_dropouts(b);
  for (auto each = in_a.begin(); each != in_a.end();) {
    const auto other = in_b.find(each->first);
    const bool one_draw = other != in_b.end() && other->second.dropped == each->second.dropped;
    if (one_draw) in_b.erase(other);
    each = one_draw ? in_a.erase(each) : std::next(each);
  }
  if (in_a.empty() && in_b.empty()) return std::nullopt;
  const bool both = !in_a.empty() && !in_b.empty();
  const ActiveDropouts& shown = in_b.empty() ? in_a : in_b;
  const auto nearest = std::ranges::find_if(
      shown, [&](const auto& each) { return is_behind(parting.point, each.first); });
  const auto& [point, dropout] = nearest == shown.end() ? *shown.begin() : *nearest;
  Finding finding = parting_finding(
      parting, nearest == shown.end() ? Role::contributes : Role::cause, !in_a.empty(),
      !in_b.empty(),
      fmt::format("{}at {} elements are 0 with a chance of about {:.2g}, and the rest is that of "
                  "{}, divided by one less that chance",
                  both ? "in " + parting.b + " " : "", point, dropout.rate, dropout.input));
  if (finding.role == Role::contributes)
    finding.details.push_back("the two first differ at " + parting.point +
                              ": whether that is all that makes them differ is not known");
  finding.evidence["point"] = point;
  finding.evidence["rate"] = dropout.rate;
  return finding;
}

}  // namespace samebits
