#include "samebits/model/loading_rules.h"

#include <algorithm>

namespace samebits::model {
namespace {

/// One character of a pattern.
struct Element {
  char c = '\0';
  bool any = false;
};

/// Takes the first element off a pattern that is not empty.
Element take_element(std::string_view* pattern) {
  const bool escaped = pattern->front() == '\\' && pattern->size() > 1;
  if (escaped) pattern->remove_prefix(1);
  const Element element{.c = pattern->front(), .any = !escaped && pattern->front() == '.'};
  pattern->remove_prefix(1);
  return element;
}

std::size_t count_elements(std::string_view pattern) {
  std::size_t count = 0;
  for (; !pattern.empty(); ++count) take_element(&pattern);
  return count;
}

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

/// Whether `name` begins with the pattern.
bool begins_with(std::string_view name, std::string_view pattern) {
  for (std::size_t i = 0; !pattern.empty(); ++i) {
    const Element element = take_element(&pattern);
    if (i == name.size() || (element.any ? name[i] == '\n' : name[i] != element.c)) return false;
  }
  return true;
}

/// A replacement of the reversed rule: a pattern with its escapes taken off.
std::string plain_text(std::string_view pattern) {
  std::string text;
  while (!pattern.empty()) text += take_element(&pattern).c;
  return text;
}

/// All renamings in turn; cutting rules are left out.
std::string apply_renamings(const std::vector<LoadRule>& rules, std::string_view name) {
  std::string renamed(name);
  for (const LoadRule& rule : rules) {
    if (!rule.second.empty()) continue;
    if (auto changed = rewrite(rule.pattern, rule.replacement, renamed)) renamed = *changed;
  }
  return renamed;
}

/// 5.24.0 adds or strips the prefix by a pattern whose last dot is any character.
std::string fit_prefix(const ModelClass& model_class, const std::string& name,
                       const std::function<bool(const std::string&)>& known) {
  const std::string base(model_class.base);
  if (name.starts_with(base) && name.size() > base.size() && name[base.size()] != '\n') {
    const std::string stripped = name.substr(base.size() + 1);
    if (known(stripped)) return stripped;
  }
  const std::string prefixed = base + "." + name;
  return known(prefixed) ? prefixed : name;
}

}  // namespace

std::optional<std::string> rewrite(std::string_view pattern, std::string_view replacement,
                                   std::string_view name) {
  const bool anchored = pattern.starts_with('^');
  if (anchored) pattern.remove_prefix(1);
  const std::size_t length = count_elements(pattern);
  const bool bounded = !pattern.empty() && is_word(pattern.back()) && pattern.back() != '_';
  std::string_view rest = pattern;
  const Element first = pattern.empty() ? Element{.any = true} : take_element(&rest);
  for (std::size_t at = 0; at + length <= name.size(); ++at) {
    if (!anchored && !first.any) at = name.find(first.c, at);
    if (at == std::string_view::npos || at + length > name.size()) break;
    const std::size_t end = at + length;
    const bool open = !bounded || end == name.size() || !is_word(name[end]);
    if (open && begins_with(name.substr(at), pattern)) {
      std::string renamed(name);
      const std::size_t place = name.find(name.substr(at, length));
      return renamed.replace(place, length, replacement);
    }
    if (anchored) break;
  }
  return std::nullopt;
}

ReadName read_name_5(const ModelClass& model_class, std::string_view name,
                     const std::function<bool(const std::string&)>& known) {
  const std::vector<LoadRule> rules = rules_of(model_class, true);
  const std::string renamed = apply_renamings(rules, name);
  for (const LoadRule& rule : rules) {
    if (rule.second.empty()) continue;
    const auto halved = rewrite(rule.pattern, rule.replacement, renamed);
    if (!halved) continue;
    const auto other = rewrite(rule.pattern, rule.second, renamed);
    return {fit_prefix(model_class, *halved, known), fit_prefix(model_class, *other, known)};
  }
  std::string fitted = fit_prefix(model_class, renamed, known);
  // A name that the class knows as it stands is taken so where the rules lead nowhere.
  if (!known(fitted) && known(std::string(name)))
    fitted = fit_prefix(model_class, std::string(name), known);
  return {fitted};
}

std::string saved_name_5(const ModelClass& model_class, std::string_view name) {
  std::vector<LoadRule> rules = rules_of(model_class, false);
  std::reverse(rules.begin(), rules.end());
  std::string saved(name);
  for (const LoadRule& rule : rules) {
    if (rule.second.empty()) continue;
    auto whole = rewrite(rule.replacement, rule.pattern, saved);
    if (!whole) whole = rewrite(rule.second, rule.pattern, saved);
    if (!whole) continue;
    saved = *whole;
    break;
  }
  for (const LoadRule& rule : rules)
    if (rule.second.empty())
      if (auto changed = rewrite(rule.replacement, plain_text(rule.pattern), saved))
        saved = *changed;
  return saved;
}

std::string modern_name_4(std::string_view name) {
  std::string text(name);
  for (const OldName& old : old_endings_4()) {
    if (!name.ends_with(old.old)) continue;
    // Python's str.replace: every occurrence.
    for (std::size_t at = text.find(old.old); at != std::string::npos;
         at = text.find(old.old, at + old.modern.size()))
      text.replace(at, old.old.size(), old.modern);
    return text;
  }
  return text;
}

}  // namespace samebits::model
