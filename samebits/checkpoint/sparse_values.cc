#include "samebits/checkpoint/sparse_values.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include <fmt/format.h>

#include "samebits/base/bytes.h"
#include "samebits/checkpoint/torch_files.h"

namespace samebits {
namespace {

/// Whole numbers of one dimension or more, in row-major order.
std::optional<std::vector<std::uint64_t>> index_values(const TensorView& view) {
  if (view.dtype() != DType::int64 && view.dtype() != DType::int32) return std::nullopt;
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = view.row_major_bytes(buffer);
  std::vector<std::uint64_t> values(view.numel());
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::int64_t value = 0;
    if (view.dtype() == DType::int64) {
      std::memcpy(&value, bytes.data() + 8 * i, 8);
    } else {
      std::int32_t narrow = 0;
      std::memcpy(&narrow, bytes.data() + 4 * i, 4);
      value = narrow;
    }
    if (value < 0) return std::nullopt;
    values[i] = static_cast<std::uint64_t>(value);
  }
  return values;
}

/// Puts blocks of values into a dense tensor, each place once.
class DenseTensor {
 public:
  DenseTensor(const Shape& size, std::uint64_t element, std::uint64_t bytes)
      : size_(size), element_(element), values_(bytes), filled_(bytes / element) {}

  /// `count` elements in a row; false where one lies outside, or has a value already.
  bool put(std::uint64_t first, const std::uint8_t* values, std::uint64_t count) {
    if (first > filled_.size() || count > filled_.size() - first) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (filled_[first + i]) return false;
      filled_[first + i] = true;
    }
    std::memcpy(values_.data() + first * element_, values, count * element_);
    return true;
  }

  std::uint64_t size(std::size_t dimension) const {
    return static_cast<std::uint64_t>(size_[dimension]);
  }
  std::uint64_t element() const { return element_; }
  std::vector<std::uint8_t> take() { return std::move(values_); }

 private:
  const Shape& size_;
  std::uint64_t element_;
  std::vector<std::uint8_t> values_;
  std::vector<bool> filled_;
};

/// indices [dimensions, nnz], values [nnz, ...].
bool fill_coordinates(const TensorView& index_view, const TensorView& value_view, const Shape& size,
                      DenseTensor* dense) {
  const auto indexes = index_values(index_view);
  const Shape& shape = index_view.shape();
  if (!indexes || shape.size() != 2 || value_view.shape().empty()) return false;
  const auto dimensions = static_cast<std::size_t>(shape[0]);
  const auto count = static_cast<std::uint64_t>(shape[1]);
  if (dimensions > size.size() || static_cast<std::uint64_t>(value_view.shape()[0]) != count)
    return false;
  std::uint64_t block = 1;
  for (std::size_t d = dimensions; d < size.size(); ++d) block *= dense->size(d);
  if (value_view.numel() != count * block) return false;
  std::vector<std::uint8_t> buffer;
  const Bytes values = value_view.row_major_bytes(buffer);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t place = 0;
    for (std::size_t d = 0; d < dimensions; ++d) {
      const std::uint64_t index = (*indexes)[d * count + i];
      if (index >= dense->size(d)) return false;
      place = place * dense->size(d) + index;
    }
    if (!dense->put(place * block, values.data() + i * block * dense->element(), block))
      return false;
  }
  return true;
}

/// Rows (or columns) as ranges of the other index; values are elements or blocks of them.
struct Compressed {
  std::vector<std::uint64_t> ends, others;
  std::uint64_t height = 1, width = 1;  // of a block
  bool by_columns = false;
};

bool fill_compressed(const Compressed& form, Bytes values, DenseTensor* dense) {
  const std::uint64_t rows = dense->size(0);
  const std::uint64_t columns = dense->size(1);
  const std::uint64_t block = form.height * form.width;
  for (std::uint64_t line = 0; line + 1 < form.ends.size(); ++line) {
    if (form.ends[line] > form.ends[line + 1] || form.ends[line + 1] > form.others.size())
      return false;
    for (std::uint64_t i = form.ends[line]; i < form.ends[line + 1]; ++i) {
      if (form.others[i] >= (form.by_columns ? rows : columns)) return false;
      const std::uint64_t row = (form.by_columns ? form.others[i] : line) * form.height;
      const std::uint64_t column = (form.by_columns ? line : form.others[i]) * form.width;
      if (row + form.height > rows || column + form.width > columns) return false;
      for (std::uint64_t r = 0; r < form.height; ++r) {
        const std::uint8_t* from = values.data() + (i * block + r * form.width) * dense->element();
        if (!dense->put((row + r) * columns + column, from, form.width)) return false;
      }
    }
  }
  return true;
}

bool fill_lines(const Checkpoint& checkpoint, const SparseWeight& weight, DenseTensor* dense) {
  const TensorView& value_view = checkpoint.entries[weight.parts[2]].view;
  const auto ends = index_values(checkpoint.entries[weight.parts[0]].view);
  const auto others = index_values(checkpoint.entries[weight.parts[1]].view);
  const bool blocks = weight.layout == "sparse_bsr" || weight.layout == "sparse_bsc";
  if (!ends || !others || weight.size.size() != 2 || value_view.shape().size() != (blocks ? 3 : 1))
    return false;
  Compressed form{*ends, *others};
  form.by_columns = weight.layout == "sparse_csc" || weight.layout == "sparse_bsc";
  if (blocks) {
    form.height = static_cast<std::uint64_t>(value_view.shape()[1]);
    form.width = static_cast<std::uint64_t>(value_view.shape()[2]);
  }
  const std::uint64_t lines = form.by_columns
                                  ? dense->size(1) / std::max<std::uint64_t>(form.width, 1)
                                  : dense->size(0) / std::max<std::uint64_t>(form.height, 1);
  if (form.ends.size() != lines + 1 || form.ends[0] != 0 ||
      form.others.size() != static_cast<std::uint64_t>(value_view.shape()[0]))
    return false;
  std::vector<std::uint8_t> buffer;
  return fill_compressed(form, value_view.row_major_bytes(buffer), dense);
}

/// Coordinates go over some of the dimensions, or all; blocks have a shape.
std::string form_of(const Checkpoint& checkpoint, const SparseWeight& weight) {
  const Shape& first = checkpoint.entries[weight.parts.front()].view.shape();
  const Shape& values = checkpoint.entries[weight.parts.back()].view.shape();
  if (weight.layout == "sparse_coo" && first.size() == 2 &&
      first[0] != static_cast<std::int64_t>(weight.size.size()))
    return fmt::format("sparse_coo over {} of {} dimensions", first[0], weight.size.size());
  const bool blocks = weight.layout == "sparse_bsr" || weight.layout == "sparse_bsc";
  if (!blocks || values.size() != 3) return weight.layout;
  return fmt::format("{} in blocks of {} x {}", weight.layout, values[1], values[2]);
}

}  // namespace

std::map<std::string, SparseWeight> sparse_weights(const Checkpoint& checkpoint) {
  std::map<std::string, SparseWeight> found;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    if (!tensor.sparse || !tensor.name.ends_with("." + tensor.sparse->part)) continue;
    const std::size_t key = tensor.name.size() - tensor.sparse->part.size() - 1;
    SparseWeight& weight = found[tensor.name.substr(0, key)];
    weight.layout = tensor.sparse->layout;
    weight.size = tensor.sparse->size;
    weight.parts.push_back(index);
  }
  for (auto& [key, weight] : found) weight.form = form_of(checkpoint, weight);
  return found;
}

std::optional<std::vector<std::uint8_t>> dense_values(const Checkpoint& checkpoint,
                                                      const SparseWeight& weight,
                                                      std::uint64_t most_bytes) {
  const bool coordinates = weight.layout == "sparse_coo";
  if (weight.parts.size() != (coordinates ? 2 : 3) || weight.size.empty()) return std::nullopt;
  for (const std::uint32_t part : weight.parts)
    if (!checkpoint.entries[part].readable) return std::nullopt;
  const TensorView& value_view = checkpoint.entries[weight.parts.back()].view;
  std::uint64_t bytes = itemsize(value_view.dtype());
  for (const std::int64_t size : weight.size) {
    if (size < 0 || !checked_mul(bytes, static_cast<std::uint64_t>(size), &bytes) ||
        bytes > most_bytes)
      return std::nullopt;
  }
  DenseTensor dense(weight.size, itemsize(value_view.dtype()), bytes);
  const bool filled = coordinates ? fill_coordinates(checkpoint.entries[weight.parts[0]].view,
                                                     value_view, weight.size, &dense)
                                  : fill_lines(checkpoint, weight, &dense);
  if (!filled) return std::nullopt;
  return dense.take();
}

void replace_by_dense(Checkpoint& checkpoint, const std::string& key, const SparseWeight& weight,
                      std::vector<std::uint8_t> values) {
  StoredTensor dense = checkpoint.entries[weight.parts[0]];
  const std::string part = dense.name.substr(key.size());
  const auto owned = std::make_shared<std::vector<std::uint8_t>>(std::move(values));
  const DType dtype = checkpoint.entries[weight.parts.back()].view.dtype();
  Result<TensorView> view =
      TensorView::make(dtype, weight.size, contiguous_strides(weight.size), 0, *owned);
  if (!view) return;
  checkpoint.owned.push_back(owned);
  dense.name = key;
  dense.path = dense.path.substr(0, dense.path.size() - part.size());
  dense.view = std::move(*view);
  dense.storage = next_storage_id(checkpoint);
  dense.storage_bytes = owned->size();
  dense.identity.clear();
  dense.sparse.reset();
  dense.sparse_form = weight.form;
  dense.note = "read from " + weight.form;
  const auto index = static_cast<std::uint32_t>(checkpoint.entries.size());
  checkpoint.entries.push_back(std::move(dense));
  // The parts are no tensors of their own any more.
  for (const std::uint32_t each : weight.parts) {
    checkpoint.entries[each].role = TensorRole::transient;
    checkpoint.entries[each].name.clear();
  }
  auto& weights = checkpoint.candidates[checkpoint.chosen].weights;
  *std::ranges::find(weights, weight.parts[0]) = index;
  std::erase_if(weights, [&](std::uint32_t each) {
    return std::ranges::find(weight.parts, each) != weight.parts.end();
  });
}

std::string layout_before(const StoredTensor& tensor) {
  return tensor.sparse_form.empty() ? "dense" : tensor.sparse_form;
}

}  // namespace samebits
