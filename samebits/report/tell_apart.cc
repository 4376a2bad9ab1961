#include "samebits/report/tell_apart.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kDots = 3;
constexpr std::size_t kLeastWidth = 8;

bool all_fit(const std::vector<std::string>& texts, std::size_t width) {
  return std::ranges::all_of(texts,
                             [width](const std::string& text) { return columns(text) <= width; });
}

std::size_t distinct(const std::vector<std::string>& texts) {
  return std::set<std::string_view>(texts.begin(), texts.end()).size();
}

/// Up to the last '.' or '/' of what all begin with.
std::size_t shared_beginning(const std::vector<std::string>& texts) {
  if (distinct(texts) < 2) return 0;
  std::string_view shared = texts[0];
  for (const std::string& text : texts) {
    const auto end = std::ranges::mismatch(shared, text).in1;
    shared = shared.substr(0, static_cast<std::size_t>(end - shared.begin()));
  }
  const std::size_t mark = shared.find_last_of("./");
  return mark == std::string_view::npos ? 0 : mark + 1;
}

/// Without as much of the shared beginning as has to go, from one mark to another.
std::vector<std::string> without_shared(const std::vector<std::string>& texts, std::size_t shared,
                                        std::size_t too_much) {
  const std::size_t least = too_much + kDots;
  if (shared < least) return texts;
  const std::size_t mark =
      std::string_view(texts[0]).substr(0, shared - least + 1).find_last_of("./");
  const std::size_t begin = mark == std::string_view::npos ? 0 : mark;
  std::vector<std::string> cut;
  for (const std::string& text : texts)
    cut.push_back(text.substr(0, begin) + "..." + text.substr(shared));
  return cut;
}

bool is_ascii(const std::string& text) {
  return std::ranges::all_of(text, [](char c) { return (c & 0x80) == 0; });
}

/// Without its middle, from one mark to another; `head` is the share of what stays that is in
/// front.
std::string without_middle(const std::string& text, std::size_t width, double head) {
  if (columns(text) <= width) return text;
  const std::size_t kept = width - kDots;
  const auto front = static_cast<std::size_t>(head * static_cast<double>(kept));
  if (!is_ascii(text)) return elide_behind(text, width, front);
  const std::size_t end = text.substr(0, front).find_last_of("./");
  if (end == std::string::npos) return elide_behind(text, width, front);
  const std::size_t begin = text.find_first_of("./", text.size() - (kept - end) - 1);
  if (begin == std::string::npos || begin + 1 == text.size())
    return elide_behind(text, width, front);
  return text.substr(0, end) + "..." + text.substr(begin + 1);
}

/// Of the cuts that keep them apart the one that keeps most; empty where none does.
std::vector<std::string> cut_apart(const std::vector<std::string>& texts, std::size_t width,
                                   bool at_marks) {
  constexpr std::array kHeads = {0.35, 0.5, 0.2, 0.65, 0.85};
  std::vector<std::string> best;
  std::size_t most = 0;
  for (const double head : kHeads) {
    const auto front = static_cast<std::size_t>(head * static_cast<double>(width - kDots));
    std::vector<std::string> cut;
    std::size_t kept = 0;
    for (const std::string& text : texts) {
      cut.push_back(at_marks ? without_middle(text, width, head)
                             : elide_behind(text, width, front));
      kept += columns(cut.back());
    }
    if (kept <= most || distinct(cut) != distinct(texts)) continue;
    most = kept;
    best = std::move(cut);
  }
  return best;
}

}  // namespace

std::vector<std::string> tell_apart(const std::vector<std::string>& texts, std::size_t width) {
  if (all_fit(texts, width) || width < kLeastWidth) return texts;
  std::size_t longest = 0;
  for (const std::string& text : texts) longest = std::max(longest, columns(text));
  const std::vector<std::string> same_cut =
      without_shared(texts, shared_beginning(texts), longest - width);
  if (all_fit(same_cut, width)) return same_cut;
  for (const bool at_marks : {true, false}) {
    const std::vector<std::string> cut = cut_apart(texts, width, at_marks);
    if (!cut.empty()) return cut;
  }
  return texts;
}

}  // namespace samebits
