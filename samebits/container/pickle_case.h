// For tests only: a pickle together with the bytes that it borrows.
#pragma once

#include <cstdint>
#include <string>

#include "samebits/container/pickle.h"

namespace samebits::pickle::test_case {

struct Case {
  explicit Case(std::string text, std::uint64_t base = 0) : bytes(std::move(text)) {
    pickle = read({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, "p", base);
  }
  const Tree& tree() const { return pickle.tree; }
  NodeId root() const { return pickle.root; }
  Kind root_kind() const { return tree().kind(root()); }

  std::string bytes;
  Pickle pickle;
};

inline std::string le(std::uint64_t value, int width) {
  std::string out;
  for (int i = 0; i < width; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

inline std::string frame(std::uint64_t size) { return "\x95" + le(size, 8); }

}  // namespace samebits::pickle::test_case
