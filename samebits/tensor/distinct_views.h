// Which of many views show the same elements: tied weights are read once, however many names they
// have.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "samebits/tensor/tensor.h"

namespace samebits {

/// True where both see the same elements of the same bytes in the same way.
bool same_elements(const TensorView& a, const TensorView& b);

/// Borrows the views that it is given; they must outlive it and stay where they are.
class DistinctViews {
 public:
  /// The number under which these elements were first added: `number` where they are new.
  std::size_t add(const TensorView& view, std::size_t number);

 private:
  struct Less {
    bool operator()(const TensorView* a, const TensorView* b) const;
  };
  std::map<const TensorView*, std::size_t, Less> first_;
};

}  // namespace samebits
