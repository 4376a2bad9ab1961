#include "samebits/base/json.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "samebits/base/exceptions.h"
#include "samebits/base/float_mode.h"
#include "samebits/base/json_cursor.h"
#include "samebits/base/json_events.h"
#include "samebits/base/limits.h"

namespace samebits {
namespace {

// nlohmann's text between "syntax error while ... - " and the characters it quotes from the file,
// which may be any bytes of any length.
std::string explanation(std::string_view message) {
  if (const auto dash = message.find(" - "); dash != std::string_view::npos) {
    message.remove_prefix(dash + 3);
  }
  message = message.substr(0, message.find("; last read"));
  return std::string(message.substr(0, 200));
}

// Passes nlohmann's events on, and turns its errors into ours.
class SaxAdapter final : public nlohmann::json_sax<Json> {
 public:
  SaxAdapter(const JsonCursor& cursor, std::uint64_t base, std::uint32_t depth,
             JsonHandler& handler)
      : cursor_(cursor), base_(base), depth_left_(depth), handler_(handler) {}

  std::optional<Error>& error() { return error_; }

  bool null() override { return accept(handler_.null()); }
  bool boolean(bool value) override { return accept(handler_.boolean(value)); }
  bool number_integer(std::int64_t value) override {
    return accept(handler_.signed_integer(value));
  }
  bool number_unsigned(std::uint64_t value) override {
    return accept(handler_.unsigned_integer(value));
  }
  bool number_float(double value, const std::string&) override {
    return accept(handler_.real(value));
  }
  bool string(std::string& value) override { return accept(handler_.text(value)); }
  bool binary(Json::binary_t&) override { return false; }  // not in JSON
  bool key(std::string& name) override {
    last_key_ = name.substr(0, 60);
    return accept(handler_.key(name, base_ + cursor_.token_before(cursor_.consumed())));
  }
  bool start_object(std::size_t) override { return deeper() && accept(handler_.begin_object()); }
  bool start_array(std::size_t) override { return deeper() && accept(handler_.begin_array()); }
  bool end_object() override {
    ++depth_left_;
    return accept(handler_.end_object());
  }
  bool end_array() override {
    ++depth_left_;
    return accept(handler_.end_array());
  }
  bool parse_error(std::size_t position, const std::string& last_token,
                   const Json::exception& exception) override;

 private:
  bool accept(Result<void> result) {
    if (result) return true;
    error_ = std::move(result).error();
    return false;
  }
  bool deeper();

  const JsonCursor& cursor_;
  std::uint64_t base_;
  std::uint32_t depth_left_;
  JsonHandler& handler_;
  std::string last_key_;
  std::optional<Error> error_;
};

bool SaxAdapter::deeper() {
  if (depth_left_ > 0) {
    --depth_left_;
    return true;
  }
  error_ = Error{.code = ErrorCode::limit,
                 .what = "JSON is nested too deeply",
                 .offset = base_ + cursor_.consumed() - 1};
  return false;
}

// `position` counts the characters that the lexer has used, with the end of the text as one.
bool SaxAdapter::parse_error(std::size_t position, const std::string& last_token,
                             const Json::exception& exception) {
  constexpr int kOutOfRange = 406;
  const std::uint64_t end = position - std::min<std::uint64_t>(position, cursor_.inserted());
  std::uint64_t offset = cursor_.consumed();
  if (end <= offset) {  // else the text ends too early
    offset = cursor_.in_string() ? offset - 1 : cursor_.token_before(end);
  }
  if (exception.id == kOutOfRange) {
    error_ = Error{.code = ErrorCode::limit,
                   .what = "a number of the JSON is not finite" +
                           (last_key_.empty() ? "" : " (the last key is \"" + last_key_ + "\")"),
                   .offset = base_ + offset,
                   .expected = "at most 1.8e308, as a double holds it",
                   .found = last_token.substr(0, 60),
                   .hint = "Correct it in the file"};
    return false;
  }
  error_ = Error{.code = ErrorCode::malformed,
                 .what = "JSON is not valid: " + explanation(exception.what()),
                 .offset = base_ + offset};
  return false;
}

bool has_byte_order_mark(Bytes text) { return as_text(text).starts_with("\xEF\xBB\xBF"); }

// The lexer takes a zero byte for the end of the text, whatever follows it.
bool stopped_at_zero(Bytes text, const JsonCursor& cursor) {
  return cursor.consumed() > 0 && text[cursor.consumed() - 1] == 0;
}

}  // namespace

Result<void> scan_json(Bytes text, const std::string& file, std::uint64_t base, JsonSyntax syntax,
                       JsonHandler& handler) {
  if (has_byte_order_mark(text)) {
    return fail({.code = ErrorCode::malformed,
                 .what = "JSON begins with a byte order mark",
                 .file = file,
                 .offset = base});
  }
  JsonCursor cursor(as_text(text), syntax.python_numbers);
  SaxAdapter sax(cursor, base, syntax.depth, handler);
  const FloatMode contract;  // the lexer reads numbers by strtod()
  bool complete = false;
  try {
    complete = Json::sax_parse(JsonCursorIterator(&cursor), JsonCursorIterator(), &sax);
  } catch (const std::exception&) {
    return fail(error_of_exception(file));
  }
  if (complete && stopped_at_zero(text, cursor)) {
    sax.error() = Error{.code = ErrorCode::malformed,
                        .what = "a zero byte follows the JSON",
                        .offset = base + cursor.consumed() - 1};
  } else if (complete) {
    return {};
  }
  SAMEBITS_CHECK(sax.error().has_value());
  Error error = std::move(*sax.error());
  if (error.file.empty()) error.file = file;
  return fail(std::move(error));
}

namespace {

// Builds the tree bottom-up: a container's parts are gathered in its frame and moved once into a
// vector of the right size. (ordered_json's own insertion looks through all keys each time.)
class TreeBuilder final : public JsonHandler {
 public:
  Json take_root() { return std::move(root_); }

  Result<void> null() override { return add(nullptr); }
  Result<void> boolean(bool value) override { return add(value); }
  Result<void> unsigned_integer(std::uint64_t value) override { return add(value); }
  Result<void> signed_integer(std::int64_t value) override { return add(value); }
  Result<void> real(double value) override { return add(value); }
  Result<void> text(std::string& value) override { return add(std::move(value)); }
  Result<void> begin_object() override { return push(); }
  Result<void> begin_array() override { return push(); }
  Result<void> key(std::string& name, std::uint64_t offset) override {
    stack_.back().keys.push_back({std::move(name), offset});
    return {};
  }
  Result<void> end_object() override;
  Result<void> end_array() override {
    Json::array_t array = std::move(stack_.back().values);
    stack_.pop_back();
    return add(std::move(array));
  }

 private:
  struct Key {
    std::string name;
    std::uint64_t offset;
  };
  struct Frame {
    std::vector<Key> keys;  // of an object, one for each value
    Json::array_t values;
  };
  static Result<void> check_unique(const std::vector<Key>& keys);

  Result<void> push() {
    stack_.emplace_back();
    return {};
  }
  Result<void> add(Json value) {
    if (stack_.empty()) {
      root_ = std::move(value);
    } else {
      stack_.back().values.push_back(std::move(value));
    }
    return {};
  }

  std::vector<Frame> stack_;
  Json root_;
};

Result<void> TreeBuilder::check_unique(const std::vector<Key>& keys) {
  std::vector<std::uint32_t> order(keys.size());  // kLimits.json_bytes fits in 32 bits
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::tie(keys[a].name, a) < std::tie(keys[b].name, b);
  });
  const auto repeated = std::adjacent_find(
      order.begin(), order.end(),
      [&](std::uint32_t a, std::uint32_t b) { return keys[a].name == keys[b].name; });
  if (repeated == order.end()) return {};
  const Key& second = keys[*(repeated + 1)];
  return fail({.code = ErrorCode::inconsistent,
               .what = "a JSON object has the key \"" + second.name.substr(0, 200) + "\" twice",
               .offset = second.offset});
}

Result<void> TreeBuilder::end_object() {
  Frame frame = std::move(stack_.back());
  stack_.pop_back();
  SAMEBITS_TRY_VOID(check_unique(frame.keys));
  Json::object_t object;
  object.reserve(frame.keys.size());
  for (std::size_t i = 0; i < frame.keys.size(); ++i) {
    object.emplace_back(std::move(frame.keys[i].name), std::move(frame.values[i]));
  }
  return add(std::move(object));
}

}  // namespace

Result<Json> parse_json(Bytes text, const std::string& file, std::uint64_t base) {
  if (text.size() > kLimits.json_bytes) {
    return fail({.code = ErrorCode::limit,
                 .what = "JSON is too large",
                 .file = file,
                 .offset = base,
                 .expected = "at most " + std::to_string(kLimits.json_bytes) + " bytes",
                 .found = std::to_string(text.size())});
  }
  TreeBuilder builder;
  SAMEBITS_TRY_VOID(
      scan_json(text, file, base, {.depth = kLimits.json_depth, .python_numbers = true}, builder));
  return builder.take_root();
}

std::string json_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string short_json(const Json& value) {
  constexpr std::size_t kMembers = 8;
  constexpr std::size_t kCharacters = 60;
  if (value.is_structured() && value.size() > kMembers) {
    return (value.is_array() ? "a list of " : "an object of ") + std::to_string(value.size());
  }
  return value.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, kCharacters);
}

Json json_number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return value;
}

Json in_order_of_text(Json items) {
  std::vector<std::pair<std::string, Json>> keyed;
  for (Json& item : items) {
    std::string text = json_text(item);
    keyed.emplace_back(std::move(text), std::move(item));
  }
  std::ranges::sort(keyed, {}, &std::pair<std::string, Json>::first);
  for (std::size_t i = 0; i < keyed.size(); ++i) items[i] = std::move(keyed[i].second);
  return items;
}

}  // namespace samebits
