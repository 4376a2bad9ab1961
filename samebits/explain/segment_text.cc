#include "samebits/explain/segment_text.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/compare/name_pieces.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

constexpr std::size_t kMostRanges = 4;  // "0, 2 and 5 to 7" has three
constexpr std::size_t kMostModulesNamed = 3;

/// "0 to 3", "4 and 5", "0, 2 and 5 to 7"; nothing where that is no help. Sorted numbers.
std::vector<std::string> number_ranges(const std::vector<std::int64_t>& numbers) {
  std::vector<std::string> ranges;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    const std::size_t step = end - i > 2 ? end - i : 1;
    ranges.push_back(step == 1 ? std::to_string(numbers[i])
                               : fmt::format("{} to {}", numbers[i], numbers[end - 1]));
    i += step;
  }
  return ranges;
}

std::string blocks_text(const std::vector<std::int64_t>& numbers, std::size_t all,
                        const std::string& of) {
  const std::vector<std::string> ranges = number_ranges(numbers);
  if (numbers.size() == all && all == 2) return "both blocks" + of;
  if (numbers.size() == all && all > 1) return fmt::format("all {} blocks{}", all, of);
  if (ranges.size() > kMostRanges)
    return fmt::format("{} of the {} blocks{}", numbers.size(), all, of);
  return fmt::format("block{} {}{}", numbers.size() == 1 ? "" : "s", listed(ranges), of);
}

std::size_t count_of_kind(const std::vector<Segment>& all, SegmentKind kind) {
  return static_cast<std::size_t>(std::ranges::count(all, kind, &Segment::kind));
}

void add_kind(const std::vector<Segment>& all, const std::vector<bool>& chosen, SegmentKind kind,
              std::vector<std::string>* texts) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (chosen[i] && all[i].kind == kind) names.push_back(all[i].name);
  }
  if (names.empty()) return;
  const bool is_alone = kind != SegmentKind::other && count_of_kind(all, kind) == 1;
  if (is_alone) names = {kind == SegmentKind::head ? "the head" : "the embeddings"};
  if (names.size() > kMostModulesNamed)
    names = {fmt::format("{} {}", names.size(),
                         kind == SegmentKind::head         ? "heads"
                         : kind == SegmentKind::embeddings ? "embeddings"
                                                           : "other modules")};
  texts->insert(texts->end(), names.begin(), names.end());
}

/// Blocks whose numbers are other blocks' of A.
void add_inserted(const std::vector<Segment>& all, const std::vector<bool>& chosen,
                  std::vector<std::string>* texts) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < all.size(); ++i) count += chosen[i] && all[i].inserted ? 1 : 0;
  if (count > 0)
    texts->push_back(count == 1 ? "one block more" : fmt::format("{} blocks more", count));
}

void add_blocks(const std::vector<Segment>& all, const std::vector<bool>& chosen,
                std::vector<std::string>* texts) {
  std::vector<std::string> stacks;  // in their order
  std::map<std::string, std::vector<std::int64_t>> numbers;
  std::map<std::string, std::size_t> sizes;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].kind != SegmentKind::block || all[i].inserted) continue;
    if (++sizes[all[i].stack] == 1) stacks.push_back(all[i].stack);
    if (chosen[i]) numbers[all[i].stack].push_back(all[i].number);
  }
  std::size_t named = 0;
  for (const std::string& stack : stacks) {
    if (numbers[stack].empty() || ++named > kMostModulesNamed) continue;
    texts->push_back(blocks_text(numbers[stack], sizes[stack],
                                 stacks.size() == 1 || stack.empty() ? "" : " of " + stack));
  }
  add_inserted(all, chosen, texts);
  if (named > kMostModulesNamed)
    texts->push_back(named - kMostModulesNamed == 1
                         ? std::string("blocks of one more stack")
                         : fmt::format("blocks of {} other stacks", named - kMostModulesNamed));
}

}  // namespace

std::string listed(const std::vector<std::string>& texts) {
  std::string text;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) text += i + 1 == texts.size() ? " and " : ", ";
    text += texts[i];
  }
  return text;
}

std::string numbers_text(const std::vector<std::int64_t>& numbers) {
  return listed(number_ranges(numbers));
}

std::vector<std::string> folded_names(const std::vector<std::string>& names,
                                      const std::string& noun) {
  constexpr std::size_t kMostApart = 3;
  constexpr std::size_t kLongestFolded = 9;
  struct Stack {
    std::vector<std::string> names;
    std::set<std::int64_t> numbers;
  };
  std::vector<std::string> order;
  std::map<std::string, Stack> stacks;
  for (const std::string& name : names) {
    const Pieces pieces = split_name(name);
    const auto number = std::ranges::find_if(pieces, is_number);
    const bool in_block = number != pieces.end() && number->size() <= kLongestFolded;
    std::string path = name;
    if (in_block) path = name.substr(0, static_cast<std::size_t>(number->data() - name.data()));
    Stack& stack = stacks[path];
    if (stack.names.empty()) order.push_back(path);
    stack.names.push_back(name);
    if (in_block) stack.numbers.insert(std::stoll(std::string(without_dot(*number))));
  }
  std::vector<std::string> lines;
  for (const std::string& path : order) {
    const Stack& stack = stacks[path];
    if (stack.names.size() <= kMostApart) {
      lines.insert(lines.end(), stack.names.begin(), stack.names.end());
      continue;
    }
    const std::string place = path.ends_with('.') ? path.substr(0, path.size() - 1) : path;
    lines.push_back(fmt::format("{} of {} {}", counted(stack.names.size(), noun), place,
                                numbers_text({stack.numbers.begin(), stack.numbers.end()})));
  }
  return lines;
}

std::string segments_text(const std::vector<Segment>& all, const std::vector<bool>& chosen) {
  std::vector<std::string> texts;
  add_kind(all, chosen, SegmentKind::embeddings, &texts);
  add_blocks(all, chosen, &texts);
  add_kind(all, chosen, SegmentKind::other, &texts);
  add_kind(all, chosen, SegmentKind::head, &texts);
  return listed(texts);
}

std::string relative_text(const std::vector<Segment>& all, const std::vector<bool>& chosen) {
  double least = 0;
  double most = 0;
  bool any = false;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!chosen[i] || !all[i].least) continue;
    least = any ? std::min(least, *all[i].least) : *all[i].least;
    most = any ? std::max(most, *all[i].most) : *all[i].most;
    any = true;
  }
  if (!any) return "";
  constexpr double kAsOne = 1.1;  // times the least
  const std::string low = fmt::format("{:.2g}", least);
  const std::string high = fmt::format("{:.2g}", most);
  return low == high || most < kAsOne * least ? high : low + " to " + high;
}

}  // namespace samebits
