#include "samebits/explain/requantized_findings.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/explain/subjects.h"
#include "samebits/quantized/forms.h"
#include "samebits/quantized/step_error.h"

namespace samebits {
namespace {

/// What differs between the layers of both sides, all in all.
struct Requantized {
  std::vector<std::string> changed, equal;  // layers that say other numbers, and the same ones
  std::vector<std::string> beside;          // parts that differ where codes and scales do not
  std::set<std::string> forms;
  std::size_t codes = 0, scales = 0, tables = 0;  // layers of one form in which they differ
  std::size_t other_forms = 0;
  std::uint64_t numbers = 0, elements = 0;
  double relative = 0;

  void add(const std::string& layer, const CodeDifference& difference, std::uint64_t count,
           bool of_one_form) {
    (difference.numbers > 0 ? changed : equal).push_back(layer + ".weight");
    if (of_one_form) {
      codes += difference.codes > 0 ? 1 : 0;
      scales += difference.scales ? 1 : 0;
      tables += difference.tables ? 1 : 0;
    } else {
      ++other_forms;
    }
    numbers += difference.numbers;
    elements += count;
    if (difference.squared_change > 0)
      relative = std::max(relative, std::sqrt(difference.squared_change / difference.squared_norm));
  }
};

bool is_equal_in_codes(const CodeDifference& difference) {
  return difference.codes == 0 && !difference.scales && !difference.tables;
}

/// Names of either side that have no equal partner.
std::set<std::string> unequal_names(const Report& report, const WeightPair& pair) {
  std::set<std::string> names(pair.comparison.only_a.begin(), pair.comparison.only_a.end());
  names.insert(pair.comparison.only_b.begin(), pair.comparison.only_b.end());
  const Subject& a = subject_of(report, pair.a);
  for (const TensorMatch& match : pair.comparison.matches)
    if (match.kind != MatchKind::same && match.kind != MatchKind::renamed && match.a.size() == 1)
      names.insert(weight_name(a, match.a[0]));
  return names;
}

/// What to call a part that differs where codes and scales do not: tensors of a subclass keep
/// settings beside equal elements.
std::string part_beside(const StoredTensor* a, const StoredTensor* b, const std::string& name,
                        const std::string& layer) {
  const bool of_settings = a != nullptr && b != nullptr && a->identity != b->identity;
  return of_settings ? "the settings that " + layer + ".weight keeps" : name;
}

std::string differing_text(const Requantized& found) {
  std::vector<std::string> parts;
  const auto add = [&](std::size_t count, const char* what) {
    if (count > 0) parts.push_back(fmt::format("{} in {}", what, count));
  };
  add(found.codes, "codes");
  add(found.scales, "scales or zero points");
  add(found.tables, "what codes mean");
  if (found.other_forms > 0)
    parts.push_back(fmt::format("which elements share a scale, or how codes are read, in {}",
                                found.other_forms));
  if (!found.beside.empty()) parts.push_back("beside codes and scales: " + some_of(found.beside));
  return fmt::format("what differs: {}", fmt::join(parts, ", "));
}

/// Every layer has the codes and scales of the other side: what differs is how inputs and outputs
/// of layers are quantized.
bool differs_beside_alone(const Requantized& found) {
  return found.changed.empty() && found.codes + found.scales + found.tables == 0 &&
         found.other_forms == 0;
}

std::string equal_summary(const Requantized& found, const std::string& forms) {
  if (differs_beside_alone(found))
    return fmt::format(
        "{} of equal codes and scales, and differ in what stands beside them: scales, zero points "
        "or settings by which inputs or outputs are quantized ({})",
        counted(found.equal.size(), "quantized layer", "is", "are"), forms);
  return fmt::format("{} with other codes or scales on each side, which say the same numbers ({})",
                     counted(found.equal.size(), "weight", "is stored", "are stored"), forms);
}

void report_requantized(Report& report, const WeightPair& pair, const Requantized& found) {
  Finding finding{.cause = "weights.changed",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  const std::size_t all = found.changed.size() + found.equal.size();
  const std::string forms = fmt::format("{}", fmt::join(found.forms, "; "));
  finding.summary =
      found.changed.empty()
          ? equal_summary(found, forms)
          : fmt::format("{} quantized on both sides, and {} other numbers in {} than in {} ({})",
                        counted(all, "weight", "is", "are"),
                        found.changed.size() == all ? (all == 1 ? "says" : "say")
                                                    : fmt::format("{} say", found.changed.size()),
                        pair.b, pair.a, forms);
  finding.details.push_back(differing_text(found));
  if (!found.changed.empty())
    finding.details.push_back(
        fmt::format("{} of {} numbers differ, by at most {:.2g} of the norm "
                    "of their weight",
                    found.numbers, found.elements, found.relative));
  finding.evidence = {{"count", found.changed.size()}, {"tensors", name_list(found.changed)}};
  finding.evidence["largest"] = nullptr;
  finding.evidence["quantized"] = {{"codes", found.codes},
                                   {"scales", found.scales},
                                   {"forms", found.other_forms},
                                   {"numbers", found.numbers},
                                   {"relative", json_number(found.relative)}};
  finding.remedy =
      "Quantize both from the same weights with the same settings, or take one of the "
      "two files on both sides";
  add_finding(report, std::move(finding));
}

}  // namespace

std::set<std::string> find_requantized(Report& report, const WeightPair& pair,
                                       const QuantizedLayers& in_a, const QuantizedLayers& in_b,
                                       int threads) {
  const std::set<std::string> unequal = unequal_names(report, pair);
  const LayerSource source_a(*subject_of(report, pair.a).checkpoint);
  const LayerSource source_b(*subject_of(report, pair.b).checkpoint);
  const auto is_unequal = [&](const std::string& name) { return unequal.contains(name); };
  std::set<std::string> explained;
  Requantized found;
  for (const auto& [layer, parts_a] : in_a) {
    const auto other = in_b.find(layer);
    if (other == in_b.end()) continue;
    const std::vector<std::string>& parts_b = other->second;
    if (std::ranges::none_of(parts_a, is_unequal) && std::ranges::none_of(parts_b, is_unequal))
      continue;
    const auto a = read_quantized(source_a, layer, parts_a);
    const auto b = read_quantized(source_b, layer, parts_b);
    const auto difference = a && b ? code_difference(*a, *b, threads) : std::nullopt;
    if (!difference) continue;
    found.add(layer, *difference, a->numel(), a->form == b->form);
    found.forms.insert({a->form, b->form});
    if (is_equal_in_codes(*difference) && a->form == b->form)
      for (const std::string& name : parts_a)
        if (is_unequal(name))
          found.beside.push_back(
              part_beside(source_a.find(name), source_b.find(name), name, layer));
    explained.insert(parts_a.begin(), parts_a.end());
    explained.insert(parts_b.begin(), parts_b.end());
  }
  if (!explained.empty()) report_requantized(report, pair, found);
  return explained;
}

}  // namespace samebits
