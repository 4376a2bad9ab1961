// The processes of one training: who is there, and how they exchange bytes.
//
// Nothing here adds numbers: which sums are made, and in which order, is decided by who calls. All
// ranks must make the same calls in the same order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "samebits/base/bytes.h"
#include "samebits/base/error.h"

namespace samebits {

class ProcessGroup {
 public:
  ProcessGroup() = default;
  ProcessGroup(const ProcessGroup&) = delete;
  ProcessGroup& operator=(const ProcessGroup&) = delete;
  virtual ~ProcessGroup() = default;

  virtual std::size_t rank() const = 0;
  virtual std::size_t size() const = 0;
  bool first() const { return rank() == 0; }
  /// Sends `out` to one rank while it fills `in` from another; both know the sizes. Errors: io
  /// where a rank is gone, after which no other call may be made.
  virtual Result<void> exchange(std::size_t to, Bytes out, std::size_t from,
                                std::span<std::uint8_t> in) = 0;
  /// Returns when all ranks have called it. Errors: those of exchange().
  virtual Result<void> meet();
};

/// A training of one process.
class OneProcess : public ProcessGroup {
 public:
  std::size_t rank() const override { return 0; }
  std::size_t size() const override { return 1; }
  Result<void> exchange(std::size_t to, Bytes out, std::size_t from,
                        std::span<std::uint8_t> in) override;
};

/// What every rank gives, to all, by rank. Where some give an error, all get that of the lowest of
/// these, with its rank where others have another word. Errors: also those of exchange().
Result<std::vector<std::vector<std::uint8_t>>> share(ProcessGroup& group,
                                                     const Result<std::vector<std::uint8_t>>& mine);
/// The same without bytes: an error of one is an error of all.
Result<void> agree(ProcessGroup& group, const Result<void>& mine);

/// share() of numbers.
template <class Number>
Result<std::vector<std::vector<Number>>> share_numbers(ProcessGroup& group,
                                                       const Result<std::vector<Number>>& mine) {
  const auto bytes = mine.map([](const std::vector<Number>& numbers) {
    const auto* begin = reinterpret_cast<const std::uint8_t*>(numbers.data());
    return std::vector<std::uint8_t>(begin, begin + numbers.size() * sizeof(Number));
  });
  SAMEBITS_TRY(const auto shared, share(group, bytes));
  std::vector<std::vector<Number>> all;
  for (const std::vector<std::uint8_t>& each : shared) {
    const auto* begin = reinterpret_cast<const Number*>(each.data());
    all.emplace_back(begin, begin + each.size() / sizeof(Number));
  }
  return all;
}

}  // namespace samebits
