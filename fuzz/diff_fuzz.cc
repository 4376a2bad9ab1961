// Any two files of weights compared, to the printed report: never the same where one byte of one
// weight differs, nor without a word where the same numbers have another type.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fuzz/two_files.h"
#include "samebits/checkpoint/open.h"
#include "samebits/explain/diff.h"

namespace {

using samebits::Bytes;
using samebits::StoredTensor;
using samebits::fuzz::require;

constexpr std::uint64_t kReadable = 1 << 16;  // bytes of a tensor that are read here

using Weights = std::map<std::string, const StoredTensor*>;

/// By name; of equal names the last.
Weights weights_of(const samebits::Checkpoint& checkpoint) {
  Weights weights;
  if (!checkpoint.has_weights()) return weights;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries.at(index);
    weights[tensor.name] = &tensor;
  }
  return weights;
}

/// The slow way: every element by its indexes.
std::vector<std::uint8_t> elements(const samebits::TensorView& view) {
  const std::size_t size = samebits::itemsize(view.dtype());
  std::vector<std::uint8_t> bytes;
  for (std::uint64_t number = 0; number < view.numel(); ++number) {
    std::uint64_t rest = number, place = 0;
    for (std::size_t d = view.shape().size(); d-- > 0;) {
      const auto length = static_cast<std::uint64_t>(view.shape()[d]);
      place += rest % length * static_cast<std::uint64_t>(view.strides()[d]);
      rest /= length;
    }
    const Bytes element = view.storage().subspan(view.byte_offset() + place * size, size);
    bytes.insert(bytes.end(), element.begin(), element.end());
  }
  return bytes;
}

bool differ(const StoredTensor& a, const StoredTensor& b) {
  if (!a.readable || !b.readable) return true;
  if (a.view.shape() != b.view.shape()) return true;
  if (a.view.dtype() != b.view.dtype()) return false;
  if (a.view.big_endian() != b.view.big_endian() || a.view.nbytes() > kReadable) return false;
  return elements(a.view) != elements(b.view);
}

bool have_other_types(const StoredTensor& a, const StoredTensor& b) {
  return a.view.dtype() != b.view.dtype();
}

/// Whether `differs` holds of two weights of one name, where both sides have the same names.
template <class Differs>
bool any_pair(const samebits::Checkpoint& a, const samebits::Checkpoint& b, Differs differs) {
  const Weights left = weights_of(a), right = weights_of(b);
  const bool same_names = std::ranges::equal(
      left, right, [](const auto& x, const auto& y) { return x.first == y.first; });
  if (!same_names) return false;
  return std::ranges::any_of(
      left, [&](const auto& each) { return differs(*each.second, *right.at(each.first)); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace samebits;
  const fuzz::TwoFiles cut = fuzz::cut({data, size});
  const fuzz::MemoryFile a(cut.a), b(cut.b);
  const Report report = diff({a.path(), ""}, {b.path(), ""}, 1);
  fuzz::check_report(report);
  if (report.verdict != Verdict::same) return 0;
  const Subject& left = subject_of(report, "A");
  const Subject& right = subject_of(report, "B");
  require(left.checkpoint.has_value() && right.checkpoint.has_value());
  require(left.checkpoint->unread.empty() && right.checkpoint->unread.empty());
  require(!any_pair(*left.checkpoint, *right.checkpoint, differ));
  require(!any_pair(*left.checkpoint, *right.checkpoint, have_other_types) ||
          exit_status(report) == 1);
  return 0;
}
