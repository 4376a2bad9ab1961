#include "samebits/compare/rename_rules.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <string>

#include "samebits/compare/name_pieces.h"

namespace samebits {
namespace {

constexpr int kRounds = 4;  // of learning; what they leave unexplained becomes a whole name

// Stands behind each piece of a run: runs of unlike pieces are then unlike texts, in the order of
// their pieces.
constexpr char kEnd = '\0';

// The text of a run without what stands between its pieces.
std::string joined(std::string run) {
  std::erase(run, kEnd);
  return run;
}

std::string templated_run(const Pieces& pieces, std::size_t begin, std::size_t end) {
  std::string run;
  for (std::size_t i = begin; i < end; ++i) {
    run += templated(pieces[i]);
    run += kEnd;
  }
  return run;
}

// Two examples with one signature teach the same: their pieces are the same but for numbers, which
// are equal to one another in the same places.
std::string signature(const Pieces& a, const Pieces& b) {
  std::vector<std::string_view> numbers;
  std::string text;
  for (const Pieces* pieces : {&a, &b}) {
    for (std::string_view piece : *pieces) {
      if (!is_number(piece)) {
        text += piece;
      } else {
        const std::string_view number = without_dot(piece);
        const auto at = std::find(numbers.begin(), numbers.end(), number);
        text += std::to_string(at - numbers.begin());
        if (at == numbers.end()) numbers.push_back(number);
        text += piece.substr(number.size());
      }
      text += kEnd;
    }
    text += kEnd;
  }
  return text;
}

// The pieces that all of the names begin with, short of whole names.
std::vector<std::string> common_lead(const std::vector<NamePair>& examples,
                                     std::string NamePair::* side) {
  std::vector<std::string> lead;
  bool first = true;
  for (const NamePair& example : examples) {
    const Pieces pieces = split_name(example.*side);
    std::size_t same = 0;
    while (same + 1 < pieces.size() &&
           (first || (same < lead.size() && lead[same] == pieces[same])))
      ++same;
    if (first) lead.assign(pieces.begin(), pieces.begin() + static_cast<std::ptrdiff_t>(same));
    lead.resize(same);
    first = false;
  }
  return lead;
}

// Names of one side that have slashes where the other's have dots.
bool have_slashes(const std::vector<NamePair>& examples, std::string NamePair::* side) {
  const auto any = [&](char c) {
    return std::ranges::any_of(
        examples, [&](const NamePair& each) { return (each.*side).find(c) != std::string::npos; });
  };
  return any('/') && !any('.');
}

// What stands in `longer` in front of the first piece of `shorter`: all of it where that is empty.
std::string in_front(const std::vector<std::string>& longer,
                     const std::vector<std::string>& shorter) {
  const auto end =
      shorter.empty() ? longer.end() : std::find(longer.begin(), longer.end(), shorter[0]);
  if (end == longer.end() && !shorter.empty()) return "";
  return std::accumulate(longer.begin(), end, std::string());
}

}  // namespace

/// Examples that teach the same, by the first of them, without its prefixes. The pieces borrow from
/// the learner's names.
struct RenameRules::Example {
  Pieces pieces_a, pieces_b;
  std::vector<Hunk> hunks;
  std::string_view a, b;
  std::size_t count = 0, last = 0;  // how many there are, and where the last of them stood
};

class RenameRules::Learner {
 public:
  Learner(RenameRules* rules, const std::vector<NamePair>& stripped)
      : rules_(*rules), stripped_(stripped) {
    std::unordered_map<std::string, std::size_t> known;
    for (std::size_t i = 0; i < stripped.size(); ++i) {
      Pieces a = split_name(stripped[i].a);
      Pieces b = split_name(stripped[i].b);
      const auto [at, is_new] = known.try_emplace(signature(a, b), examples_.size());
      if (is_new) {
        std::vector<Hunk> hunks = differing_hunks(a, b);
        examples_.push_back({.pieces_a = std::move(a),
                             .pieces_b = std::move(b),
                             .hunks = std::move(hunks),
                             .a = stripped[i].a,
                             .b = stripped[i].b});
      }
      Example& example = examples_[at->second];
      example_of_.push_back(at->second);
      example.last = i;
      // What one example says twice it says for ever.
      if (++example.count <= 2) order_.push_back(at->second);
    }
  }

  void run() {
    for (int round = 0; round < kRounds; ++round) {
      make_rules();
      if (!sharpen()) return;
    }
    make_rules();
    std::vector<bool> wrong(examples_.size());
    for (std::size_t i = 0; i < examples_.size(); ++i)
      wrong[i] = rules_.transform(examples_[i].a, nullptr) != examples_[i].b;
    for (std::size_t i = 0; i < stripped_.size(); ++i) {
      if (wrong[example_of_[i]]) add_whole(stripped_[i]);
    }
  }

 private:
  /// Every hunk with the context that it needs so far; of several meanings the most frequent.
  void make_rules() {
    std::map<std::string, std::map<std::string, std::size_t>> meanings;
    std::map<std::string, std::pair<std::size_t, std::string>> hunk_of;  // of the last example
    for (const Example& example : examples_) {
      for (std::size_t i = 0; i < example.hunks.size(); ++i) {
        const Hunk wide = widened(example, i);
        auto from = templated_run(example.pieces_a, wide.a_begin, wide.a_end);
        auto& [last, hunk] = hunk_of[from];
        if (example.last >= last) {
          last = example.last;
          hunk = hunk_text(example, i);
        }
        meanings[std::move(from)][templated_run(example.pieces_b, wide.b_begin, wide.b_end)] +=
            example.count;
      }
    }
    std::vector<Rule> rules;
    for (const auto& [from, tos] : meanings) {
      const auto most = std::max_element(
          tos.begin(), tos.end(), [](const auto& x, const auto& y) { return x.second < y.second; });
      if (!from.empty()) rules.push_back({from, most->first, hunk_of[from].second});
    }
    rules_.set_rules(std::move(rules));
  }

  /// Asks for more context where a rule did what an example does not show. False where all agree.
  bool sharpen() {
    std::set<std::string> ambiguous;
    bool wrong = false;
    for (const std::size_t which : order_) {
      const Example& example = examples_[which];
      std::vector<Fired> fired;
      if (rules_.transform(example.a, &fired) == example.b) continue;
      wrong = true;
      const std::size_t before = ambiguous.size();
      for (const Fired& each : fired) {
        if (!shows(example, rules_.rules_[each.rule], each.at))
          ambiguous.insert(rules_.rules_[each.rule].hunk);
      }
      if (ambiguous.size() > before) continue;
      for (std::size_t i = 0; i < example.hunks.size(); ++i)
        ambiguous.insert(hunk_text(example, i));
    }
    for (const std::string& hunk : ambiguous) ++context_[hunk];
    return wrong;
  }

  bool shows(const Example& example, const Rule& rule, std::size_t at) const {
    for (std::size_t i = 0; i < example.hunks.size(); ++i) {
      const Hunk wide = widened(example, i);
      if (wide.a_begin == at &&
          templated_run(example.pieces_a, wide.a_begin, wide.a_end) == rule.from &&
          templated_run(example.pieces_b, wide.b_begin, wide.b_end) == rule.to)
        return true;
    }
    return false;
  }

  static std::string hunk_text(const Example& example, std::size_t i) {
    const Hunk& hunk = example.hunks[i];
    return joined(templated_run(example.pieces_a, hunk.a_begin, hunk.a_end));
  }

  /// The hunk with kept pieces in front of it; one that erases or inserts has at least one, or the
  /// piece behind it.
  Hunk widened(const Example& example, std::size_t i) const {
    Hunk hunk = example.hunks[i];
    const auto asked = context_.find(hunk_text(example, i));
    const bool bare = hunk.a_begin == hunk.a_end || hunk.b_begin == hunk.b_end;
    const std::size_t wanted =
        (asked == context_.end() ? 0 : asked->second) + (bare ? std::size_t{1} : std::size_t{0});
    const std::size_t kept = hunk.a_begin - (i == 0 ? 0 : example.hunks[i - 1].a_end);
    const std::size_t taken = std::min(wanted, kept);
    hunk.a_begin -= taken;
    hunk.b_begin -= taken;
    if (bare && taken == 0 && hunk.a_end < example.pieces_a.size()) {
      ++hunk.a_end;
      ++hunk.b_end;
    }
    return hunk;
  }

  void add_whole(const NamePair& example) {
    const bool same_numbers = name_numbers(example.a) == name_numbers(example.b);
    if (same_numbers && holds_for_all_blocks(template_of(example.a))) {
      rules_.whole_.emplace(template_of(example.a), template_of(example.b));
      return;
    }
    rules_.whole_[example.a] = example.b;
  }

  /// Whether the names that differ in numbers alone have partners that do, too.
  bool holds_for_all_blocks(const std::string& name) {
    if (partners_.empty()) {
      for (const NamePair& example : stripped_)
        partners_[template_of(example.a)].insert(template_of(example.b));
    }
    return partners_[name].size() == 1;
  }

  RenameRules& rules_;
  const std::vector<NamePair>& stripped_;
  std::vector<Example> examples_;
  std::vector<std::size_t> example_of_;                    // of each pair
  std::vector<std::size_t> order_;                         // of the first two pairs of each example
  std::map<std::string, std::size_t> context_;             // pieces in front, by hunk
  std::map<std::string, std::set<std::string>> partners_;  // templates of B, by those of A
};

void RenameRules::find_prefix(const std::vector<NamePair>& examples) {
  const auto lead_a = common_lead(examples, &NamePair::a);
  const auto lead_b = common_lead(examples, &NamePair::b);
  prefix_b_ = in_front(lead_b, lead_a);
  if (prefix_b_.empty()) prefix_a_ = in_front(lead_a, lead_b);
}

RenameRules RenameRules::learn(const std::vector<NamePair>& examples_as_written) {
  RenameRules rules;
  std::vector<NamePair> examples = examples_as_written;
  rules.slashes_a_ = have_slashes(examples, &NamePair::a);
  rules.slashes_b_ = have_slashes(examples, &NamePair::b);
  if (rules.slashes_a_ == rules.slashes_b_) rules.slashes_a_ = rules.slashes_b_ = false;
  for (NamePair& example : examples) {
    if (rules.slashes_a_) std::ranges::replace(example.a, '/', '.');
    if (rules.slashes_b_) std::ranges::replace(example.b, '/', '.');
  }
  rules.find_prefix(examples);
  std::vector<NamePair> stripped;
  stripped.reserve(examples.size());
  for (const NamePair& example : examples) {
    stripped.push_back(
        {example.a.substr(rules.prefix_a_.size()), example.b.substr(rules.prefix_b_.size())});
  }
  Learner(&rules, stripped).run();
  return rules;
}

std::string_view RenameRules::strip(std::string_view name, bool* stripped) const {
  *stripped = name.starts_with(prefix_a_);
  return *stripped ? name.substr(prefix_a_.size()) : name;
}

const std::string* RenameRules::whole_name(std::string_view stripped) const {
  if (whole_.empty()) return nullptr;
  auto at = whole_.find(std::string(stripped));
  if (at == whole_.end()) at = whole_.find(template_of(stripped));
  return at == whole_.end() ? nullptr : &at->second;
}

void RenameRules::set_rules(std::vector<Rule> rules) {
  rules_ = std::move(rules);
  by_from_.clear();
  std::set<std::size_t> lengths;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    by_from_.emplace(rules_[i].from, i);
    lengths.insert(static_cast<std::size_t>(std::ranges::count(rules_[i].from, kEnd)));
  }
  lengths_.assign(lengths.rbegin(), lengths.rend());
}

std::string RenameRules::transform(std::string_view stripped, std::vector<Fired>* fired) const {
  const Pieces pieces = split_name(stripped);
  std::string name;
  for (std::size_t at = 0; at < pieces.size();) {
    auto found = by_from_.end();
    std::size_t end = at;
    for (const std::size_t length : lengths_) {
      if (length > pieces.size() - at) continue;
      end = at + length;
      found = by_from_.find(templated_run(pieces, at, end));
      if (found != by_from_.end()) break;
    }
    if (found == by_from_.end()) {
      name += pieces[at++];
      continue;
    }
    std::vector<std::string> numbers;
    for (std::size_t i = at; i < end; ++i) {
      if (is_number(pieces[i])) numbers.push_back(name_numbers(pieces[i])[0]);
    }
    name += fill_template(joined(rules_[found->second].to), numbers);
    if (fired != nullptr) fired->push_back({found->second, at});
    at = end;
  }
  return name;
}

std::string RenameRules::apply(std::string_view name) const {
  if (!slashes_a_ && !slashes_b_) return apply_dotted(name);
  std::string dotted(name);
  if (slashes_a_) std::ranges::replace(dotted, '/', '.');
  std::string result = apply_dotted(dotted);
  if (slashes_b_) std::ranges::replace(result, '.', '/');
  return result;
}

std::string RenameRules::apply_dotted(std::string_view name) const {
  bool stripped = false;
  const std::string_view rest = strip(name, &stripped);
  const std::string front = stripped ? prefix_b_ : "";
  if (const std::string* whole = whole_name(rest)) {
    const bool is_template = whole->find("{n}") != std::string::npos;
    return front + (is_template ? fill_template(*whole, name_numbers(rest)) : *whole);
  }
  return front + transform(rest, nullptr);
}

std::vector<RenameRule> RenameRules::used_by(const std::vector<std::string>& names) const {
  RenameRule prefix{prefix_a_, prefix_b_, 0};
  std::vector<std::uint32_t> counts(rules_.size(), 0);
  std::map<std::string, std::uint32_t> whole;
  for (std::string name : names) {
    if (slashes_a_) std::ranges::replace(name, '/', '.');
    bool stripped = false;
    const std::string_view rest = strip(name, &stripped);
    prefix.count += stripped && prefix_a_ != prefix_b_ ? 1 : 0;
    if (whole_name(rest) != nullptr) {
      const std::string literal(rest);
      ++whole[whole_.contains(literal) ? literal : template_of(rest)];
      continue;
    }
    std::vector<Fired> fired;
    (void)transform(rest, &fired);
    for (const Fired& each : fired) ++counts[each.rule];
  }
  std::vector<RenameRule> used;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (counts[i] > 0) used.push_back({joined(rules_[i].from), joined(rules_[i].to), counts[i]});
  }
  // An exception from a rule renames nothing.
  for (const auto& [from, count] : whole)
    if (from != whole_.at(from)) used.push_back({from, whole_.at(from), count});
  std::stable_sort(used.begin(), used.end(), [](const RenameRule& x, const RenameRule& y) {
    return x.count != y.count ? x.count > y.count : natural_less(x.from, y.from);
  });
  if (prefix.count > 0) used.insert(used.begin(), prefix);
  const auto count = static_cast<std::uint32_t>(names.size());
  if (slashes_a_ && count > 0) used.insert(used.begin(), {"/", ".", count});
  if (slashes_b_ && count > 0) used.push_back({".", "/", count});
  return used;
}

}  // namespace samebits
