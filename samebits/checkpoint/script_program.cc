#include "samebits/checkpoint/script_program.h"

#include <charconv>
#include <deque>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

constexpr std::string_view kTorchRoot = "__torch__.";
constexpr std::string_view kConstant = "CONSTANTS.c";

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// The index after the text in quotes that begins at `at`.
std::size_t after_quotes(std::string_view text, std::size_t at) {
  const char quote = text[at++];
  while (at < text.size() && text[at] != quote && text[at] != '\n')
    at += text[at] == '\\' && at + 1 < text.size() ? 2 : 1;
  return std::min(at + 1, text.size());
}

class ProgramReader {
 public:
  ProgramReader(ScriptCode& code, const std::vector<StoredTensor>& entries) : code_(code) {
    for (std::uint32_t i = 0; i < entries.size(); ++i) {
      if (entries[i].path.starts_with("constants.c"))
        entries_.emplace(entries[i].path.substr(11), i);
    }
  }

  ScriptProgram read(std::string_view root) {
    name_of(root);
    while (!queue_.empty()) {
      const auto [name, unit] = queue_.front();
      queue_.pop_front();
      program_.units.push_back({name, canonical(unit->text)});
      if (has_training_call(unit->text)) program_.training.push_back(name);
    }
    return std::move(program_);
  }

 private:
  /// "my.Block#0" of a class or function that the archive holds; nothing for other names.
  std::optional<std::string> name_of(std::string_view qualified) {
    const ScriptClass* unit = code_.find(qualified);
    if (unit == nullptr) return std::nullopt;
    const auto known = names_.find(unit);
    if (known != names_.end()) return known->second;
    std::string name = python_class(qualified);
    name += fmt::format("#{}", counts_[name]++);
    names_.emplace(unit, name);
    queue_.emplace_back(name, unit);
    return name;
  }

  std::string constant(std::string_view number) {
    const auto [place, is_new] = constants_.try_emplace(std::string(number), constants_.size());
    if (is_new) {
      const auto entry = entries_.find(place->first);
      program_.constants.push_back(entry == entries_.end() ? kNoConstant : entry->second);
    }
    return fmt::format("{}{}", kConstant, place->second);
  }

  /// A dotted name of the code: of a class, a function, a member of either, or something else.
  std::string reference(std::string_view token) {
    if (token.starts_with(kConstant)) return constant(token.substr(kConstant.size()));
    if (!token.starts_with(kTorchRoot)) return std::string(token);
    if (auto name = name_of(token)) return *std::move(name);
    const std::size_t dot = token.rfind('.');
    if (auto owner = name_of(token.substr(0, dot))) return *owner + std::string(token.substr(dot));
    return python_class(token);
  }

  std::string canonical(std::string_view text) {
    locals_.clear();
    std::string result;
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t begin = at;
      if (text[at] == '"' || text[at] == '\'') {
        at = after_quotes(text, at);
        result += text.substr(begin, at - begin);
      } else if (is_name_char(text[at])) {
        while (at < text.size() && (is_name_char(text[at]) || text[at] == '.')) ++at;
        result += local_or_reference(text.substr(begin, at - begin));
      } else {
        result += text[at++];
      }
    }
    return result;
  }

  /// torch numbers the temporaries ("_10") of all classes of one file, which it writes in an order
  /// that changes from save to save: here each unit numbers its own, as they come.
  std::string local_or_reference(std::string_view token) {
    const std::string_view head = token.substr(0, token.find('.'));
    const bool numbered = head.size() > 1 && head[0] == '_' &&
                          head.find_first_not_of("0123456789", 1) == std::string_view::npos;
    if (!numbered) return reference(token);
    const auto place = locals_.try_emplace(std::string(head), locals_.size()).first;
    return fmt::format("_{}{}", place->second, token.substr(head.size()));
  }

  ScriptCode& code_;
  ScriptProgram program_;
  std::deque<std::pair<std::string, const ScriptClass*>> queue_;
  std::unordered_map<const ScriptClass*, std::string> names_;
  std::unordered_map<std::string, std::size_t> counts_, constants_, locals_;
  std::unordered_map<std::string, std::uint32_t> entries_;
};

/// The arguments of the first call of `function` in a line, as far as they hold no comma.
std::vector<std::string_view> arguments_of(std::string_view line, std::string_view function) {
  std::vector<std::string_view> arguments;
  const std::size_t call = line.find(function);
  if (call == std::string_view::npos) return arguments;
  std::size_t begin = call + function.size();
  while (begin < line.size()) {
    const std::size_t end = std::min(line.find_first_of(",)", begin), line.size());
    arguments.push_back(line.substr(begin, end - begin));
    begin = std::min(line.find_first_not_of(", )", end), line.size());
  }
  return arguments;
}

/// Literals of JSON's kinds.
class LiteralReader {
 public:
  explicit LiteralReader(std::string_view text) : left_(text) {}

  std::optional<Json> all() {
    std::optional<Json> found = value(0);
    return left_.empty() ? found : std::nullopt;
  }

 private:
  static constexpr int kDeepest = 20;

  std::optional<Json> value(int depth) {
    if (left_.empty() || depth > kDeepest) return std::nullopt;
    if (left_[0] == '(' || left_[0] == '[') return items(depth);
    if (left_[0] == '"' || left_[0] == '\'') {
      const std::size_t end = after_quotes(left_, 0);
      if (end < 2 || left_[end - 1] != left_[0]) return std::nullopt;
      std::string text(left_.substr(1, end - 2));
      left_.remove_prefix(end);
      return text.find('\\') == std::string::npos ? std::optional<Json>(std::move(text))
                                                  : std::nullopt;
    }
    const std::string_view word = left_.substr(0, left_.find_first_of(",)] "));
    left_.remove_prefix(word.size());
    if (word == "True" || word == "False") return Json(word == "True");
    if (word == "None") return Json();
    return number(word);
  }

  static std::optional<Json> number(std::string_view word) {
    const char* begin = word.data();  // NOLINT(bugprone-suspicious-stringview-data-usage): with end
    const char* end = begin + word.size();
    std::int64_t integer = 0;
    if (const auto read = std::from_chars(begin, end, integer);
        read.ec == std::errc() && read.ptr == end)
      return Json(integer);
    double real = 0;
    const auto read = std::from_chars(begin, end, real);
    if (word.empty() || read.ec != std::errc() || read.ptr != end) return std::nullopt;
    return json_number(real);
  }

  std::optional<Json> items(int depth) {
    const char close = left_[0] == '(' ? ')' : ']';
    Json list = Json::array();
    left_.remove_prefix(1);
    while (!left_.empty() && left_[0] != close) {
      std::optional<Json> item = value(depth + 1);
      if (!item) return std::nullopt;
      list.push_back(*std::move(item));
      left_.remove_prefix(std::min(left_.find_first_not_of(", "), left_.size()));
    }
    if (left_.empty()) return std::nullopt;
    left_.remove_prefix(1);
    return list;
  }

  std::string_view left_;
};

}  // namespace

std::optional<Json> script_literal(std::string_view text) { return LiteralReader(text).all(); }

ScriptProgram read_script_program(ScriptCode& code, std::string_view root,
                                  const std::vector<StoredTensor>& entries) {
  return ProgramReader(code, entries).read(root);
}

bool has_training_call(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    for (const std::string_view function : {"dropout(", "dropout_(", "torch.rrelu("}) {
      const auto arguments = arguments_of(line, function);
      if (arguments.size() >= 3 && arguments.back() == "True") return true;
    }
    const auto arguments = arguments_of(line, "torch.batch_norm(");
    if (arguments.size() >= 8 && arguments[5] == "True") return true;
  }
  return false;
}

std::string program_digest(const ScriptProgram& program) {
  std::string all;
  for (const ScriptUnit& unit : program.units) all += unit.name + "\n" + unit.text + "\n";
  return sha256_hex(Bytes(reinterpret_cast<const std::uint8_t*>(all.data()), all.size()));
}

std::set<std::string, std::less<>> attributes_read(const ScriptProgram& program) {
  std::set<std::string, std::less<>> names;
  for (const ScriptUnit& unit : program.units) {
    const std::string_view text = unit.text;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t begin = at;
      if (text[at] == '"' || text[at] == '\'') {  // of getattr(self, "0")
        at = after_quotes(text, at);
        if (at - begin > 2) names.emplace(text.substr(begin + 1, at - begin - 2));
      } else if (is_name_char(text[at])) {
        while (at < text.size() && is_name_char(text[at])) ++at;
        if (begin > 0 && text[begin - 1] == '.') names.emplace(text.substr(begin, at - begin));
      } else {
        ++at;
      }
    }
  }
  return names;
}

}  // namespace samebits
