#include "samebits/explain/weight_findings.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "samebits/compare/constant_tensor.h"
#include "samebits/explain/architectures.h"
#include "samebits/explain/block_copies.h"
#include "samebits/explain/computed_findings.h"
#include "samebits/explain/kinship_findings.h"
#include "samebits/explain/left_random.h"
#include "samebits/explain/rearranged_findings.h"
#include "samebits/explain/running_statistics.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/tied_findings.h"
#include "samebits/explain/turned_findings.h"

namespace samebits {
namespace {

using Names = std::vector<std::string>;

constexpr const char* kBeforeFreezing =
    "Compare the archives as they were before torch.jit.freeze: it folds batch norms into weights, "
    "and drops what the code does not use";
constexpr const char* kAsManyBlocks =
    "Build a model with as many blocks as the file has that is loaded into it: neither file is the "
    "other's model";

class Finder {
 public:
  Finder(Report& report, const WeightPair& pair, const std::set<std::string>& explained)
      : report_(report),
        pair_(pair),
        explained_(explained),
        comparison_(pair.comparison),
        a_(subject_of(report, pair.a)),
        b_(subject_of(report, pair.b)),
        architectures_(unlike_architectures(report, pair)) {}

  bool of_two_architectures() const { return !architectures_.empty(); }

  void changed() {
    Names names;
    const TensorMatch* first = nullptr;
    for (const TensorMatch& match : comparison_.matches) {
      if (match.kind != MatchKind::changed || explained_.contains(name_of(match))) continue;
      if (first == nullptr) first = &match;
      names.push_back(name_of(match));
    }
    if (first == nullptr) return;
    Finding finding = make("weights.changed", Role::cause, names);
    finding.summary = counted_of(names.size(), comparison_.matched, "weight", "has", "have") +
                      (!all_of_other_shape() ? " other values"
                       : names.size() == 1   ? " another shape"
                                             : " other shapes");
    std::size_t shown = all_of_other_shape() ? 3 : 1;
    for (const TensorMatch& match : comparison_.matches) {
      if (match.kind != MatchKind::changed || match.how.empty() ||
          explained_.contains(name_of(match)) || shown == 0)
        continue;
      finding.details.push_back(name_of(match) + ": " + match.how);
      --shown;
    }
    if (const std::string text = part_text(names); !text.empty()) finding.details.push_back(text);
    for (const Subject* side : {&a_, &b_})
      if (const std::string text = shards_text(*side); !text.empty())
        finding.details.push_back(text);
    if (first->stats)
      finding.details.push_back((names.size() == 1 ? "" : "most, by relative change, in ") +
                                describe(*first));
    finding.evidence["largest"] = first->stats ? json_number(first->stats->max_abs) : Json(nullptr);
    finding.remedy = changed_remedy();
    add_turned(turned_matrices(report_, pair_), &finding);
    add(std::move(finding));
  }

  /// Where nothing but sizes differs, a part was replaced on purpose.
  std::string changed_remedy() const {
    if (all_of_other_shape())
      return "Leave it, if a part of another size was meant; otherwise take one of the two files "
             "on both sides";
    return "Take one of the two files on both sides: these are other weights, and no way of "
           "loading makes them equal";
  }

  /// Where a side has its weights in several files, and what changed is all that some of them hold.
  std::string shards_text(const Subject& side) const {
    std::set<std::uint32_t> changed;
    std::set<std::uint32_t> equal;
    for (const TensorMatch& match : comparison_.matches) {
      for (const std::uint32_t index : &side == &a_ ? match.a : match.b) {
        const bool differs = match.kind == MatchKind::changed;
        (differs ? changed : equal).insert(weight_entry(side, index).file);
      }
    }
    const auto is_mixed = [&](std::uint32_t file) { return equal.contains(file); };
    if (changed.empty() || equal.empty() || std::ranges::any_of(changed, is_mixed)) return "";
    Names files;
    for (const std::uint32_t file : changed) {
      const std::string& path = side.checkpoint->files[file].path;
      files.push_back(path.substr(path.rfind('/') + 1));
    }
    return fmt::format(
        "in {} they are all that {} {}, and the other files are equal: as where files of two saves "
        "are mixed",
        side.label, some_of(files), files.size() == 1 ? "holds" : "hold");
  }

  bool all_of_other_shape() const {
    return std::ranges::all_of(comparison_.matches, [&](const TensorMatch& match) {
      return match.kind != MatchKind::changed || explained_.contains(name_of(match)) ||
             match.how.starts_with("shape ");
    });
  }

  /// Where several changed and most are equal: what they have in common.
  std::string part_text(const Names& names) const {
    const std::uint64_t others = comparison_.matched - comparison_.changed;
    if (names.size() < 2 || names.size() != comparison_.changed || others < names.size()) return "";
    if (std::ranges::any_of(comparison_.matches, [](const TensorMatch& match) {
          return match.kind == MatchKind::rounded;
        }))
      return "";
    std::string part = names[0].substr(0, names[0].rfind('.') + 1);
    for (const std::string& name : names) {
      while (!part.empty() && !name.starts_with(part))
        part = part.substr(0, part.substr(0, part.size() - 1).rfind('.') + 1);
    }
    if (part.empty()) return "";
    return fmt::format("all of them in {}; the other {} equal", part.substr(0, part.size() - 1),
                       counted(others, "weight", "is", "are"));
  }

  /// NaN and infinities on one side of tensors, where any changed.
  void invalid() {
    Names names;
    std::uint64_t in_a = 0;
    std::uint64_t in_b = 0;
    if (std::ranges::none_of(comparison_.matches, [](const TensorMatch& match) {
          return match.kind == MatchKind::changed;
        }))
      return;
    for (const TensorMatch& match : comparison_.matches) {
      if (!match.stats) continue;
      const std::uint64_t a = match.stats->nan_a + match.stats->inf_a;
      const std::uint64_t b = match.stats->nan_b + match.stats->inf_b;
      if (a == b) continue;
      in_a += a;
      in_b += b;
      names.push_back(name_of(match));
    }
    if (names.empty()) return;
    Finding finding = make("weights.invalid", Role::contributes, names);
    finding.summary = fmt::format("{} NaN or infinite values in {}: {} in {}, {} in {}",
                                  counted(names.size(), "weight", "has", "have"),
                                  in_a == 0   ? pair_.b
                                  : in_b == 0 ? pair_.a
                                              : "both",
                                  in_a, pair_.a, in_b, pair_.b);
    finding.remedy = "Go back to a checkpoint from before the training diverged";
    add(std::move(finding));
  }

  void missing() {
    one_side(comparison_.only_a, pair_.a, pair_.b);
    one_side(comparison_.only_b, pair_.b, pair_.a);
  }

  void rounded() {
    Names names;
    std::string how;
    for (const TensorMatch& match : comparison_.matches) {
      if (match.kind != MatchKind::rounded || explained_.contains(name_of(match))) continue;
      if (how.empty()) how = match.how;
      names.push_back(name_of(match));
    }
    if (names.empty()) return;
    const std::string lost = rounding_loss_text(comparison_);
    Finding finding = make("weights.rounded", Role::cause, names);
    finding.summary = counted_of(names.size(), comparison_.matched, "weight", "was", "were") +
                      " rounded to a narrower type" + (lost.empty() ? "" : "; " + lost);
    if (!how.empty()) finding.details.push_back(how);
    finding.remedy =
        "Save again from the side that holds the wider values, or compare both after the same "
        "rounding";
    add_loss(&finding);
    add(std::move(finding));
  }

  /// What is no mere rounding, and where.
  void add_loss(Finding* finding) const {
    RoundingLoss all;
    for (const bool infinite : {true, false}) {
      Names where;
      for (const TensorMatch& match : comparison_.matches) {
        const std::uint64_t count = infinite ? match.loss.overflowed : match.loss.flushed;
        (infinite ? all.overflowed : all.flushed) += count;
        if (count > 0) where.push_back(fmt::format("{} ({})", name_of(match), count));
      }
      if (!where.empty())
        finding->details.push_back(
            (infinite ? "beyond the largest number of the type in " : "below its smallest in ") +
            some_of(where));
    }
    if (!all.any()) return;
    finding->evidence["overflowed"] = all.overflowed;
    finding->evidence["flushed"] = all.flushed;
    if (all.overflowed > 0)
      finding->remedy =
          "Save again from the side that holds the wider values, in a type whose range holds them "
          "(bfloat16 has that of float32)";
  }

  /// Names of tensors whose values differ show no renaming, nor do those of constants.
  bool shows_renaming() const {
    return std::ranges::any_of(comparison_.matches, [&](const TensorMatch& match) {
      if (match.kind == MatchKind::changed || match.a.empty() || match.b.empty()) return false;
      const bool one_name = match.a.size() == 1 && match.b.size() == 1 &&
                            name_of(match) == weight_name(b_, match.b[0]);
      return !one_name && !is_constant(weight_entry(a_, match.a[0]).view);
    });
  }

  void renamed() {
    if (comparison_.renamed == 0 || !shows_renaming()) return;
    Names names;
    for (const TensorMatch& match : comparison_.matches) {
      if (match.a.empty() || match.b.empty()) continue;
      const bool one_to_one = match.a.size() == 1 && match.b.size() == 1;
      if (one_to_one && name_of(match) == weight_name(b_, match.b[0])) continue;
      for (const std::uint32_t index : match.a) names.push_back(weight_name(a_, index));
    }
    Finding finding = make("weights.renamed", Role::note, names);
    Json rules = Json::array();
    for (const RenameRule& rule : comparison_.rules)
      rules.push_back({{"from", rule.from}, {"to", rule.to}});
    finding.evidence["rules"] = std::move(rules);
    finding.summary =
        fmt::format("{} {} in {}, by {}", counted(names.size(), "weight", "has", "have"),
                    names.size() == 1 ? "another name" : "other names", pair_.b,
                    counted(comparison_.rules.size(), "rule"));
    add(std::move(finding));
  }

  void dtype() {
    Names names;
    std::string types;
    for (const TensorMatch& match : comparison_.matches) {
      if (match.kind != MatchKind::same_values || match.a.empty() || match.b.empty()) continue;
      const DType a = weight_entry(a_, match.a[0]).view.dtype();
      const DType b = weight_entry(b_, match.b[0]).view.dtype();
      if (a == b) continue;
      if (types.empty())
        types = fmt::format("{} in {}, {} in {}", info(a).torch, pair_.a, info(b).torch, pair_.b);
      names.push_back(name_of(match));
    }
    if (names.empty()) return;
    Finding finding = make("numerics.dtype", Role::risk, names);
    finding.summary = fmt::format("{} equal as numbers but stored in another type ({})",
                                  counted(names.size(), "weight", "is", "are"), types);
    finding.remedy =
        "State the type when loading (torch_dtype or dtype in from_pretrained): a loader that "
        "keeps the file's type computes in it";
    add(std::move(finding));
  }

 private:
  const std::string& name_of(const TensorMatch& match) const {
    return match.a.empty() ? weight_name(b_, match.b[0]) : weight_name(a_, match.a[0]);
  }

  /// What the statistics count.
  const char* counted_parts(const TensorMatch& match) const {
    const bool is_complex =
        match.a.size() == 1 &&
        info(weight_entry(a_, match.a[0]).view.dtype()).family == DTypeFamily::complex;
    return is_complex ? "real and imaginary parts" : "elements";
  }

  std::string describe(const TensorMatch& match) const {
    const TensorStats& stats = *match.stats;
    if (const std::string text = not_finite_text(stats, pair_.a, pair_.b); !text.empty())
      return fmt::format("{}: {}, of {} {}", name_of(match), text, stats.elements,
                         counted_parts(match));
    std::string text = fmt::format("{}: {} of {} {}, up to {:.3g}", name_of(match), stats.differing,
                                   stats.elements, counted_parts(match), stats.max_abs);
    const bool says_more = !stats.pattern.empty() && stats.pattern != "one element";
    if (says_more) text += " (" + pattern_text(stats, pair_.a, pair_.b) + ")";
    return text;
  }

  Finding make(const char* cause, Role role, const Names& names) const {
    Finding finding{
        .cause = cause, .role = role, .proof = Proof::observed, .subjects = {pair_.a, pair_.b}};
    finding.evidence = {{"count", names.size()}, {"tensors", name_list(names)}};
    return finding;
  }

  void one_side(const Names& names, const std::string& holder, const std::string& other) {
    if (names.empty()) return;
    Names untied;
    std::set<std::string> tied = explained_;
    for (const ComputedAlone& table : comparison_.computed)
      if (!table.what.empty()) tied.insert(table.name);
    for (const TieDifference& tie : comparison_.ties) {
      tied.insert(tie.names_a.begin(), tie.names_a.end());
      tied.insert(tie.names_b.begin(), tie.names_b.end());
    }
    std::copy_if(names.begin(), names.end(), std::back_inserter(untied),
                 [&](const std::string& name) { return !tied.contains(name); });
    if (!of_two_architectures()) lone_counters(&untied, holder, other);
    if (untied.empty()) return;
    Finding finding = make("weights.missing", Role::cause, untied);
    finding.evidence["side"] = holder;
    finding.summary = untied.size() == 1
                          ? fmt::format("1 weight stands only in {}: {}", holder, untied[0])
                          : fmt::format("{} weights stand only in {}, {} among them", untied.size(),
                                        holder, untied[0]);
    if (of_two_architectures() && holder == pair_.a) {
      finding.summary = fmt::format("{} and {} are two architectures, {}: {}", holder, other,
                                    architectures_, finding.summary);
      finding.evidence["architectures"] = architectures_;
    }
    if (of_two_architectures()) {
      finding.remedy = kOfOneModel;
      return add(std::move(finding));
    }
    const Subject& side = holder == pair_.a ? a_ : b_;
    const std::string copies = block_copies_text(side, untied);
    if (!copies.empty()) finding.details.push_back(copies);
    finding.remedy = is_frozen(a_) || is_frozen(b_) ? kBeforeFreezing
                     : !copies.empty() || are_whole_blocks(untied, side)
                         ? kAsManyBlocks
                         : missing_remedy(side, other, untied);
    add(std::move(finding));
  }

  /// Blocks of a list of which the other side has fewer, none of its own, and nothing of these.
  bool are_whole_blocks(const Names& names, const Subject& side) const {
    const bool of_a = &side == &a_;
    std::uint64_t in_blocks = 0;
    std::set<std::string> stacks;
    for (const Segment& segment : segments_of(report_, pair_)) {
      const bool alone = segment.status == (of_a ? SegmentStatus::only_a : SegmentStatus::only_b);
      if (segment.kind != SegmentKind::block) continue;
      if (alone) in_blocks += of_a ? segment.only_a : segment.only_b;
      if (!alone) stacks.insert(segment.stack);
    }
    return in_blocks == names.size() && !stacks.empty();
  }

  std::string missing_remedy(const Subject& side, const std::string& other,
                             const Names& names) const {
    return fmt::format("Find out whether {} was saved without {} or {} added later{}", other,
                       names.size() == 1 ? "it" : "them",
                       names.size() == 1 ? "it was" : "they were",
                       left_random_words(pair_, side, names));
  }

  /// Takes the counters out of `names`: a loader leaves them at 0.
  void lone_counters(Names* names, const std::string& holder, const std::string& other) {
    std::set<std::string> known;
    for (const ComputedAlone& each : comparison_.computed)
      if (each.what.empty()) known.insert(each.name);
    Names counters;
    std::erase_if(*names, [&](const std::string& name) {
      if (!known.contains(name)) return false;
      counters.push_back(name);
      return true;
    });
    if (counters.empty()) return;
    Finding finding = make("weights.missing", Role::note, counters);
    finding.evidence["side"] = holder;
    finding.summary =
        fmt::format("{} only in {}, {}", counted(counters.size(), "counter", "stands", "stand"),
                    holder, counters.size() == 1 ? counters[0] : counters[0] + " among them");
    finding.details.push_back(fmt::format(
        "outputs in eval mode do not depend on such a counter; a new model into which {} is loaded "
        "starts {} at 0",
        other, counters.size() == 1 ? "it" : "them"));
    add(std::move(finding));
  }

  static bool is_frozen(const Subject& subject) {
    return subject.checkpoint->program && subject.checkpoint->program->way == "frozen";
  }

  void add(Finding finding) { add_finding(report_, std::move(finding)); }

  Report& report_;
  const WeightPair& pair_;
  const std::set<std::string>& explained_;
  const WeightComparison& comparison_;
  const Subject& a_;
  const Subject& b_;
  std::string architectures_;  // of the two sides, where they are unlike; "" otherwise
};

double multiple_of(const TensorStats& stats) {
  return stats.cosine < 0 ? -stats.norm_ratio : stats.norm_ratio;
}

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

void find_weight_causes(Report& report, const WeightPair& pair,
                        const std::set<std::string>& explained) {
  Finder finder(report, pair, explained);
  if (finder.of_two_architectures()) return finder.missing();
  finder.changed();
  finder.invalid();
  finder.missing();
  finder.rounded();
  find_rearranged(report, pair);
  finder.renamed();
  find_ties(report, pair);
  note_computed(report, pair);
  finder.dtype();
}

std::string rounding_loss_text(const WeightComparison& comparison) {
  RoundingLoss all;
  for (const TensorMatch& match : comparison.matches) {
    all.overflowed += match.loss.overflowed;
    all.flushed += match.loss.flushed;
  }
  std::string text;
  if (all.overflowed > 0) text = counted(all.overflowed, "element") + " overflowed";
  if (all.flushed > 0)
    text += (text.empty() ? "" : " and ") +
            (text.empty() ? counted(all.flushed, "element") : fmt::format("{}", all.flushed)) +
            " became 0";
  return text;
}

std::string pattern_text(const TensorStats& stats, const std::string& a, const std::string& b) {
  if (stats.pattern == "scale") return fmt::format("{:.6g} times {}'s", multiple_of(stats), a);
  for (const auto& [pattern, label] : {std::pair("zeros in A", a), std::pair("zeros in B", b)}) {
    if (stats.pattern == pattern)
      return fmt::format("{} has 0 there, and the others are equal bit for bit", label);
  }
  return stats.pattern;
}

std::string not_finite_text(const TensorStats& stats, const std::string& a, const std::string& b) {
  if (stats.pattern == "nan")
    return fmt::format("{} NaN in {}, {} in {}", stats.nan_a, a, stats.nan_b, b);
  // Of numbers that are finite on both sides none differs.
  if (stats.differing == 0 || stats.max_abs > 0 || stats.inf_a + stats.inf_b == 0) return "";
  return fmt::format("{} infinite in {}, {} in {}", stats.inf_a, a, stats.inf_b, b);
}

std::string common_multiple(const WeightComparison& comparison) {
  constexpr double kSame = 1e-5;  // what rounding moves the ratio of two norms by, at most
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  for (const TensorMatch& match : comparison.matches) {
    if (match.kind != MatchKind::changed) continue;
    if (!match.stats || match.stats->pattern != "scale") return "";
    least = std::min(least, multiple_of(*match.stats));
    most = std::max(most, multiple_of(*match.stats));
  }
  if (least > most || most - least > kSame * std::abs(most)) return "";
  return fmt::format("{:.5g}", (least + most) / 2);
}

ChangeExtent change_extent(const WeightComparison& comparison) {
  ChangeExtent extent;
  std::vector<double> cosines;
  std::vector<double> relative;
  extent.total = comparison.matched;
  for (const TensorMatch& match : comparison.matches) {
    if (match.kind != MatchKind::changed || !match.stats || match.stats->pattern == "nan") continue;
    ++extent.changed;
    cosines.push_back(match.stats->cosine);
    relative.push_back(match.stats->relative_norm);
    if (std::isfinite(match.stats->max_abs))
      extent.largest = std::max(extent.largest, match.stats->max_abs);
  }
  if (cosines.empty()) return extent;
  extent.median_cosine = median_of(std::move(cosines));
  extent.median_relative = median_of(std::move(relative));
  return extent;
}

}  // namespace samebits
