#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "samebits/python/bindings.h"
#include "samebits/python/work.h"
#include "samebits/rng/distributions.h"

namespace samebits::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;

template <class T>
using Out = nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
std::span<T> span_of(const Out<T>& out) {
  return {out.data(), out.size()};
}

template <class T>
void fill_uniform(CpuGenerator& generator, const Out<T>& out) {
  uniform(generator, 0, 1, span_of(out));
}

template <class T>
void fill_normal(CpuGenerator& generator, const Out<T>& out) {
  normal(generator, 0, 1, span_of(out));
}

void fill_randperm(CpuGenerator& generator, const Out<std::int64_t>& out) {
  const std::vector<std::int64_t> order =
      randperm(generator, static_cast<std::int64_t>(out.size()));
  std::copy(order.begin(), order.end(), out.data());
}

void fill_randint(CpuGenerator& generator, std::int64_t low, std::int64_t high,
                  const Out<std::int64_t>& out) {
  randint(generator, low, high, span_of(out));
}

nb::bytes state_of(const CpuGenerator& generator) {
  const std::vector<std::uint8_t> state = generator.state();
  return nb::bytes(state.data(), state.size());
}

void set_state(CpuGenerator& generator, const nb::bytes& state) {
  const Bytes bytes(static_cast<const std::uint8_t*>(state.data()), state.size());
  if (const Result<void> set = generator.set_state(bytes); !set) raise(set.error());
}

}  // namespace

void bind_generator(nb::module_& module) {
  nb::class_<CpuGenerator>(module, "CpuGenerator")
      .def(nb::init<std::uint64_t>(), "seed"_a)
      .def("manual_seed", &CpuGenerator::manual_seed, "seed"_a)
      .def("initial_seed", &CpuGenerator::initial_seed)
      .def("state", state_of)
      .def("set_state", set_state, "state"_a)
      .def("uniform", fill_uniform<float>, "out"_a.noconvert())
      .def("uniform", fill_uniform<double>, "out"_a.noconvert())
      .def("normal", fill_normal<float>, "out"_a.noconvert())
      .def("normal", fill_normal<double>, "out"_a.noconvert())
      .def("randperm", fill_randperm, "out"_a.noconvert())
      .def("randint", fill_randint, "low"_a, "high"_a, "out"_a.noconvert());
}

}  // namespace samebits::python
