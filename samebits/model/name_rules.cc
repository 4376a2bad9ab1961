#include "samebits/model/name_rules.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

namespace samebits::model {
namespace {

constexpr char kHole = '#';
constexpr std::size_t kMostDigits = 9;
constexpr std::string_view kLetters = "nmlkjihg";  // from the right

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

/// Text with every number as '#', and the numbers. Numbers with leading zeros are text.
struct Skeleton {
  std::string text;
  std::vector<std::int64_t> numbers;
};

Skeleton skeleton_of(std::string_view text) {
  Skeleton out;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i;
    while (end < text.size() && is_ascii_digit(text[end])) ++end;
    const std::size_t digits = end - i;
    if (digits == 0 || digits > kMostDigits || (digits > 1 && text[i] == '0')) {
      const std::size_t length = std::max<std::size_t>(digits, 1);
      out.text += text.substr(i, length);
      i += length;
      continue;
    }
    out.text += kHole;
    out.numbers.push_back(std::stoll(std::string(text.substr(i, digits))));
    i = end;
  }
  return out;
}

std::string filled(const std::string& skeleton, const std::vector<std::string>& holes) {
  std::string text;
  std::size_t at = 0;
  for (const char c : skeleton)
    text += c == kHole && at < holes.size() ? holes[at++] : std::string(1, c);
  return text;
}

/// The numbers of one place, over all pairs of a group.
using Numbers = std::vector<std::int64_t>;

bool constant(const Numbers& column) {
  return std::ranges::all_of(column, [&](std::int64_t value) { return value == column.front(); });
}

template <typename F>
bool makes(const Numbers& to, F&& f) {
  for (std::size_t i = 0; i < to.size(); ++i)
    if (to[i] != f(i)) return false;
  return true;
}

/// How the numbers in `to` follow from one number of the name.
std::optional<std::string> from_one(const Numbers& to, const Numbers& from,
                                    const std::string& letter) {
  if (makes(to, [&](std::size_t i) { return from[i]; })) return "{" + letter + "}";
  for (std::int64_t k = 2; k <= 64; ++k) {
    if (makes(to, [&](std::size_t i) { return from[i] / k; }))
      return "{" + letter + " // " + std::to_string(k) + "}";
    if (makes(to, [&](std::size_t i) { return from[i] % k; }))
      return "{" + letter + " % " + std::to_string(k) + "}";
  }
  const std::int64_t more = to[0] - from[0];
  if (more > 0 && makes(to, [&](std::size_t i) { return from[i] + more; }))
    return "{" + letter + " + " + std::to_string(more) + "}";
  if (more < 0 && makes(to, [&](std::size_t i) { return from[i] + more; }))
    return "{" + letter + " - " + std::to_string(-more) + "}";
  return std::nullopt;
}

std::optional<std::string> from_two(const Numbers& to, const Numbers& outer, const Numbers& inner,
                                    const std::string& m, const std::string& n) {
  for (std::int64_t k = 2; k <= 64; ++k)
    if (makes(to, [&](std::size_t i) { return k * outer[i] + inner[i]; }))
      return "{" + std::to_string(k) + " * " + m + " + " + n + "}";
  return std::nullopt;
}

/// Prefixes of names that are alike but for their numbers.
struct Alike {
  std::vector<Numbers> from, to;  // by place
};

std::string letter_of(std::size_t place, std::size_t places) {
  const std::size_t right = places - 1 - place;
  return std::string(1, kLetters[std::min(right, kLetters.size() - 1)]);
}

/// What stands in one place of `to`: a number, or what it follows from.
std::optional<std::string> expression(const Numbers& to, const Alike& alike,
                                      const std::vector<bool>& varies) {
  const std::size_t places = varies.size();
  for (std::size_t i = places; i-- > 0;)
    if (varies[i] && !constant(to))
      if (auto found = from_one(to, alike.from[i], letter_of(i, places))) return found;
  for (std::size_t i = 0; i + 1 < places; ++i)
    if (varies[i] && varies[i + 1] && !constant(to))
      if (auto found = from_two(to, alike.from[i], alike.from[i + 1], letter_of(i, places),
                                letter_of(i + 1, places)))
        return found;
  return constant(to) ? std::optional(std::to_string(to.front())) : std::nullopt;
}

std::optional<RenameRule> one_rule(const std::string& from, const std::string& to,
                                   const Alike& alike) {
  if (alike.from.size() > kLetters.size()) return std::nullopt;
  std::vector<bool> varies;
  std::vector<std::string> from_holes, to_holes;
  for (const Numbers& column : alike.from) varies.push_back(!constant(column));
  for (std::size_t i = 0; i < varies.size(); ++i)
    from_holes.push_back(varies[i] ? "{" + letter_of(i, varies.size()) + "}"
                                   : std::to_string(alike.from[i].front()));
  for (const Numbers& column : alike.to) {
    const auto found = expression(column, alike, varies);
    if (!found) return std::nullopt;
    to_holes.push_back(*found);
  }
  return RenameRule{.from = filled(from, from_holes), .to = filled(to, to_holes)};
}

/// A pair of names, and how much of what they end with in common its rule keeps.
struct Work {
  const NamePair* pair = nullptr;
  std::size_t common = 0;  // characters, from the start of a part to the end
  std::size_t kept = 0;    // of them
  bool ruled = false;
  std::string from() const { return pair->from.substr(0, pair->from.size() - common + kept); }
  std::string to() const { return pair->to.substr(0, pair->to.size() - common + kept); }
  /// One part more. False where there is none.
  bool lengthen() {
    if (!ruled) {
      ruled = true;
      if (kept > 0 || common == 0) return true;
    }
    if (kept == common) return false;
    const std::size_t start = pair->from.size() - common + kept;
    const std::size_t dot = pair->from.find('.', start);
    kept = dot == std::string::npos ? common : kept + dot + 1 - start;
    return true;
  }
};

bool ends_with_number(const std::string& prefix) {
  return prefix.size() > 1 && prefix.back() == '.' && is_ascii_digit(prefix[prefix.size() - 2]);
}

/// How much of the common end a rule says from the start: the block behind a chunk's number, and
/// what stands twice ("encoder.encoder." rather than "encoder.").
std::size_t kept_at_first(const std::string& from, const std::string& to, const std::string& end) {
  const std::string& more = from.empty() ? to : from;
  if (from.empty() != to.empty() && end.starts_with(more)) return more.size();
  const bool chunk = !from.empty() && !to.empty() && !end.empty() && is_ascii_digit(end[0]) &&
                     (ends_with_number(from) || ends_with_number(to));
  const std::size_t dot = end.find('.');
  return chunk && dot != std::string::npos ? dot + 1 : 0;
}

Work work_for(const NamePair& pair) {
  const auto& [from, to] = pair;
  const std::size_t common = common_end(from, to);
  Work work = {.pair = &pair, .common = common, .ruled = from != to};
  work.kept = kept_at_first(work.from(), work.to(), from.substr(from.size() - common));
  return work;
}

/// The rules of all pairs as far as they are kept now, the longest first.
std::vector<RenameRule> collect(const std::vector<Work>& works) {
  std::map<std::pair<std::string, std::string>, std::set<std::pair<std::string, std::string>>>
      groups;
  for (const Work& work : works)
    if (work.ruled)
      groups[{skeleton_of(work.from()).text, skeleton_of(work.to()).text}].insert(
          {work.from(), work.to()});
  std::vector<RenameRule> rules;
  for (const auto& [texts, members] : groups) {
    Alike alike;
    for (const auto& [from, to] : members) {
      const Skeleton a = skeleton_of(from), b = skeleton_of(to);
      alike.from.resize(a.numbers.size());
      alike.to.resize(b.numbers.size());
      for (std::size_t i = 0; i < a.numbers.size(); ++i) alike.from[i].push_back(a.numbers[i]);
      for (std::size_t i = 0; i < b.numbers.size(); ++i) alike.to[i].push_back(b.numbers[i]);
    }
    if (auto rule = one_rule(texts.first, texts.second, alike))
      rules.push_back(std::move(*rule));
    else
      for (const auto& [from, to] : members) rules.push_back({.from = from, .to = to});
  }
  std::ranges::stable_sort(rules, [](const RenameRule& a, const RenameRule& b) {
    return skeleton_of(a.from).text.size() > skeleton_of(b.from).text.size();
  });
  return rules;
}

/// Rules in which nothing is renamed wrongly, found by making rules longer where they are wrong;
/// `plain_prefix`: a rule may fit every name.
std::vector<RenameRule> solve(std::vector<Work> works, bool plain_prefix) {
  if (!plain_prefix)
    for (Work& work : works)
      if (work.ruled && work.from().empty()) work.lengthen();
  constexpr int kRounds = 24;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<RenameRule> rules = collect(works);
    bool right = true, moved = false;
    for (Work& work : works) {
      const std::string name = apply_rules(rules, work.pair->from);
      if (name == work.pair->to) continue;
      right = false;
      moved |= work.lengthen();
    }
    if (right) return rules;
    if (!moved) return {};
  }
  return {};
}

std::int64_t floor_of(std::int64_t a, std::int64_t b) { return b == 0 ? 0 : a / b; }

/// The value of "n", "n // 2", "n % 2", "n + 1", "n - 1" or "2 * m + n".
std::optional<std::int64_t> evaluated(std::string_view text,
                                      const std::map<char, std::int64_t>& numbers) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i <= text.size();) {
    const std::size_t end = std::min(text.find(' ', i), text.size());
    words.emplace_back(text.substr(i, end - i));
    i = end + 1;
  }
  const auto value = [&](const std::string& word) -> std::optional<std::int64_t> {
    if (word.size() == 1 && !is_ascii_digit(word[0])) {
      const auto found = numbers.find(word[0]);
      return found == numbers.end() ? std::nullopt : std::optional(found->second);
    }
    if (word.empty() || word.size() > kMostDigits || !std::ranges::all_of(word, is_ascii_digit))
      return std::nullopt;
    return std::stoll(word);
  };
  auto result = value(words[0]);
  for (std::size_t i = 1; i + 1 < words.size() && result; i += 2) {
    const auto next = value(words[i + 1]);
    if (!next) return std::nullopt;
    result = words[i] == "//"  ? floor_of(*result, *next)
             : words[i] == "%" ? *result - floor_of(*result, *next) * *next
             : words[i] == "*" ? *result * *next
             : words[i] == "-" ? std::max<std::int64_t>(*result - *next, 0)
                               : *result + *next;
  }
  return words.size() % 2 == 1 ? result : std::nullopt;
}

/// Length of what `from` matches at the start of the name, and its numbers.
std::optional<std::size_t> match(std::string_view from, std::string_view name,
                                 std::map<char, std::int64_t>* numbers) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < from.size();) {
    const bool hole = from[i] == '{' && i + 2 < from.size() && from[i + 2] == '}';
    if (!hole) {
      if (at >= name.size() || name[at] != from[i]) return std::nullopt;
      ++at;
      ++i;
      continue;
    }
    std::size_t end = at;
    while (end < name.size() && is_ascii_digit(name[end])) ++end;
    if (end == at || end - at > kMostDigits) return std::nullopt;
    (*numbers)[from[i + 1]] = std::stoll(std::string(name.substr(at, end - at)));
    at = end;
    i += 3;
  }
  return at;
}

}  // namespace

std::size_t common_end(std::string_view x, std::string_view y) {
  std::size_t common = 0;
  while (common < x.size() && common < y.size() &&
         x[x.size() - 1 - common] == y[y.size() - 1 - common])
    ++common;
  // Back to where a part begins: behind a dot, or at the start of one of the names.
  const auto begins = [](std::string_view name, std::size_t length) {
    return length == name.size() || name[name.size() - length - 1] == '.';
  };
  while (common > 0 && !(begins(x, common) && begins(y, common))) --common;
  return common;
}

bool rename(const RenameRule& rule, std::string_view name, std::string* renamed) {
  std::map<char, std::int64_t> numbers;
  const auto length = match(rule.from, name, &numbers);
  if (!length) return false;
  renamed->clear();
  for (std::size_t i = 0; i < rule.to.size(); ++i) {
    const std::size_t end = rule.to[i] == '{' ? rule.to.find('}', i) : std::string::npos;
    const auto value =
        end == std::string::npos
            ? std::nullopt
            : evaluated(std::string_view(rule.to).substr(i + 1, end - i - 1), numbers);
    if (!value) {
      *renamed += rule.to[i];
      continue;
    }
    *renamed += std::to_string(*value);
    i = end;
  }
  *renamed += name.substr(*length);
  return true;
}

std::vector<RenameRule> rules_for_names(const std::vector<NamePair>& pairs) {
  std::vector<Work> works;
  for (const NamePair& pair : pairs) works.push_back(work_for(pair));
  std::vector<RenameRule> rules = solve(works, true);
  const bool fits_all =
      std::ranges::any_of(rules, [](const RenameRule& rule) { return rule.from.empty(); });
  if (fits_all && rules.size() > 1) {
    std::vector<RenameRule> other = solve(std::move(works), false);
    if (!other.empty() && other.size() <= rules.size()) rules = std::move(other);
  }
  std::string renamed;
  for (const NamePair& pair : pairs)
    for (RenameRule& rule : rules)
      if (rename(rule, pair.from, &renamed)) {
        ++rule.count;
        break;
      }
  std::erase_if(rules, [](const RenameRule& rule) { return rule.count == 0; });
  return rules;
}

bool is_of_template(std::string_view name, const std::string& pattern) {
  std::string rest;
  return rename({pattern, ""}, name, &rest) && rest.empty();
}

}  // namespace samebits::model
