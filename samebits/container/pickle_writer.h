// Python values on their way into a pickle of protocol 2, as torch.save() writes it: what a
// training keeps beside its weights.
//
// torch.load() reads what is made here with weights_only=True: nothing is called but what rebuilds
// tensors and ordered dicts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "samebits/container/tensor_blob.h"

namespace samebits {

/// A value as its opcodes.
class PickleValue {
 public:
  static PickleValue none() { return PickleValue("N"); }
  static PickleValue boolean(bool value) { return PickleValue(value ? "\x88" : "\x89"); }
  static PickleValue integer(std::int64_t value);
  static PickleValue real(double value);
  static PickleValue text(std::string_view value);
  static PickleValue list(const std::vector<PickleValue>& elements);
  static PickleValue tuple(const std::vector<PickleValue>& elements);
  using Items = std::vector<std::pair<PickleValue, PickleValue>>;
  static PickleValue dict(const Items& items);
  /// collections.OrderedDict.
  static PickleValue ordered_dict(const Items& items);
  /// torch's tensor over the whole blob, which has `bytes` bytes. Types without a storage class of
  /// their own have an untyped one.
  static PickleValue tensor(const BlobTensor& tensor, std::uint64_t bytes);

  const std::string& opcodes() const { return opcodes_; }

 private:
  explicit PickleValue(std::string opcodes) : opcodes_(std::move(opcodes)) {}
  static std::string all_of(const std::vector<PickleValue>& elements);
  static std::string items_of(const Items& items);

  std::string opcodes_;
};

/// A torch.save archive of a value whose tensors are those of `tensors`, by their names there.
/// Errors: io.
Result<void> stream_torch_object(const PickleValue& value, const TensorsToWrite& tensors,
                                 const ByteSink& sink);

}  // namespace samebits
