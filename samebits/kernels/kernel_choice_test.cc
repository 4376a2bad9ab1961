#include "samebits/kernels/kernel_choice.h"

#include <array>
#include <chrono>

#include <gmock/gmock.h>

namespace samebits {
namespace {

using testing::HasSubstr;

double passed = 0;       // on a clock that moves where a product is computed
double first_round = 0;  // what the first products take more
std::size_t panels = 0;

template <int kMicroseconds>
void take_time(const float*, std::size_t, const float*, std::size_t, std::size_t, bool, float*,
               std::size_t, const float*) {
  passed += kMicroseconds * 1e-6 + (++panels < 10 ? first_round : 0);
}

double passed_now() { return passed; }
double stopped() { return 0; }

/// The scalar kernels under another name, with a product that takes so long.
template <int kMicroseconds>
KernelTable lasting(Isa isa) {
  KernelTable table = *kernel_table(Isa::scalar);
  table.isa = isa;
  table.multiply_panel = take_time<kMicroseconds>;
  return table;
}

Isa chosen(const KernelTable& narrow, const KernelTable& wide, double first = 0) {
  const std::array<const KernelTable*, 2> tables = {&narrow, &wide};
  passed = 0;
  panels = 0;
  first_round = first;
  return choose_kernels(tables, passed_now).kernels->isa;
}

TEST(KernelChoice, TakesTheFastest) {
  EXPECT_EQ(chosen(lasting<20>(Isa::avx2), lasting<10>(Isa::avx512)), Isa::avx512);
  EXPECT_EQ(chosen(lasting<10>(Isa::avx2), lasting<20>(Isa::avx512)), Isa::avx2);
}

TEST(KernelChoice, TakesTheWidestOfThoseThatAreAsFast) {
  EXPECT_EQ(chosen(lasting<100>(Isa::avx2), lasting<100>(Isa::avx512)), Isa::avx512);
  EXPECT_EQ(chosen(lasting<98>(Isa::avx2), lasting<100>(Isa::avx512)), Isa::avx512);
  EXPECT_EQ(chosen(lasting<96>(Isa::avx2), lasting<100>(Isa::avx512)), Isa::avx2);
}

TEST(KernelChoice, WhatIsSlowOnceIsNotSlow) {
  EXPECT_EQ(chosen(lasting<20>(Isa::avx2), lasting<10>(Isa::avx512), 1), Isa::avx512);
  EXPECT_EQ(chosen(lasting<10>(Isa::avx2), lasting<20>(Isa::avx512), 1), Isa::avx2);
}

TEST(KernelChoice, SaysWhatWasMeasured) {
  const KernelTable narrow = lasting<10>(Isa::avx2), wide = lasting<20>(Isa::avx512);
  const std::array<const KernelTable*, 2> tables = {&narrow, &wide};
  EXPECT_EQ(choose_kernels(tables, passed_now).reason,
            "measured: a product takes 0.50 of its time with avx512");
  const std::array<const KernelTable*, 2> other = {&wide, &narrow};
  EXPECT_EQ(choose_kernels(other, passed_now).reason,
            "measured: a product takes 0.50 of its time with avx512");
}

TEST(KernelChoice, WithoutAClockIsTheWidest) {
  const KernelTable narrow = lasting<10>(Isa::avx2), wide = lasting<20>(Isa::avx512);
  const std::array<const KernelTable*, 2> tables = {&narrow, &wide};
  const KernelChoice choice = choose_kernels(tables, nullptr);
  EXPECT_EQ(choice.kernels, &wide);
  EXPECT_THAT(choice.reason, HasSubstr("not measured"));
}

TEST(KernelChoice, OfOneIsThatOne) {
  const KernelTable* scalar = kernel_table(Isa::scalar);
  const std::array<const KernelTable*, 1> tables = {scalar};
  const KernelChoice choice = choose_kernels(tables, passed_now);
  EXPECT_EQ(choice.kernels, scalar);
  EXPECT_THAT(choice.reason, HasSubstr("only"));
}

TEST(KernelChoice, EndsWhereTheClockStands) {
  const KernelTable narrow = lasting<10>(Isa::avx2), wide = lasting<20>(Isa::avx512);
  const std::array<const KernelTable*, 2> tables = {&narrow, &wide};
  EXPECT_EQ(choose_kernels(tables, stopped).kernels, &wide);
}

double steady() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

TEST(KernelChoice, OfThisMachineIsMadeOnce) {
  measure_kernels_with(steady);
  const KernelChoice& choice = default_kernels();
  EXPECT_EQ(choice.kernels, kernel_table(choice.kernels->isa));
  EXPECT_EQ(&best_kernels(), choice.kernels);
  EXPECT_EQ(&default_kernels(), &choice);
}

}  // namespace
}  // namespace samebits
