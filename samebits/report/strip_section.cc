#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <tuple>

#include "samebits/report/sections.h"
#include "samebits/report/segment_marks.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::size_t kModulesApart = 5;  // of more in a row each has a mark and none a name
constexpr std::size_t kLongestName = 24;
constexpr std::size_t kParts = 12;

bool is_worse(const Segment* x, const Segment* y) {
  return std::tuple(x->status, x->relative.value_or(0)) >
         std::tuple(y->status, y->relative.value_or(0));
}

/// The last parts of a path, as many as tell it from the others.
std::string last_parts(const std::string& path, const std::vector<std::string>& others) {
  std::size_t dot = path.rfind('.');
  while (dot != std::string::npos) {
    const std::string_view end = std::string_view(path).substr(dot);
    const auto is_like = [&](const std::string& other) {
      return other != path && (other.ends_with(end) || other == end.substr(1));
    };
    if (std::ranges::none_of(others, is_like)) return path.substr(dot + 1);
    dot = dot == 0 ? std::string::npos : path.rfind('.', dot - 1);
  }
  return path;
}

/// The segments of one pair as marks.
class Strip {
 public:
  Strip(const WeightPair& pair, std::size_t width) : pair_(pair), width_(width) {
    for (const Segment& segment : pair.segments) {
      const std::string& path = segment.kind == SegmentKind::block ? segment.stack : segment.name;
      if (names_.empty() || names_.back() != path) names_.push_back(path);
    }
    const std::vector<Segment>& all = pair.segments;
    for (std::size_t i = 0; i < all.size();) {
      std::size_t end = i + 1;
      while (end < all.size() && all[end].kind == all[i].kind && all[end].stack == all[i].stack)
        ++end;
      if (all[i].kind == SegmentKind::block) {
        add_stack(i, end);
      } else {
        add_modules(i, end);
      }
      i = end;
    }
  }

  const std::vector<Marks>& parts() const { return parts_; }
  /// Of the marks that occur, the least change first.
  std::vector<std::string> legend() const {
    std::vector<std::string> texts;
    for (const SegmentMark& each : legend_.marks())
      texts.push_back(std::string(1, each.mark) + " " + each.meaning);
    return texts;
  }

 private:
  void add_mark(const Segment* segment, Marks* part) {
    if (segment == nullptr) {
      part->marks += ' ';
      part->tones.push_back(Tone::plain);
      return;
    }
    const SegmentMark mark = segment_mark(pair_, *segment);
    part->marks += mark.mark;
    part->tones.push_back(mark.tone);
    legend_.add(mark);
  }

  void add_stack(std::size_t begin, std::size_t end) {
    const std::vector<Segment>& all = pair_.segments;
    std::vector<const Segment*> blocks;  // nullptr where a number is missing
    const auto span = static_cast<std::size_t>(all[end - 1].number - all[begin].number) + 1;
    const bool with_gaps = span <= 4 * (end - begin) &&
                           std::none_of(all.begin() + static_cast<std::ptrdiff_t>(begin),
                                        all.begin() + static_cast<std::ptrdiff_t>(end),
                                        [](const Segment& segment) { return segment.inserted; });
    for (std::size_t i = begin; i < end; ++i) {
      const auto gap = static_cast<std::size_t>(all[i].number - all[begin].number);
      while (with_gaps && blocks.size() < gap) blocks.push_back(nullptr);
      blocks.push_back(&all[i]);
    }
    Marks part;
    part.name = elide_middle(printable(last_parts(all[begin].stack, names_)), kLongestName);
    if (!part.name.empty()) part.name += ' ';
    part.name += block_numbers(pair_, begin, end);
    fold(blocks, &part);
    parts_.push_back(std::move(part));
  }

  // One mark for several blocks where there is no room: that of the worst of them.
  void fold(const std::vector<const Segment*>& blocks, Marks* part) {
    constexpr std::size_t kFoldNote = 16;  // ", 12 in a mark"
    const std::size_t used = columns(part->name) + 3;
    const std::size_t room = width_ > used + kFoldNote + 8 ? width_ - used - kFoldNote : 8;
    const std::size_t step = (blocks.size() + room - 1) / room;
    if (step > 1) part->name += fmt::format(", {} in a mark", step);
    for (std::size_t i = 0; i < blocks.size(); i += step) {
      const Segment* worst = nullptr;
      for (std::size_t k = i; k < std::min(i + step, blocks.size()); ++k) {
        if (blocks[k] != nullptr && (worst == nullptr || is_worse(blocks[k], worst)))
          worst = blocks[k];
      }
      add_mark(worst, part);
    }
  }

  void add_modules(std::size_t begin, std::size_t end) {
    const std::vector<Segment>& all = pair_.segments;
    if (end - begin > kModulesApart) {
      Marks part{.name = quantity(end - begin, "module")};
      std::vector<const Segment*> modules;
      for (std::size_t i = begin; i < end; ++i) modules.push_back(&all[i]);
      fold(modules, &part);
      return parts_.push_back(std::move(part));
    }
    for (std::size_t i = begin; i < end; ++i) {
      Marks part{.name = elide_middle(printable(last_parts(all[i].name, names_)), kLongestName)};
      add_mark(&all[i], &part);
      parts_.push_back(std::move(part));
    }
  }

  const WeightPair& pair_;
  std::size_t width_;
  std::vector<std::string> names_;
  std::vector<Marks> parts_;
  MarkLegend legend_;
};

}  // namespace

void strip_section(const Report& report, Screen* screen) {
  const bool several = report.weights.size() > 1;
  for (const WeightPair& pair : report.weights) {
    if (!has_strip(report, pair)) continue;
    const Strip strip(pair, screen->width() - Screen::kIndent - Screen::kLabel);
    std::vector<Marks> parts = strip.parts();
    const std::size_t left_out =
        screen->all() || parts.size() <= kParts ? 0 : parts.size() - kParts;
    parts.resize(parts.size() - left_out);
    screen->marks(several ? fmt::format("{} to {}", pair.a, pair.b) : "blocks", parts);
    if (left_out > 0) screen->row("", and_more(left_out));
    screen->phrases("", strip.legend());
    screen->blank();
  }
}

}  // namespace samebits
