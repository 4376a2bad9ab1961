#include "samebits/container/npy.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "samebits/base/limits.h"

namespace samebits {
namespace {

constexpr std::string_view kNpyMagic("\x93NUMPY", 6);

// Reads the header's Python literal: a dict with the keys descr, fortran_order and shape.
class LiteralReader {
 public:
  LiteralReader(Bytes text, const std::string& file, std::uint64_t base)
      : text_(as_text(text)), file_(file), base_(base) {}

  Result<NpyHeader> header();

 private:
  Result<void> entry(NpyHeader& header);
  Result<std::string_view> string();
  Result<std::string> descr();
  Result<bool> boolean();
  Result<Shape> shape();
  Result<std::int64_t> size();

  void skip_space() { at_ = std::min(text_.find_first_not_of(" \t\r\n\f", at_), text_.size()); }
  bool take(std::string_view word) {
    skip_space();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }
  Error error(ErrorCode code, std::string expected) const {
    return {.code = code,
            .what = "the npy header is not what numpy writes",
            .file = file_,
            .offset = base_ + at_,
            .expected = std::move(expected)};
  }

  std::string_view text_;
  const std::string& file_;
  std::uint64_t base_;
  std::size_t at_ = 0;
  bool has_descr_ = false, has_order_ = false, has_shape_ = false;
};

Result<NpyHeader> LiteralReader::header() {
  NpyHeader header;
  if (!take("{")) return fail(error(ErrorCode::malformed, "{"));
  while (!take("}")) {
    SAMEBITS_TRY_VOID(entry(header));
    if (!take(",") && !text_.substr(at_).starts_with("}")) {
      return fail(error(ErrorCode::malformed, "a comma or }"));
    }
  }
  skip_space();
  if (at_ != text_.size()) return fail(error(ErrorCode::malformed, "nothing after }"));
  if (!has_descr_ || !has_order_ || !has_shape_) {
    return fail(error(ErrorCode::malformed, "the keys descr, fortran_order and shape"));
  }
  return header;
}

Result<void> LiteralReader::entry(NpyHeader& header) {
  skip_space();
  const Error unknown_key = error(ErrorCode::malformed, "descr, fortran_order or shape, once each");
  SAMEBITS_TRY(const std::string_view key, string());
  if (!take(":")) return fail(error(ErrorCode::malformed, "a colon"));
  if (key == "descr" && !std::exchange(has_descr_, true)) {
    SAMEBITS_TRY(header.descr, descr());
  } else if (key == "fortran_order" && !std::exchange(has_order_, true)) {
    SAMEBITS_TRY(header.fortran_order, boolean());
  } else if (key == "shape" && !std::exchange(has_shape_, true)) {
    SAMEBITS_TRY(header.shape, shape());
  } else {
    return fail(unknown_key);
  }
  return {};
}

Result<std::string_view> LiteralReader::string() {
  skip_space();
  const std::size_t begin = at_ + 1;
  if (at_ == text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) {
    return fail(error(ErrorCode::malformed, "a string"));
  }
  const char quote = text_[at_];
  for (std::size_t i = begin; i < text_.size(); ++i) {
    if (text_[i] == quote) {
      at_ = i + 1;
      return text_.substr(begin, i - begin);
    }
    if (text_[i] == '\\') ++i;
  }
  return fail(error(ErrorCode::malformed, "a string that ends"));
}

// A string, or the text of a list or tuple (a structured type).
Result<std::string> LiteralReader::descr() {
  skip_space();
  const std::size_t begin = at_;
  std::uint64_t open = 0;
  do {
    if (at_ == text_.size()) return fail(error(ErrorCode::malformed, "a type that ends"));
    const char c = text_[at_];
    if (c == '\'' || c == '"') {
      SAMEBITS_TRY(const std::string_view plain, string());
      if (open == 0) return std::string(plain);
      continue;
    }
    if (c == '[' || c == '(') ++open;
    if (open == 0) return fail(error(ErrorCode::malformed, "a type"));
    if (c == ']' || c == ')') --open;
    ++at_;
  } while (open > 0);
  return std::string(text_.substr(begin, at_ - begin));
}

Result<bool> LiteralReader::boolean() {
  if (take("True")) return true;
  if (take("False")) return false;
  return fail(error(ErrorCode::malformed, "True or False"));
}

Result<Shape> LiteralReader::shape() {
  Shape shape;
  if (!take("(")) return fail(error(ErrorCode::malformed, "a tuple"));
  bool comma = true;
  while (!take(")")) {
    if (!comma) return fail(error(ErrorCode::malformed, "a comma or )"));
    if (shape.size() == kLimits.dimensions) {
      return fail(
          error(ErrorCode::limit, "at most " + std::to_string(kLimits.dimensions) + " dimensions"));
    }
    SAMEBITS_TRY(const std::int64_t next, size());
    shape.push_back(next);
    comma = take(",");
  }
  if (shape.size() == 1 && !comma) return fail(error(ErrorCode::malformed, "a tuple"));
  return shape;
}

Result<std::int64_t> LiteralReader::size() {
  skip_space();
  std::int64_t value = 0;
  const char* begin = text_.data() + at_;
  const auto [end, status] = std::from_chars(begin, text_.data() + text_.size(), value);
  if (status == std::errc::result_out_of_range) {
    return fail(error(ErrorCode::limit, "a size of at most 63 bits"));
  }
  if (status != std::errc() || value < 0) return fail(error(ErrorCode::malformed, "a size"));
  at_ += static_cast<std::size_t>(end - begin);
  take("L");  // numpy under Python 2
  return value;
}

struct NumpyType {
  std::string_view code;  // kind and bytes
  DType dtype;
};
constexpr NumpyType kTypes[] = {
    {"f2", DType::float16},   {"f4", DType::float32},     {"f8", DType::float64},
    {"c8", DType::complex64}, {"c16", DType::complex128}, {"b1", DType::boolean},
    {"i1", DType::int8},      {"i2", DType::int16},       {"i4", DType::int32},
    {"i8", DType::int64},     {"u1", DType::uint8},       {"u2", DType::uint16},
    {"u4", DType::uint32},    {"u8", DType::uint64},
};

// The order of bytes ('<', '>', '=' or '|', or none) and the type behind it.
std::pair<char, std::string_view> split_descr(std::string_view descr) {
  constexpr std::string_view kOrders = "<>=|";
  if (descr.empty() || kOrders.find(descr.front()) == std::string_view::npos) return {'=', descr};
  return {descr.front(), descr.substr(1)};
}

// An object anywhere in a structured type makes the data a pickle; in text, its code ends a string.
bool holds_objects(std::string_view descr) {
  if (split_descr(descr).second == "O") return true;
  return descr.find("|O'") != std::string_view::npos ||
         descr.find("|O\"") != std::string_view::npos;
}

Strides numpy_strides(const NpyHeader& header) {
  if (!header.fortran_order) return contiguous_strides(header.shape);
  Strides strides = contiguous_strides(Shape(header.shape.rbegin(), header.shape.rend()));
  std::reverse(strides.begin(), strides.end());
  return strides;
}

}  // namespace

bool looks_like_npy(Bytes bytes) { return as_text(bytes).starts_with(kNpyMagic); }

Result<NpyHeader> read_npy_header(Bytes bytes, const std::string& file, std::uint64_t base) {
  ByteReader reader(bytes, file, base);
  SAMEBITS_TRY(const Bytes magic, reader.take(kNpyMagic.size(), "the npy magic"));
  if (as_text(magic) != kNpyMagic) {
    return fail(
        {.code = ErrorCode::malformed, .what = "not an npy file", .file = file, .offset = base});
  }
  SAMEBITS_TRY(const std::uint8_t major, reader.u8("the npy version"));
  SAMEBITS_TRY(const std::uint8_t minor, reader.u8("the npy version"));
  if (major < 1 || major > 3 || minor != 0) {
    Error e = reader.error(ErrorCode::unsupported, "an unknown npy version");
    e.expected = "1.0, 2.0 or 3.0";
    e.found = std::to_string(major) + "." + std::to_string(minor);
    return fail(std::move(e));
  }
  std::uint64_t length = 0;
  if (major == 1) {
    SAMEBITS_TRY(length, reader.u16("the length of the npy header"));
  } else {
    SAMEBITS_TRY(length, reader.u32("the length of the npy header"));
  }
  const std::uint64_t begin = reader.offset();
  SAMEBITS_TRY(const Bytes text, reader.take(length, "the npy header"));
  SAMEBITS_TRY(NpyHeader header, LiteralReader(text, file, begin).header());
  header.data_offset = reader.position();
  header.is_object = holds_objects(header.descr);
  return header;
}

Result<TensorView> npy_view(const NpyHeader& header, Bytes bytes, const std::string& file,
                            std::uint64_t base) {
  const auto [order, code] = split_descr(header.descr);
  const auto* type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                  [wanted = code](const NumpyType& t) { return t.code == wanted; });
  if (type == std::end(kTypes)) {
    return fail({.code = ErrorCode::unsupported,
                 .what = header.is_object ? "a numpy array of Python objects"
                                          : "a numpy type that torch does not have",
                 .file = file,
                 .offset = base,
                 .found = header.descr.substr(0, 200)});
  }
  SAMEBITS_CHECK(header.data_offset <= bytes.size());
  auto view = TensorView::make(type->dtype, header.shape, numpy_strides(header), 0,
                               bytes.subspan(header.data_offset), order == '>');
  if (!view) {
    view.error().file = file;
    view.error().offset = base + header.data_offset;
  }
  return view;
}

}  // namespace samebits
