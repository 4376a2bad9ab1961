// The characters that the JSON lexer sees, and where it stands in the original text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "samebits/base/bytes.h"

namespace samebits {

/// Hands out `text` one character at a time. With `python_numbers`, quotes are put around the bare
/// words NaN, Infinity and -Infinity where a value may stand. Borrows `text`.
class JsonCursor {
 public:
  JsonCursor(std::string_view text, bool python_numbers)
      : text_(text), python_numbers_(python_numbers) {
    enter();
  }

  bool at_end() const { return position_ == text_.size() && pending_ == Pending::none; }
  char current() const { return pending_ == Pending::none ? text_[position_] : '"'; }
  void advance();

  /// Bytes of the original text that were handed out.
  std::size_t consumed() const { return position_; }
  /// Quotes that were handed out and do not stand in the text.
  std::size_t inserted() const { return inserted_; }
  /// Where the latest token begins that begins before `end`. The lexer looks one character past a
  /// number, so the token that it speaks of may be the last but one.
  std::size_t token_before(std::size_t end) const { return token_ < end ? token_ : token_before_; }
  bool in_string() const { return in_string_; }

 private:
  enum class Pending : std::uint8_t { none, open, close };
  void enter();  // decides what is handed out at a new position
  void follow_tokens(char c);
  void begin_token(std::size_t position);
  std::size_t python_number() const;

  std::string_view text_;
  bool python_numbers_;
  std::size_t position_ = 0;
  std::size_t inserted_ = 0;
  std::size_t token_ = 0;
  std::size_t token_before_ = 0;
  std::size_t word_end_ = 0;  // of the bare word that is being handed out
  bool between_tokens_ = true;
  bool in_string_ = false;
  bool escaped_ = false;
  Pending pending_ = Pending::none;
};

/// The cursor as the pair of input iterators that nlohmann-json takes; the end has no cursor.
class JsonCursorIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  JsonCursorIterator() = default;
  explicit JsonCursorIterator(JsonCursor* cursor) : cursor_(cursor) {}
  char operator*() const { return cursor_->current(); }
  JsonCursorIterator& operator++() {
    cursor_->advance();
    return *this;
  }
  void operator++(int) { cursor_->advance(); }
  bool operator==(const JsonCursorIterator& other) const { return ended() == other.ended(); }

 private:
  bool ended() const { return cursor_ == nullptr || cursor_->at_end(); }
  JsonCursor* cursor_ = nullptr;
};

}  // namespace samebits
