#include "samebits/checkpoint/byte_account.h"

#include <algorithm>
#include <array>

namespace samebits {
namespace {

ByteUse use_of(const StoredTensor& tensor) {
  switch (tensor.role) {
    case TensorRole::weight:
    case TensorRole::parameter:
    case TensorRole::buffer: return ByteUse::weights;
    case TensorRole::transient: return ByteUse::buffers;
    case TensorRole::optimizer: return ByteUse::optimizer;
    case TensorRole::rng:
    case TensorRole::other: return ByteUse::other_tensors;
  }
  return ByteUse::other_tensors;
}

/// The bytes from a view's first element to its last.
std::uint64_t extent(const TensorView& view) {
  if (view.numel() == 0) return 0;
  std::uint64_t last = 0;
  for (std::size_t d = 0; d < view.shape().size(); ++d) {
    last += static_cast<std::uint64_t>(view.shape()[d] - 1) *
            static_cast<std::uint64_t>(view.strides()[d]);
  }
  return (last + 1) * itemsize(view.dtype());
}

void add_tensors(Checkpoint& checkpoint) {
  for (const StoredTensor& tensor : checkpoint.entries) {
    const SourceFile& file = checkpoint.files[tensor.file];
    const std::uint8_t* base = file.map->bytes().data();
    const std::uint8_t* data = tensor.view.storage().data();
    // An inflated storage has no place of its own in the file; its record's range was noted by the
    // reader.
    const bool in_file = tensor.readable && data >= base && data < base + file.map->size();
    if (in_file)
      use_bytes(checkpoint, tensor.file, tensor.offset, tensor.offset + extent(tensor.view),
                use_of(tensor));
  }
}

int priority(ByteUse use) {
  switch (use) {
    case ByteUse::weights: return 0;
    case ByteUse::buffers: return 1;
    case ByteUse::optimizer: return 2;
    case ByteUse::other_tensors: return 3;
    case ByteUse::structure: return 4;
    default: return 5;
  }
}

bool all_zero(Bytes bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

constexpr std::size_t kUses = 5;  // those that ranges have; the rest is found between them

ByteUse use_at(std::size_t priority_index) {
  constexpr std::array kOrder = {ByteUse::weights, ByteUse::buffers, ByteUse::optimizer,
                                 ByteUse::other_tensors, ByteUse::structure};
  return kOrder[priority_index];
}

/// Walks the ends of the ranges of one file, and emits what they cover without overlap, with the
/// gaps between them. Of ranges that lie over each other the first use in order of priority counts.
class Settler {
 public:
  Settler(std::uint32_t file, Bytes bytes, std::vector<ByteRange>& out)
      : file_(file), bytes_(bytes), out_(out) {}

  void add(const ByteRange& range) {
    const std::uint64_t end = std::min<std::uint64_t>(range.end, bytes_.size());
    const auto use = static_cast<std::uint8_t>(priority(range.use));
    if (range.begin >= end || use >= kUses) return;
    ends_.push_back({range.begin, use, true});
    ends_.push_back({end, use, false});
  }

  void finish() {
    std::ranges::sort(ends_, {}, &End::at);
    std::array<std::int64_t, kUses> open{};
    for (const End& each : ends_) {
      if (each.at > position_) cover(each.at, open);
      open[each.use] += each.opens ? 1 : -1;
    }
    gap(bytes_.size());
  }

 private:
  struct End {
    std::uint64_t at;
    std::uint8_t use;
    bool opens;
  };

  void cover(std::uint64_t until, const std::array<std::int64_t, kUses>& open) {
    for (std::size_t i = 0; i < kUses; ++i) {
      if (open[i] > 0) return emit(position_, until, use_at(i));
    }
    gap(until);
  }
  void gap(std::uint64_t until) {
    if (until <= position_) return;
    const std::uint64_t length = until - position_;
    const bool padding =
        length < 64 && until < bytes_.size() && all_zero(bytes_.subspan(position_, length));
    emit(position_, until, padding ? ByteUse::padding : ByteUse::unreferenced);
  }
  void emit(std::uint64_t begin, std::uint64_t end, ByteUse use) {
    position_ = end;
    const bool joins = !out_.empty() && out_.back().file == file_ && out_.back().end == begin &&
                       out_.back().use == use;
    if (joins) {
      out_.back().end = end;
    } else {
      out_.push_back({file_, begin, end, use});
    }
  }

  std::uint32_t file_;
  Bytes bytes_;
  std::vector<ByteRange>& out_;
  std::vector<End> ends_;
  std::uint64_t position_ = 0;
};

}  // namespace

void use_bytes(Checkpoint& checkpoint, std::uint32_t file, std::uint64_t begin, std::uint64_t end,
               ByteUse use) {
  if (begin < end) checkpoint.bytes.push_back({file, begin, end, use});
}

void account_bytes(Checkpoint& checkpoint) {
  add_tensors(checkpoint);
  std::vector<ByteRange> used = std::move(checkpoint.bytes);
  std::ranges::stable_sort(used, {}, &ByteRange::file);
  checkpoint.bytes.clear();
  auto range = used.begin();
  for (std::uint32_t file = 0; file < checkpoint.files.size(); ++file) {
    Settler settler(file, checkpoint.files[file].map->bytes(), checkpoint.bytes);
    for (; range != used.end() && range->file == file; ++range) settler.add(*range);
    settler.finish();
  }
}

}  // namespace samebits
