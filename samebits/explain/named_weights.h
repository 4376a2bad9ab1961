// The weights of one subject by their names.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "samebits/explain/subjects.h"

namespace samebits {

/// The weights of one subject by their names.
class NamedWeights {
 public:
  explicit NamedWeights(const Subject& subject) : subject_(subject) {
    for (std::uint32_t i = 0; i < subject.checkpoint->weights().weights.size(); ++i)
      places_.emplace(weight_name(subject, i), i);
  }
  std::optional<std::uint32_t> find(const std::string& name) const {
    const auto at = places_.find(name);
    return at == places_.end() ? std::nullopt : std::optional(at->second);
  }
  /// The view of a weight that can be read; null otherwise.
  const TensorView* view(const std::string& name) const {
    const auto at = find(name);
    if (!at || !weight_entry(subject_, *at).readable) return nullptr;
    return &weight_entry(subject_, *at).view;
  }
  const Subject& subject() const { return subject_; }

 private:
  const Subject& subject_;
  std::map<std::string, std::uint32_t> places_;
};

}  // namespace samebits
