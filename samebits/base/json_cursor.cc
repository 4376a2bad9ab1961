#include "samebits/base/json_cursor.h"

namespace samebits {

void JsonCursor::advance() {
  if (pending_ != Pending::none) {
    between_tokens_ = pending_ == Pending::close;
    ++inserted_;
    pending_ = Pending::none;
    return;
  }
  const char c = text_[position_];
  if (!in_string_) follow_tokens(c);
  if (escaped_) {
    escaped_ = false;
  } else if (c == '"') {
    between_tokens_ = in_string_;
    in_string_ = !in_string_;
  } else {
    escaped_ = in_string_ && c == '\\';
  }
  ++position_;
  enter();
}

void JsonCursor::begin_token(std::size_t position) {
  token_before_ = token_;
  token_ = position;
  between_tokens_ = false;
}

void JsonCursor::follow_tokens(char c) {
  constexpr std::string_view kSpace = " \t\r\n";
  constexpr std::string_view kSingle = "{}[],:";
  if (kSpace.find(c) != std::string_view::npos) {
    between_tokens_ = true;
  } else if (kSingle.find(c) != std::string_view::npos) {
    begin_token(position_);
    between_tokens_ = true;
  } else if (between_tokens_) {
    begin_token(position_);
  }
}

void JsonCursor::enter() {
  if (!python_numbers_ || in_string_) return;
  if (word_end_ != 0 && position_ == word_end_) {
    pending_ = Pending::close;
    word_end_ = 0;
  } else if (word_end_ == 0 && position_ < text_.size()) {
    const std::size_t length = python_number();
    if (length == 0) return;
    pending_ = Pending::open;
    begin_token(position_);
    word_end_ = position_ + length;
  }
}

// The length of the bare word at the position, or 0. A word before a colon would be a key, which
// Python refuses: it stays bare, for the lexer to refuse.
std::size_t JsonCursor::python_number() const {
  const std::string_view rest = text_.substr(position_);
  const char first = rest.front();
  if (first != 'N' && first != 'I' && first != '-') return 0;
  for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
    if (!rest.starts_with(word)) continue;
    const std::size_t next = rest.find_first_not_of(" \t\r\n", word.size());
    return next != std::string_view::npos && rest[next] == ':' ? 0 : word.size();
  }
  return 0;
}

}  // namespace samebits
