#include "samebits/train/event_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <string_view>

#include <fmt/format.h>

namespace samebits {
namespace {

namespace fs = std::filesystem;

using EventBytes = std::vector<std::uint8_t>;

constexpr std::string_view kEventFile = "events.out.tfevents.";

std::array<std::uint32_t, 256> crc_table() {
  constexpr std::uint32_t kReversedPolynomial = 0x82f63b78;
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < table.size(); ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
    table[i] = crc;
  }
  return table;
}

/// As TensorFlow stores it: a CRC of bytes that hold a CRC would be weak.
std::uint32_t masked_crc(const EventBytes& bytes) {
  constexpr std::uint32_t kMask = 0xa282ead8;
  return std::rotr(crc32c(bytes.data(), bytes.size()), 15) + kMask;
}

template <class Number>
void put_fixed(Number value, EventBytes* out) {
  for (std::size_t i = 0; i < sizeof value; ++i)
    out->push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

void put_varint(std::uint64_t value, EventBytes* out) {
  constexpr std::uint64_t kMore = 0x80;
  for (; value >= kMore; value >>= 7) out->push_back(static_cast<std::uint8_t>(value | kMore));
  out->push_back(static_cast<std::uint8_t>(value));
}

// Protobuf's wire types, and the fields of the messages that are written here.
constexpr int kVarint = 0;
constexpr int kFixed64 = 1;
constexpr int kBytes = 2;
constexpr int kFixed32 = 5;

void put_tag(int field, int type, EventBytes* out) {
  put_varint(static_cast<std::uint64_t>(field << 3 | type), out);
}

template <class Contents>
void put_bytes(int field, const Contents& contents, EventBytes* out) {
  put_tag(field, kBytes, out);
  put_varint(contents.size(), out);
  out->insert(out->end(), contents.begin(), contents.end());
}

/// Event { wall_time = 1; step = 2 }
EventBytes event_at(double now, std::uint64_t step) {
  EventBytes event;
  put_tag(1, kFixed64, &event);
  put_fixed(std::bit_cast<std::uint64_t>(now), &event);
  put_tag(2, kVarint, &event);
  put_varint(step, &event);
  return event;
}

/// Summary.Value { tag = 1; simple_value = 2 }, as a value = 1 of a Summary.
void put_scalar(std::string_view tag, float value, EventBytes* summary) {
  EventBytes message;
  put_bytes(1, tag, &message);
  put_tag(2, kFixed32, &message);
  put_fixed(std::bit_cast<std::uint32_t>(value), &message);
  put_bytes(1, message, summary);
}

std::vector<std::string> event_file_names(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.starts_with(kEventFile)) names.push_back(name);
  }
  return names;
}

/// Readers take files in the order of their names, which begin with seconds: more than those of any
/// file that is there, whatever the clock says.
std::uint64_t seconds_of_next(const std::vector<std::string>& names, double now) {
  auto next = static_cast<std::uint64_t>(std::max(0.0, std::floor(now)));
  for (const std::string& name : names) {
    std::uint64_t seconds = 0;
    const char* begin = name.data() + kEventFile.size();
    std::from_chars(begin, name.data() + name.size(), seconds);
    next = std::max(next, seconds + 1);
  }
  return next;
}

Error event_error(const std::string& path, const std::string& what) {
  return {.code = ErrorCode::io,
          .what = what,
          .file = path,
          .hint = "Is the disk full, or the directory read-only?"};
}

}  // namespace

std::uint32_t crc32c(const std::uint8_t* bytes, std::size_t size) {
  static const std::array<std::uint32_t, 256> table = crc_table();
  std::uint32_t crc = 0xffffffff;
  for (std::size_t i = 0; i < size; ++i) crc = (crc >> 8) ^ table[(crc ^ bytes[i]) & 0xff];
  return ~crc;
}

bool has_event_files(const std::string& directory) { return !event_file_names(directory).empty(); }

Result<EventFile> EventFile::open(const std::string& directory, std::uint64_t steps_done,
                                  double now) {
  const std::vector<std::string> before = event_file_names(directory);
  EventFile made;
  made.path_ =
      fmt::format("{}/{}{:010}.samebits", directory, kEventFile, seconds_of_next(before, now));
  made.file_.open(made.path_, std::ios::binary | std::ios::trunc);
  if (!made.file_) return fail(event_error(made.path_, "the file cannot be opened"));
  EventBytes version = event_at(now, 0);
  put_bytes(3, std::string_view("brain.Event:2"), &version);  // file_version
  SAMEBITS_TRY_VOID(made.write(version));
  if (before.empty()) return made;
  EventBytes start = event_at(now, steps_done);
  put_bytes(7, EventBytes{1 << 3 | kVarint, 1}, &start);  // session_log { status = START }
  SAMEBITS_TRY_VOID(made.write(start));
  return made;
}

Result<void> EventFile::write(const std::vector<std::uint8_t>& event) {
  EventBytes record;
  put_fixed(std::uint64_t{event.size()}, &record);
  put_fixed(masked_crc(record), &record);
  record.insert(record.end(), event.begin(), event.end());
  put_fixed(masked_crc(event), &record);
  file_.write(reinterpret_cast<const char*>(record.data()),
              static_cast<std::streamsize>(record.size()));
  file_.flush();
  if (!file_) return fail(event_error(path_, "the file cannot be written"));
  return {};
}

Result<void> EventFile::add(std::uint64_t epoch, std::uint64_t step, float loss,
                            const std::optional<float>& validation, double now) {
  EventBytes summary;
  put_scalar("epoch", static_cast<float>(epoch), &summary);
  put_scalar("train_loss", loss, &summary);
  if (validation) put_scalar("val_loss", *validation, &summary);
  EventBytes event = event_at(now, step);
  put_bytes(5, summary, &event);
  return write(event);
}

}  // namespace samebits
