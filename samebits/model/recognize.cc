#include "samebits/model/recognize.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <unordered_map>

#include "samebits/model/loading_rules.h"

namespace samebits::model {
namespace {

constexpr std::size_t kMostTensors = 8192;
constexpr std::size_t kMostPrefixes = 6;
constexpr std::size_t kLongestName = 1000;  // no table has a name of 200 characters
constexpr std::array kReadingOrder = {Library::transformers4, Library::timm, Library::mae,
                                      Library::torchvision, Library::transformers5};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

struct DigitRun {
  std::size_t at = 0, length = 0;
  std::int64_t value = 0;
};

/// The next run of one to four digits from `from` on that stands alone between separators.
std::optional<DigitRun> next_run(std::string_view name, std::size_t from) {
  for (std::size_t at = from; at < name.size(); ++at) {
    if (!is_digit(name[at]) || at == 0 || (name[at - 1] != '.' && name[at - 1] != '_')) continue;
    DigitRun run{.at = at};
    for (; at + run.length < name.size() && is_digit(name[at + run.length]); ++run.length)
      if (run.length < 4) run.value = run.value * 10 + (name[at + run.length] - '0');
    const std::size_t end = at + run.length;
    if (run.length <= 4 && end < name.size() && name[end] == '.') return run;
    at = end;
  }
  return std::nullopt;
}

/// A class's table, by name.
class Index {
 public:
  struct Hit {
    std::size_t line = 0;
    std::int64_t n = -1;  // the block; -1 outside blocks
  };

  Index(Library library, const ModelClass& model_class, Parts parts)
      : lines_(templates_of(library, model_class, parts)) {
    for (std::size_t i = 0; i < lines_.size(); ++i) by_name_.emplace(lines_[i].name, i);
  }

  std::optional<Hit> find(const std::string& name) const {
    if (name.size() > kLongestName) return std::nullopt;
    if (const auto at = by_name_.find(name); at != by_name_.end()) return Hit{.line = at->second};
    for (auto run = next_run(name, 0); run; run = next_run(name, run->at + run->length)) {
      std::string line = name;
      line.replace(run->at, run->length, "{n}");
      if (const auto at = by_name_.find(line); at != by_name_.end())
        return Hit{.line = at->second, .n = run->value};
    }
    return std::nullopt;
  }
  const std::vector<TensorTemplate>& lines() const { return lines_; }

 private:
  std::vector<TensorTemplate> lines_;
  std::unordered_map<std::string, std::size_t> by_name_;
};

/// Learns letters from one tensor; false where it contradicts what is known.
bool learn(const TensorTemplate& line, const Shape& shape, std::int64_t parts, Fields& fields) {
  const std::vector<Size> sizes = parse_shape(line.shape, line.decoder);
  if (sizes.size() != shape.size()) return false;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const std::int64_t cut = i == 0 ? parts : 1;
    if (shape[i] % (sizes[i].factor * cut) != 0) return false;
    const std::int64_t value = shape[i] / sizes[i].factor / cut;
    if (sizes[i].letter == '\0') {
      if (value != 1) return false;
      continue;
    }
    std::int64_t& known = fields[sizes[i].letter];
    if (known >= 0 && known != value) return false;
    known = value;
  }
  return true;
}

/// One way to read the checkpoint.
struct Candidate {
  Library library;
  const ModelClass* model_class;
  Parts parts;  // those that the table is laid out for
  std::string_view prefix;
};

void take(const Index& index, const Index::Hit& hit, Piece piece,
          const std::vector<StoredShape>& tensors, Recognition& reading,
          std::vector<bool>& present) {
  const TensorTemplate& line = index.lines()[hit.line];
  piece.role = hit.n < 0 ? line.role : std::to_string(hit.n) + ":" + line.role;
  Fields learned = reading.fields;
  if (learn(line, tensors[piece.tensor].shape, piece.parts, learned))
    reading.fields = learned;
  else
    ++reading.inconsistent;
  std::int64_t& layers = line.decoder ? reading.fields.decoder_layers : reading.fields.layers;
  if (hit.n >= 0) layers = std::max(layers, hit.n + 1);
  reading.fields.parts |= line.when;
  present[hit.line] = true;
  reading.tensors += piece.part == 0;
  reading.pieces.push_back(std::move(piece));
}

Recognition read(const Candidate& candidate, const std::vector<StoredShape>& tensors) {
  const Index index(candidate.library, *candidate.model_class, candidate.parts);
  Recognition reading{.library = candidate.library,
                      .model_class = candidate.model_class,
                      .prefix = std::string(candidate.prefix)};
  const auto known = [&](const std::string& name) { return index.find(name).has_value(); };
  std::vector<bool> present(index.lines().size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::string_view name = tensors[i].name;
    if (!name.starts_with(candidate.prefix)) continue;
    name.remove_prefix(candidate.prefix.size());
    const ReadName names = candidate.library == Library::transformers5
                               ? read_name_5(*candidate.model_class, name, known)
                               : ReadName{std::string(name)};
    for (std::size_t part = 0; part < names.size(); ++part)
      if (const auto hit = index.find(names[part])) {
        reading.by_rules |= names[part] != name;
        take(index, *hit,
             {.tensor = i,
              .part = static_cast<std::int64_t>(part),
              .parts = static_cast<std::int64_t>(names.size())},
             tensors, reading, present);
      }
  }
  for (std::size_t i = 0; i < present.size(); ++i) {
    const Parts optional = index.lines()[i].when & ~candidate.model_class->always;
    reading.absent += !present[i] && (optional & ~reading.fields.parts) == 0;
  }
  return reading;
}

/// Layouts of a class under which the same names stand for other things.
std::vector<Parts> layouts_of(const ModelClass& model_class) {
  const Parts all = model_class.always | model_class.optional;
  std::vector<Parts> layouts = {all & ~(kGated | kPoolNorm | kPreNorm)};
  for (const Parts part : {kGated, kPoolNorm, kPreNorm}) {
    const std::size_t count = (all & part) ? layouts.size() : 0;
    for (std::size_t i = 0; i < count; ++i) layouts.push_back(layouts[i] | part);
  }
  return layouts;
}

/// "" and whatever stands in front of a patch projection, cut at its dots.
std::vector<std::string_view> prefixes_of(const std::vector<StoredShape>& tensors) {
  std::vector<std::string_view> prefixes = {""};
  const auto add = [&](std::string_view prefix) {
    if (prefixes.size() < kMostPrefixes && std::ranges::find(prefixes, prefix) == prefixes.end())
      prefixes.push_back(prefix);
  };
  for (const StoredShape& tensor : tensors) {
    const std::string_view name = tensor.name;
    for (const std::string_view end : patch_projections()) {
      if (!name.ends_with(end)) continue;
      const std::string_view head = name.substr(0, name.size() - end.size());
      for (std::size_t dot = head.find('.'); dot != std::string_view::npos;
           dot = head.find('.', dot + 1))
        add(head.substr(0, dot + 1));
    }
  }
  return prefixes;
}

bool better(const Recognition& a, const Recognition& b, std::string_view wanted) {
  const auto rank = [&](const Recognition& reading) {
    const auto sound = static_cast<std::int64_t>(reading.tensors) -
                       2 * static_cast<std::int64_t>(reading.inconsistent);
    return std::tuple(sound, -static_cast<std::int64_t>(reading.absent),
                      reading.model_class->name == wanted);
  };
  return rank(a) > rank(b);
}

}  // namespace

std::optional<std::pair<std::size_t, std::size_t>> find_block_number(std::string_view name,
                                                                     std::int64_t n) {
  for (auto run = next_run(name, 0); run; run = next_run(name, run->at + run->length))
    if (run->value == n) return std::pair(run->at, run->length);
  return std::nullopt;
}

std::optional<Recognition> recognize(const std::vector<StoredShape>& tensors,
                                     std::string_view wanted) {
  std::optional<Recognition> best;
  if (tensors.size() > kMostTensors) return best;
  for (const std::string_view prefix : prefixes_of(tensors))
    for (const Library library : kReadingOrder)
      for (const ModelClass& model_class : classes()) {
        if (!has_class(library, model_class)) continue;
        for (const Parts parts : layouts_of(model_class)) {
          Recognition reading = read({library, &model_class, parts, prefix}, tensors);
          if (!reading.pieces.empty() && (!best || better(reading, *best, wanted)))
            best = std::move(reading);
        }
      }
  if (best) best->fields.parts |= best->model_class->always;
  return best;
}

}  // namespace samebits::model
