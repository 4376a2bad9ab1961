#include <algorithm>
#include <bit>

#include <fmt/format.h>

#include "samebits/lock/lock.h"
#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

std::string hex_of(const Digest128& digest) {
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

/// A text whose end no content can imitate: "5:hello".
std::string counted_text(std::string_view text) { return fmt::format("{}:{}", text.size(), text); }

/// What a tensor is, without its name: "float32 [2,3] 64 hex digits".
std::string content_line(const LockedTensor& tensor) {
  std::string line = fmt::format("{} [{}] {}", info(tensor.dtype).torch,
                                 fmt::join(tensor.shape, ","), tensor.digest);
  return tensor.identity.empty() ? line : line + " " + counted_text(tensor.identity);
}

std::string digest_of_lines(LockAlgorithm algorithm, const char* first,
                            std::vector<std::string> lines) {
  std::ranges::sort(lines);
  std::string text = std::string(first) + "\n";
  for (const std::string& line : lines) text += line + "\n";
  return digest_text(algorithm, text);
}

void add_canonical(const Json& value, std::string* out);

void add_canonical_object(const Json& value, std::string* out) {
  std::map<std::string, const Json*> members;  // in the order of their bytes
  for (const auto& [key, member] : value.items()) members[key] = &member;
  *out += '{';
  for (const auto& [key, member] : members) {
    *out += counted_text(key);
    add_canonical(*member, out);
  }
  *out += '}';
}

// The depth of a parsed value is bounded by kLimits.json_depth.
void add_canonical(const Json& value, std::string* out) {
  if (value.is_object()) return add_canonical_object(value, out);
  if (value.is_array()) {
    *out += '[';
    for (const Json& item : value) add_canonical(item, out);
    *out += ']';
  } else if (value.is_string()) {
    *out += 's' + counted_text(value.get_ref<const std::string&>());
  } else if (value.is_number_float()) {
    *out += fmt::format("d{:016x};", std::bit_cast<std::uint64_t>(value.get<double>()));
  } else if (value.is_number_unsigned()) {
    *out += fmt::format("i{};", value.get<std::uint64_t>());
  } else if (value.is_number_integer()) {
    *out += fmt::format("i{};", value.get<std::int64_t>());
  } else if (value.is_boolean()) {
    *out += value.get<bool>() ? 't' : 'f';
  } else {
    *out += 'n';
  }
}

}  // namespace

const char* algorithm_name(LockAlgorithm algorithm) {
  return algorithm == LockAlgorithm::sha256 ? "sha256" : "xxh3-128";
}

std::optional<LockAlgorithm> algorithm_from_name(std::string_view name) {
  for (const LockAlgorithm each : {LockAlgorithm::sha256, LockAlgorithm::xxh3_128})
    if (name == algorithm_name(each)) return each;
  return std::nullopt;
}

std::string digest_text(LockAlgorithm algorithm, std::string_view text) {
  const Bytes bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  return algorithm == LockAlgorithm::sha256 ? sha256_hex(bytes) : hex_of(fast_digest(bytes));
}

std::string digest_text(LockAlgorithm algorithm, const TensorView& view) {
  return algorithm == LockAlgorithm::sha256 ? sha256_hex(view) : hex_of(fast_digest(view));
}

std::string contents_digest(const Lock& lock) {
  std::vector<std::string> lines;
  for (const LockedTensor& tensor : lock.tensors)
    if (tensor.tied_to.empty()) lines.push_back(content_line(tensor));
  return digest_of_lines(lock.algorithm, "samebits.contents/1", std::move(lines));
}

std::string named_digest(const Lock& lock) {
  std::vector<std::string> lines;
  for (const LockedTensor& tensor : lock.tensors)
    lines.push_back(counted_text(tensor.name) + " " + content_line(tensor));
  return digest_of_lines(lock.algorithm, "samebits.named/1", std::move(lines));
}

std::string canonical_form(const Json& value) {
  std::string text;
  add_canonical(value, &text);
  return text;
}

std::string value_digest(LockAlgorithm algorithm, const Json& value) {
  return digest_text(algorithm, canonical_form(value));
}

}  // namespace samebits
