#include "samebits/explain/weights_sentence.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/compare/constant_tensor.h"
#include "samebits/explain/segment_text.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/weight_findings.h"

namespace samebits {
namespace {

using Chosen = std::vector<bool>;

bool differs_in_values(SegmentStatus status) {
  return status == SegmentStatus::changed || status == SegmentStatus::unlike ||
         status == SegmentStatus::not_finite || status == SegmentStatus::exchanged;
}

class Sentence {
 public:
  Sentence(const Report& report, const WeightPair& pair, const Finding& leading)
      : report_(report),
        pair_(pair),
        found_(pair.comparison),
        leading_(leading),
        all_(pair.segments),
        equal_(with([](const Segment& s) { return s.status == SegmentStatus::identical; })),
        changed_(with([](const Segment& s) { return differs_in_values(s.status); })),
        rounded_(with([](const Segment& s) { return s.status == SegmentStatus::rounded; })) {}

  std::string text() const {
    for (const auto& say :
         {&Sentence::rounded, &Sentence::low_rank, &Sentence::multiple, &Sentence::resized_head,
          &Sentence::one_tensor, &Sentence::other_head, &Sentence::parts}) {
      std::string text = (this->*say)();
      if (!text.empty()) return text;
    }
    return "";
  }

 private:
  Chosen with(const std::function<bool(const Segment&)>& is_so) const {
    Chosen chosen;
    for (const Segment& segment : all_) chosen.push_back(is_so(segment));
    return chosen;
  }
  Chosen of_status(SegmentStatus status) const {
    return with([status](const Segment& s) { return s.status == status; });
  }
  static bool any(const Chosen& chosen) {
    return std::find(chosen.begin(), chosen.end(), true) != chosen.end();
  }
  static std::size_t count(const Chosen& chosen) {
    return static_cast<std::size_t>(std::count(chosen.begin(), chosen.end(), true));
  }
  std::string named(const Chosen& chosen) const { return segments_text(all_, chosen); }

  const std::string& name_of(const TensorMatch& match) const {
    return match.a.empty() ? weight_name(subject_of(report_, pair_.b), match.b[0])
                           : weight_name(subject_of(report_, pair_.a), match.a[0]);
  }

  /// Bits, or numbers that are stored otherwise.
  std::string equal_word() const {
    const bool bits = std::ranges::none_of(found_.matches, [](const TensorMatch& match) {
      return match.kind == MatchKind::same_values || match.kind == MatchKind::rearranged;
    });
    return bits ? "identical" : "equal";
  }

  /// "B is A rounded to bfloat16", where nothing else differs.
  std::string rounded() const {
    if (found_.verdict != WeightsVerdict::rounded) return "";
    std::set<std::string> how;
    for (const TensorMatch& match : found_.matches) {
      if (match.kind == MatchKind::rounded) how.insert(match.how);
    }
    if (how.size() != 1) return "";
    const std::string& one = *how.begin();
    const std::size_t from_a = one.find(" rounded to ");
    const std::string mirrored = fmt::format("{} holds {}'s ", pair_.a, pair_.b);
    const bool is_mirrored = one.starts_with(mirrored);
    if (from_a == std::string::npos) return "";
    const std::string lost = rounding_loss_text(found_);
    return fmt::format("{} holds {}'s weights, {}{}", is_mirrored ? pair_.a : pair_.b,
                       is_mirrored ? pair_.b : pair_.a,
                       is_mirrored ? one.substr(mirrored.size()) : one,
                       lost.empty() ? "" : "; " + lost);
  }

  /// "B is A plus an update of rank 8 in query and value of blocks 0 to 5".
  std::string low_rank() const {
    const Json& evidence = leading_.evidence;
    if (leading_.cause != "weights.adapted" || !evidence.contains("rank")) return "";
    const Json& rank = evidence["rank"];
    const std::string ranks = rank.is_array()
                                  ? fmt::format("ranks {} to {}", rank.front().get<std::int64_t>(),
                                                rank.back().get<std::int64_t>())
                                  : fmt::format("rank {}", rank.get<std::int64_t>());
    std::set<std::string> modules;
    for (const Json& tensor : evidence["tensors"]) {
      std::string name = tensor.get<std::string>();
      name = name.substr(0, name.rfind('.'));
      modules.insert(name.substr(name.rfind('.') + 1));
    }
    const bool is_all = evidence["count"] == found_.changed && found_.only_a.empty() &&
                        found_.only_b.empty() && !any(rounded_);
    std::string where = named(changed_);
    if (modules.size() <= 4)
      where = listed({modules.begin(), modules.end()}) + (is_all ? " of " + where : "");
    return fmt::format("{} is {} plus an update of {} in {}{}", pair_.b, pair_.a, ranks, where,
                       is_all ? "" : fmt::format("; other weights differ as well"));
  }

  /// "every weight of B is 0.999 times A's", or those that differ.
  std::string multiple() const {
    const std::string factor = common_multiple(found_);
    if (factor.empty() || found_.changed < 2 || one_side_has_more() || any(rounded_)) return "";
    if (found_.changed == found_.matched)
      return fmt::format("every weight of {} is {} times {}'s", pair_.b, factor, pair_.a);
    return fmt::format("{} of {} of {} are {} times {}'s; all else is {}", found_.changed,
                       counted(found_.matched, "weight"), pair_.b, factor, pair_.a, equal_word());
  }

  bool one_side_has_more() const { return !found_.only_a.empty() || !found_.only_b.empty(); }

  std::string one_tensor() const {
    if (found_.changed != 1 || one_side_has_more() || any(rounded_) || found_.matched < 2)
      return "";
    for (const TensorMatch& match : found_.matches) {
      if (match.kind != MatchKind::changed) continue;
      if (!match.stats) return fmt::format("only {} differs: {}", name_of(match), match.how);
      const TensorStats& stats = *match.stats;
      if (const std::string text = not_finite_text(stats, pair_.a, pair_.b); !text.empty())
        return fmt::format("only {} differs: {}", name_of(match), text);
      if (stats.differing == 0 && !match.how.empty())
        return fmt::format("only {} differs: {}", name_of(match), match.how);
      const std::string looks = pattern_text(stats, pair_.a, pair_.b);
      const bool says_how = stats.pattern == "scale" || stats.pattern.starts_with("zeros in");
      return fmt::format("only {} differs, in {} of {}, by up to {:.3g}{}", name_of(match),
                         stats.differing, counted(stats.elements, "element"), stats.max_abs,
                         says_how ? " (" + looks + ")" : "");
    }
    return "";
  }

  /// "10 classes in B, 3 in A": rows of the head's weight, where nothing else of it is another.
  std::string classes_text() const {
    for (const TensorMatch& match : found_.matches) {
      if (match.kind != MatchKind::changed || match.a.size() != 1 || match.b.size() != 1) continue;
      const Shape& a = shape_of(pair_.a, match.a[0]);
      const Shape& b = shape_of(pair_.b, match.b[0]);
      if (a.size() == 2 && b.size() == 2 && a[1] == b[1] && a[0] != b[0])
        return fmt::format("{} classes in {}, {} in {}", a[0], pair_.a, b[0], pair_.b);
    }
    return "";
  }
  const Shape& shape_of(const std::string& label, std::uint32_t index) const {
    return weight_entry(subject_of(report_, label), index).view.shape();
  }

  std::string resized_head() const { return classes_text().empty() ? "" : other_head(); }

  /// All but heads is the same.
  std::string other_head() const {
    const Chosen heads = with([](const Segment& s) { return s.kind == SegmentKind::head; });
    Chosen differing;
    for (std::size_t i = 0; i < all_.size(); ++i) differing.push_back(!equal_[i]);
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (differing[i] && !heads[i]) return "";
    }
    if (!any(differing) || !any(equal_)) return "";
    if (found_.changed == 0 && found_.only_b.empty())
      return fmt::format("{} is {} without {}: all else is {}", pair_.b, pair_.a, named(differing),
                         equal_word());
    if (found_.changed == 0 && found_.only_a.empty())
      return fmt::format("{} is {} with {} added: all else is {}", pair_.b, pair_.a,
                         named(differing), equal_word());
    const std::string classes = classes_text();
    const std::string change = relative_text(all_, differing);
    return fmt::format("the same backbone, another head{}: all but {} is {}",
                       !classes.empty()  ? " (" + classes + ")"
                       : !change.empty() ? " (relative change " + change + ")"
                                         : "",
                       named(differing), equal_word());
  }

  /// Frozen blocks in front, small changes of most numbers behind them.
  bool as_after_fine_tuning() const {
    bool any_frozen = false;
    bool any_trained = false;
    for (const Segment& segment : all_) {
      if (segment.kind == SegmentKind::head || segment.kind == SegmentKind::other) continue;
      const bool is_equal = segment.status == SegmentStatus::identical;
      if (is_equal && any_trained) return false;  // behind one that changed
      any_frozen = any_frozen || (is_equal && segment.kind == SegmentKind::block);
      if (is_equal) continue;
      const bool is_close = segment.status == SegmentStatus::changed && segment.relative &&
                            *segment.relative > 1e-5 && *segment.relative < 0.5;
      if (!is_close) return false;
      any_trained = true;
    }
    return any_frozen && any_trained && most_numbers_changed();
  }

  bool most_numbers_changed() const {
    double elements = 0;
    double differing = 0;
    for (const TensorMatch& match : found_.matches) {
      if (match.kind != MatchKind::changed || !match.stats) continue;
      const TensorStats& stats = *match.stats;
      if (stats.pattern == "scale" || stats.pattern == "sign" || stats.pattern == "one ulp")
        return false;
      elements += static_cast<double>(stats.elements);
      differing += static_cast<double>(stats.differing);
    }
    return differing * 2 > elements;
  }

  std::string start() const {
    if (leading_initial())
      return other_shape() ? "another seed and another size: both hold initial values; "
                           : "another seed: both hold initial values from other random draws; ";
    const ChangeExtent extent = change_extent(found_);
    if (!any(equal_) && !any(rounded_) && !shares_a_matrix() && extent.changed > 0 &&
        std::abs(extent.median_cosine) < kUnlikeCosine)
      return "unlike throughout: ";
    return as_after_fine_tuning() ? "as after fine-tuning: " : "";
  }

  /// Whether some matrix is the same on both sides. Constants are the same in all new models.
  bool shares_a_matrix() const {
    const Subject& a = subject_of(report_, pair_.a);
    return std::ranges::any_of(found_.matches, [&](const TensorMatch& match) {
      if (match.kind == MatchKind::changed || match.a.size() != 1) return false;
      const TensorView& view = weight_entry(a, match.a[0]).view;
      return view.shape().size() > 1 && view.numel() > 1 && !is_constant(view);
    });
  }

  bool other_shape() const {
    return std::ranges::any_of(found_.matches, [](const TensorMatch& match) {
      return match.kind == MatchKind::changed && match.how.starts_with("shape ");
    });
  }

  /// Shown by both sides' values: see initial_scale_of_both() of kinship_findings.cc.
  bool leading_initial() const {
    return std::ranges::any_of(report_.findings, [&](const Finding& finding) {
      return finding.cause == "file.mixup" && finding.evidence.value("both_initial", false) &&
             finding.subjects == std::vector{pair_.a, pair_.b};
    });
  }

  void add(const Chosen& chosen, const std::string& one, const std::string& several,
           std::vector<std::string>* clauses) const {
    const std::string text = named(chosen);
    if (text.empty()) return;
    const bool plural = text.find(" and ") != std::string::npos || text.starts_with("blocks") ||
                        text.starts_with("all ") || text.starts_with("both ") ||
                        text.ends_with(" blocks more") || text.ends_with("embeddings") ||
                        text.ends_with("modules") || text.ends_with("heads");
    clauses->push_back(text + " " + (plural ? several : one));
  }

  std::string parts() const {
    std::vector<std::string> clauses;
    const bool is_listed = count(equal_) * 2 <= all_.size() || named(equal_).size() < 50;
    const std::string word = equal_word();
    if (is_listed) add(equal_, "is " + word, "are " + word, &clauses);
    const std::string change = relative_text(all_, changed_);
    const std::string by = change.empty() ? "" : " (relative change " + change + ")";
    add(changed_, "differs" + by, "differ" + by, &clauses);
    add(rounded_, "is rounded", "are rounded", &clauses);
    add(of_status(SegmentStatus::only_a), "is only in " + pair_.a, "are only in " + pair_.a,
        &clauses);
    add(of_status(SegmentStatus::only_b), "is only in " + pair_.b, "are only in " + pair_.b,
        &clauses);
    add(of_status(SegmentStatus::more_in_a), "has more tensors in " + pair_.a,
        "have more tensors in " + pair_.a, &clauses);
    add(of_status(SegmentStatus::more_in_b), "has more tensors in " + pair_.b,
        "have more tensors in " + pair_.b, &clauses);
    if (clauses.empty() || (is_listed && any(equal_) && clauses.size() == 1)) return "";
    if (any(equal_) && !is_listed) clauses.push_back("all else is " + word);
    return start() + fmt::format("{}", fmt::join(clauses, "; "));
  }

  const Report& report_;
  const WeightPair& pair_;
  const WeightComparison& found_;
  const Finding& leading_;
  const std::vector<Segment>& all_;
  Chosen equal_, changed_, rounded_;
};

}  // namespace

std::string weights_sentence(const Report& report, const WeightPair& pair, const Finding& leading) {
  return pair.segments.empty() ? "" : Sentence(report, pair, leading).text();
}

}  // namespace samebits
