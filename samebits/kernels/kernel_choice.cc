#include "samebits/kernels/kernel_choice.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

#include <fmt/format.h>

#include "samebits/base/error.h"
#include "samebits/kernels/linear.h"

namespace samebits {
namespace {

/// A product as a pass has thousands of: some blocks of rows, two tiles, two panels.
class Sample {
 public:
  Sample() : x_(kRows * kDepth), out_(kRows * kColumns), bias_(kColumns) {
    const std::vector<float> w(kColumns * kDepth, 0.5F);
    w_ = PackedMatrix(w.data(), kColumns, kDepth, kDepth);
    std::fill_n(x_.data(), kRows * kDepth, 0.25F);
  }

  double seconds(const KernelTable& kernels, SecondsNow now) {
    const double before = now();
    linear({kernels, pool_}, x_.data(), kDepth, kRows, w_, bias_.data(), Epilogue::bias,
           out_.data(), kColumns);
    return now() - before;
  }

 private:
  static constexpr std::size_t kRows = 42;  // blocks of 14 and of 3
  static constexpr std::size_t kDepth = 512;
  static constexpr std::size_t kColumns = 2 * kTileColumns;
  ThreadPool pool_{1};
  AlignedFloats x_, out_;
  std::vector<float> bias_;
  PackedMatrix w_;
};

/// The shortest time of each.
std::vector<double> shortest_times(std::span<const KernelTable* const> tables, SecondsNow now) {
  constexpr double kEnough = 0.5e-3;
  constexpr int kLeast = 2;  // the first round finds caches and clocks cold
  constexpr int kMost = 100;
  Sample sample;
  std::vector<double> shortest(tables.size(), std::numeric_limits<double>::infinity());
  const double start = now();
  for (int round = 0; round < kMost; ++round) {
    if (round >= kLeast && now() - start >= kEnough) break;
    for (std::size_t i = 0; i < tables.size(); ++i)
      shortest[i] = std::min(shortest[i], sample.seconds(*tables[i], now));
  }
  return shortest;
}

std::atomic<SecondsNow> kernel_clock = nullptr;

KernelChoice choose_of_machine() {
  std::vector<const KernelTable*> tables;
  for (const Isa isa : built_isas()) {
    // Scalars are never the fastest, and would take all the time of the measurement.
    if (const KernelTable* table = kernel_table(isa); table != nullptr && isa != Isa::scalar)
      tables.push_back(table);
  }
  if (tables.empty()) tables.push_back(kernel_table(Isa::scalar));
  return choose_kernels(tables, kernel_clock);
}

}  // namespace

KernelChoice choose_kernels(std::span<const KernelTable* const> tables, SecondsNow now) {
  SAMEBITS_CHECK(!tables.empty());
  const KernelTable* widest = tables.back();
  if (tables.size() == 1) return {widest, "the only ones of this machine"};
  if (now == nullptr) return {widest, "the widest of this machine, not measured"};
  constexpr double kWorth = 0.97;
  const std::vector<double> times = shortest_times(tables, now);
  const auto fastest = std::min_element(times.begin(), times.end());
  const bool leaves = *fastest < kWorth * times.back();
  const std::size_t chosen =
      leaves ? static_cast<std::size_t>(fastest - times.begin()) : tables.size() - 1;
  const std::size_t other = chosen + 1 == tables.size() ? chosen - 1 : tables.size() - 1;
  return {tables[chosen], fmt::format("measured: a product takes {:.2f} of its time with {}",
                                      times[chosen] / times[other], isa_name(tables[other]->isa))};
}

void measure_kernels_with(SecondsNow now) { kernel_clock = now; }

const KernelChoice& default_kernels() {
  static const KernelChoice choice = choose_of_machine();
  return choice;
}

const KernelTable& best_kernels() { return *default_kernels().kernels; }

}  // namespace samebits
