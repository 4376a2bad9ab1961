#include <fmt/format.h>

#include <algorithm>

#include "samebits/report/name_groups.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kRules = 9;  // lines of a renaming
constexpr std::size_t kNames = 6;  // lines of names that one side lacks
constexpr std::size_t kUnder = Screen::kIndent + Screen::kLabel;

std::uint64_t tensors_of_a(const Report& report, const WeightPair& pair) {
  const Subject& subject = subject_of(report, pair.a);
  if (!subject.checkpoint || !subject.checkpoint->has_weights() || report.scope.filter) {
    return pair.comparison.matched + pair.comparison.only_a.size();
  }
  return subject.checkpoint->weights().weights.size();
}

bool is_prefix_rule(const std::vector<RenameRule>& rules) {
  return rules.size() == 1 && (rules[0].from.empty() || rules[0].to.empty());
}

// What was done to the names of B: "renamed by 9 rules"; "" where no name differs.
struct Renaming {
  std::string one, several;  // "is renamed by 9 rules", "are renamed by 9 rules"
};

Renaming renaming_of(const WeightPair& pair) {
  const std::vector<RenameRule>& rules = pair.comparison.rules;
  if (rules.empty()) return {};
  if (!is_prefix_rule(rules)) {
    const std::string by = "renamed by " + quantity(rules.size(), "rule");
    return {"is " + by, "are " + by};
  }
  const bool adds = rules[0].from.empty();
  const std::string prefix = fmt::format("the prefix \"{}\"", adds ? rules[0].to : rules[0].from);
  return {(adds ? "has " : "lacks ") + prefix, (adds ? "have " : "lack ") + prefix};
}

// "B has the prefix "model.""; "" where no name differs.
std::string renaming(const WeightPair& pair) {
  const std::string text = renaming_of(pair).one;
  return text.empty() ? text : pair.b + " " + text;
}

std::string in_parentheses(const std::string& text) {
  return text.empty() ? text : "(" + text + ")";
}

std::uint64_t count_of(const WeightComparison& comparison, MatchKind kind) {
  const auto is_kind = [kind](const TensorMatch& match) { return match.kind == kind; };
  return static_cast<std::uint64_t>(
      std::count_if(comparison.matches.begin(), comparison.matches.end(), is_kind));
}

// Tensors equal but for the bits of NaN, which as a number is equal to nothing.
std::uint64_t other_nans(const WeightComparison& comparison) {
  return static_cast<std::uint64_t>(
      std::ranges::count_if(comparison.matches, [](const TensorMatch& match) {
        return match.kind == MatchKind::same_values && match.how.starts_with("NaN");
      }));
}

// "12 rearranged, 3 widened": the matches that are not plainly the same bytes.
std::string kinds_text(const WeightComparison& comparison) {
  std::string text;
  const auto add = [&](MatchKind kind, const char* word) {
    const std::uint64_t count = count_of(comparison, kind);
    if (count == 0) return;
    if (!text.empty()) text += ", ";
    text += grouped(count) + " " + word;
  };
  add(MatchKind::rearranged, "rearranged");
  const std::uint64_t payloads = other_nans(comparison);
  if (payloads > 0)
    text += (text.empty() ? "" : ", ") + grouped(payloads) + " with NaN of other bits";
  if (count_of(comparison, MatchKind::same_values) > payloads)
    text += (text.empty() ? "" : ", ") +
            grouped(count_of(comparison, MatchKind::same_values) - payloads) + " equal as numbers";
  add(MatchKind::rounded, "rounded");
  return text;
}

std::string first_how(const WeightComparison& comparison, MatchKind kind) {
  for (const TensorMatch& match : comparison.matches) {
    if (match.kind == kind && !match.how.empty()) return match.how;
  }
  return "";
}

std::vector<std::string> different_phrases(const WeightPair& pair, std::uint64_t total) {
  const WeightComparison& found = pair.comparison;
  std::vector<std::string> phrases = {pair.a + " != " + pair.b};
  if (found.changed > 0) {
    phrases.push_back(
        fmt::format("{} of {} differ", grouped(found.changed), quantity(total, "tensor")));
  } else {
    phrases.push_back(
        fmt::format("{} of {} equal", grouped(found.matched), quantity(total, "tensor")));
  }
  if (!found.only_a.empty()) {
    phrases.push_back(fmt::format("{} only in {}", grouped(found.only_a.size()), pair.a));
  }
  if (!found.only_b.empty()) {
    phrases.push_back(fmt::format("{} only in {}", grouped(found.only_b.size()), pair.b));
  }
  phrases.push_back(kinds_text(found));
  phrases.push_back(in_parentheses(renaming(pair)));
  return phrases;
}

std::vector<std::string> pair_phrases(const Report& report, const WeightPair& pair) {
  const WeightComparison& found = pair.comparison;
  const std::uint64_t total = tensors_of_a(report, pair);
  if (report.scope.filter && total + found.only_b.size() == 0)
    return {pair.a + " ? " + pair.b, "no tensor has a name that --filter takes"};
  const std::string of_total =
      fmt::format("{} of {}", grouped(found.matched), quantity(total, "tensor"));
  const std::string note = in_parentheses(renaming(pair));
  switch (found.verdict) {
    case WeightsVerdict::identical:
      return {pair.a + " = " + pair.b, of_total + " bit-identical", note};
    case WeightsVerdict::same_values:
      return {pair.a + " = " + pair.b, of_total + " have equal values", kinds_text(found), note};
    case WeightsVerdict::rounded:
      return {pair.a + " ~ " + pair.b, of_total + " equal up to rounding", kinds_text(found),
              first_how(found, MatchKind::rounded), note};
    case WeightsVerdict::different: return different_phrases(pair, total);
    case WeightsVerdict::unknown:
      return {pair.a + " ? " + pair.b,
              found.unreadable.empty()
                  ? "not everything was searched"
                  : quantity(found.unreadable.size(), "tensor") + " could not be read",
              of_total + " matched", note};
  }
  return {};
}

// True where one line says it for all: every pair identical and complete.
bool all_identical(const Report& report) {
  return report.weights.size() > 1 &&
         std::all_of(report.weights.begin(), report.weights.end(), [&](const WeightPair& pair) {
           return pair.comparison.verdict == WeightsVerdict::identical &&
                  pair.comparison.matched == tensors_of_a(report, pair);
         });
}

void one_line(const Report& report, Screen* screen) {
  std::string relation = report.weights[0].a;
  std::vector<std::pair<Renaming, std::vector<std::string>>> groups;  // and whom it concerns
  for (const WeightPair& pair : report.weights) {
    relation += " = " + pair.b;
    const Renaming found = renaming_of(pair);
    if (found.one.empty()) continue;
    const auto same = std::find_if(groups.begin(), groups.end(),
                                   [&](const auto& group) { return group.first.one == found.one; });
    if (same == groups.end()) {
      groups.push_back({found, {pair.b}});
    } else {
      same->second.push_back(pair.b);
    }
  }
  std::string notes;
  for (const auto& [what, labels] : groups) {
    notes += notes.empty() ? "" : "; ";
    notes += labels.size() == 1 ? labels[0] + " " + what.one
                                : fmt::format("{} {}", fmt::join(labels, ", "), what.several);
  }
  const std::uint64_t total = tensors_of_a(report, report.weights[0]);
  screen->phrases(
      "weights",
      {relation, fmt::format("{} of {} bit-identical", grouped(total), quantity(total, "tensor")),
       in_parentheses(notes)});
}

void rules_table(const WeightPair& pair, Screen* screen) {
  const std::vector<RenameRule>& rules = pair.comparison.rules;
  if (rules.empty() || is_prefix_rule(rules)) return;
  const auto shown = [](const std::string& part) { return part.empty() ? "(nothing)" : part; };
  std::vector<std::vector<std::string>> rows;
  const std::size_t listed = screen->all() ? rules.size() : std::min(rules.size(), kRules);
  for (std::size_t i = 0; i < listed; ++i) {
    rows.push_back({shown(rules[i].from), "->", shown(rules[i].to), grouped(rules[i].count)});
  }
  screen->table(kUnder,
                {{.title = "in " + pair.a, .give = Column::Give::wrap},
                 {},
                 {.title = "in " + pair.b, .give = Column::Give::wrap},
                 {.title = "tensors", .right = true}},
                rows);
  if (rules.size() > listed) screen->row("", and_more(rules.size() - listed));
}

void only_table(const std::string& label, const std::vector<std::string>& names, Screen* screen) {
  if (names.empty()) return;
  names_table({.title = "only in " + label, .names = names, .lines = kNames, .indent = kUnder},
              screen);
}

void exchange_rows(const std::vector<Exchange>& exchanges, Screen* screen) {
  constexpr std::size_t kMostExchanges = 8;
  const std::size_t shown =
      exchanges.size() > kMostExchanges + 1 && !screen->all() ? kMostExchanges : exchanges.size();
  for (std::size_t i = 0; i < shown; ++i) screen->row("", exchanges[i].summary);
  if (shown < exchanges.size()) screen->row("", and_more(exchanges.size() - shown));
}

void ties_rows(const std::vector<TieDifference>& ties, Screen* screen) {
  constexpr std::size_t kMostTies = 3;
  for (std::size_t i = 0; i < std::min(ties.size(), kMostTies); ++i)
    screen->row("", ties[i].summary);
  if (ties.size() > kMostTies)
    screen->row(
        "", fmt::format("and {} more tensors that are tied otherwise", ties.size() - kMostTies));
}

}  // namespace

void weights_section(const Report& report, Screen* screen) {
  if (report.weights.empty()) return;
  const bool merged = all_identical(report);
  if (merged) one_line(report, screen);
  const bool lists = report.command == "diff";
  for (const WeightPair& pair : report.weights) {
    if (!merged) {
      screen->phrases(&pair == &report.weights.front() ? "weights" : "",
                      pair_phrases(report, pair));
    }
    exchange_rows(pair.comparison.exchanges, screen);
    ties_rows(pair.comparison.ties, screen);
    if (lists) rules_table(pair, screen);
    only_table(pair.a, pair.comparison.only_a, screen);
    only_table(pair.b, pair.comparison.only_b, screen);
  }
}

}  // namespace samebits
