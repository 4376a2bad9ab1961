// Steps of AdamW for train_test.py, which holds them against torch: parameters and one gradient for
// each step from standard input, parameters and moments to standard output, all raw float32.
//
//     adamw_steps COUNT STEPS LR WEIGHT_DECAY BETA1 BETA2 EPS ISA
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "samebits/train/optimizer.h"

namespace {

bool read(std::vector<float>& values) {
  return std::fread(values.data(), sizeof(float), values.size(), stdin) == values.size();
}

void write(const std::vector<float>& values) {
  std::fwrite(values.data(), sizeof(float), values.size(), stdout);
}

const samebits::KernelTable* table_of(const std::string& name) {
  for (const samebits::Isa isa : samebits::built_isas()) {
    if (name == samebits::isa_name(isa)) return samebits::kernel_table(isa);
  }
  return nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 9) return 2;
  const std::size_t count = std::strtoull(argv[1], nullptr, 10);
  const std::size_t steps = std::strtoull(argv[2], nullptr, 10);
  const double lr = std::strtod(argv[3], nullptr);
  const samebits::AdamwSettings settings{.beta1 = std::strtod(argv[5], nullptr),
                                         .beta2 = std::strtod(argv[6], nullptr),
                                         .eps = std::strtod(argv[7], nullptr),
                                         .weight_decay = std::strtod(argv[4], nullptr)};
  const samebits::KernelTable* table = table_of(argv[8]);
  if (table == nullptr) return 2;
  std::vector<float> p(count);
  std::vector<float> m(count);
  std::vector<float> v(count);
  std::vector<float> g(count);
  if (!read(p)) return 2;
  for (std::size_t step = 1; step <= steps; ++step) {
    if (!read(g)) return 2;
    const samebits::AdamwScalars scalars = samebits::adamw_scalars(settings, lr, step);
    table->adamw(scalars, g.data(), count, p.data(), m.data(), v.data());
  }
  write(p);
  write(m);
  write(v);
  return 0;
}
