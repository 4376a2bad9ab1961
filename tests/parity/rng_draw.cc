// Draws what standard input asks for, one call a line ("randn 37"), and writes the raw bytes to
// standard output; rng_test.py holds them against torch.
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "samebits/rng/distributions.h"

namespace {

using samebits::CpuGenerator;

template <class T>
void write(const std::vector<T>& values) {
  std::fwrite(values.data(), sizeof(T), values.size(), stdout);
}

template <class T, class Draw>
void fill(std::size_t count, Draw draw) {
  std::vector<T> values(count);
  draw(std::span<T>(values));
  write(values);
}

void fill_linear(CpuGenerator& generator, std::istringstream& words) {
  std::int64_t fan_in = 0;
  std::int64_t fan_out = 0;
  words >> fan_in >> fan_out;
  std::vector<float> weight(static_cast<std::size_t>(fan_in * fan_out));
  std::vector<float> bias(static_cast<std::size_t>(fan_out));
  samebits::init_linear(generator, fan_in, weight, bias);
  write(weight);
  write(bias);
}

bool run(CpuGenerator& g, const std::string& call, std::istringstream& words) {
  std::size_t n = 0;
  double a = 0;
  double b = 0;
  std::int64_t low = 0;
  std::int64_t high = 0;
  using namespace samebits;  // NOLINT: one call for each word
  if (call == "seed") {
    std::uint64_t seed = 0;
    words >> seed;
    g.manual_seed(seed);
  } else if (call == "state") {
    const std::vector<std::uint8_t> state = g.state();
    CpuGenerator again;
    if (!again.set_state(state)) return false;
    g = again;
    write(state);
  } else if (call == "rand" && words >> n) {
    fill<float>(n, [&](auto out) { uniform(g, 0, 1, out); });
  } else if (call == "rand64" && words >> n) {
    fill<double>(n, [&](auto out) { uniform(g, 0, 1, out); });
  } else if (call == "rand16" && words >> n) {
    fill<std::uint16_t>(n, [&](auto out) { uniform_float16(g, 0, 1, out); });
  } else if (call == "randbf16" && words >> n) {
    fill<std::uint16_t>(n, [&](auto out) { uniform_bfloat16(g, 0, 1, out); });
  } else if (call == "uniform" && words >> a >> b >> n) {
    fill<float>(n, [&](auto out) { uniform(g, a, b, out); });
  } else if (call == "uniform64" && words >> a >> b >> n) {
    fill<double>(n, [&](auto out) { uniform(g, a, b, out); });
  } else if (call == "uniform16" && words >> a >> b >> n) {
    fill<std::uint16_t>(n, [&](auto out) { uniform_float16(g, a, b, out); });
  } else if (call == "randn" && words >> n) {
    fill<float>(n, [&](auto out) { normal(g, 0, 1, out); });
  } else if (call == "randn64" && words >> n) {
    fill<double>(n, [&](auto out) { normal(g, 0, 1, out); });
  } else if (call == "normal" && words >> a >> b >> n) {
    fill<float>(n, [&](auto out) { normal(g, a, b, out); });
  } else if (call == "randperm" && words >> low) {
    write(randperm(g, low));
  } else if (call == "randint" && words >> low >> high >> n) {
    fill<std::int64_t>(n, [&](auto out) { randint(g, low, high, out); });
  } else if (call == "bernoulli" && words >> a >> n) {
    fill<float>(n, [&](auto out) { bernoulli(g, a, out); });
  } else if (call == "bernoulli_tensor" && words >> a >> n) {
    const std::vector<float> probabilities(n, static_cast<float>(a));
    fill<float>(n, [&](auto out) { bernoulli(g, probabilities, out); });
  } else if (call == "dropout" && words >> a >> n) {
    fill<float>(n, [&](auto out) { dropout_mask(g, a, out); });
  } else if (call == "xavier" && words >> low >> high) {
    fill<float>(static_cast<std::size_t>(low * high),
                [&](auto out) { xavier_uniform(g, low, high, out); });
  } else if (call == "linear") {
    fill_linear(g, words);
  } else {
    return false;
  }
  return true;
}

}  // namespace

int main() {
  CpuGenerator generator;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string call;
    words >> call;
    if (!run(generator, call, words)) {
      std::fprintf(stderr, "rng_draw: %s\n", line.c_str());
      return 2;
    }
  }
  return 0;
}
