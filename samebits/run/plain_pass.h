// The forward pass once more, without the numeric contract: in double precision, the truth against
// which roundings are measured, and in float32 with sums in other orders, a sample of what rounding
// can do.
//
// Same steps and points as vit_forward.h, in eval mode; the C library's exp, erf and tanh. The last
// bits are no promise.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "samebits/run/vit_forward.h"

namespace samebits {

template <class Real>
using PlainPoint = std::function<void(const std::string& name, const std::vector<Real>& values)>;

/// Calls `point` at every point that forward() traces, and with the same shapes. Requires what
/// forward() requires. Sums in ascending order.
void forward_in_double(VitModel& model, ThreadPool& pool, const VitInput& input,
                       const PlainPoint<double>& point);

/// The same in float32, every sum one rounding after the other in a random order that `seed` draws.
void forward_in_another_order(VitModel& model, ThreadPool& pool, const VitInput& input,
                              std::uint32_t seed, const PlainPoint<float>& point);

}  // namespace samebits
