// What can be exchanged between two subjects of explain.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace samebits {

/// Something in which two subjects differ and that can be exchanged between them.
struct Factor {
  enum class Kind : std::uint8_t { config, mode, weights };
  Kind kind = Kind::config;
  std::string name;  // a config field, "training", a part of the weights

  auto operator<=>(const Factor&) const = default;
};

}  // namespace samebits
