// States of random generators, found by what they look like: torch's, numpy's, Python's.
//
// Source: torch 2.13 aten/src/ATen/CPUGeneratorImpl.cpp (5056 bytes), cuda/CUDAGeneratorImpl.cpp
// (16 bytes: seed, offset); CPython Lib/random.py (getstate: (3, 625 numbers, kept normal));
// numpy/random/_mt19937.pyx ('MT19937', 624 words, position, ...).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "samebits/checkpoint/optimizer_state.h"

namespace samebits {

enum class GeneratorKind : std::uint8_t { python, numpy, torch, device };

struct GeneratorState {
  GeneratorKind kind = GeneratorKind::torch;
  std::string place;    // "rng.torch", "rng_state.pth:cpu", "rng.cuda.0"
  std::string device;   // of `device`: "cuda", "xpu", ... as its key says
  bool is_own = false;  // of a data loader or sampler, not the process's
  /// python and numpy: how many of its 624 words are used; a seed leaves 624.
  std::optional<std::int64_t> position;
  std::optional<std::uint32_t> entry;  // torch and device: the bytes, as an entry
};

/// True for the state of torch's CPU generator, whatever name it stands under: 5056 bytes that
/// agree with the layout.
bool holds_generator(const TensorView& view);

/// The state that `node` is, or nothing. `path` is that of its entry.
std::optional<GeneratorState> read_generator_state(const Checkpoint& checkpoint,
                                                   const EntryIndex& index,
                                                   const pickle::Tree& tree, NodeId node,
                                                   const std::string& path);

}  // namespace samebits
