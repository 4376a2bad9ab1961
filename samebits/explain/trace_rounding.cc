#include "samebits/explain/trace_rounding.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>

#include <fmt/format.h>

#include "samebits/compare/number_block.h"

namespace samebits {
namespace {

// In units of a narrow type, of the largest number at a point.
constexpr double kNarrowStep = 4;
constexpr double kNarrowGrown = 32;
constexpr double kNarrowJump = 12;   // at once,
constexpr double kNarrowGrowth = 5;  // and so many times the largest before
// In wide types shares of the largest number at a point, or of 1: in units of float32.
constexpr double kWideStep = 1e-5 * 0x1p24;
constexpr double kWideGrown = 1e-4 * 0x1p24;

bool is_narrow(DType type) { return rounding_unit(type) > 0x1p-20; }

/// Types without a unit are held to that of float32.
double unit_of(DType type) {
  const double unit = rounding_unit(type);
  return unit > 0 ? unit : 0x1p-24;
}

DType coarser(DType one, DType other) { return unit_of(other) > unit_of(one) ? other : one; }

constexpr std::size_t kModulesOfBlock = 6;  // recorded, of those that a block is made of

/// "vit.layers.0." of "vit.layers.0.mlp.fc1"; "" of a point that is in no numbered module.
std::string_view block_of(std::string_view point) {
  for (std::size_t dot = point.find('.'); dot != point.npos; dot = point.find('.', dot + 1)) {
    const std::size_t end = point.find_first_not_of("0123456789", dot + 1);
    if (end != point.npos && end > dot + 1 && point[end] == '.') return point.substr(0, end + 1);
  }
  return "";
}

/// 0 where the numbers are complex.
double largest_number(const TensorView& view) {
  if (!has_element_values(view.dtype())) return 0;
  double most = 0;
  for_each_number(view, [&](double number) {
    if (std::isfinite(number)) most = std::max(most, std::fabs(number));
  });
  return most;
}

}  // namespace

double rounding_unit(DType type) {
  switch (type) {
    case DType::float64: return 0x1p-53;
    case DType::float32: return 0x1p-24;
    case DType::float16: return 0x1p-11;
    case DType::bfloat16: return 0x1p-8;
    case DType::float8_e4m3fn:
    case DType::float8_e4m3fnuz: return 0x1p-4;
    case DType::float8_e5m2:
    case DType::float8_e5m2fnuz: return 0x1p-3;
    default: return 0;
  }
}

std::string units_text(double units, DType type) {
  if (!is_narrow(type)) return "";
  return fmt::format("{:.2g} units of {} (2^{} of the largest number there)", units,
                     info(type).torch, std::ilogb(rounding_unit(type)));
}

DType RoundingJudge::type_at(std::size_t point) const {
  const DType type = coarser(values_[point].a.dtype(), values_[point].b.dtype());
  return outputs_[point].narrower ? coarser(type, *outputs_[point].narrower) : type;
}

double RoundingJudge::scale(std::size_t point, DType type) const {
  const double largest =
      std::max(largest_number(values_[point].a), largest_number(values_[point].b));
  return unit_of(type) * (is_narrow(type) ? largest : std::max(1.0, largest));
}

double RoundingJudge::units(std::size_t point, DType type) const {
  const OutputPair& pair = outputs_[point];
  if (pair.differing == 0) return 0;
  if (pair.looks_like == "nan") return std::numeric_limits<double>::infinity();
  return pair.max_abs / scale(point, type);
}

bool RoundingJudge::in_detail(std::size_t point) const {
  if (!ordered_) return false;
  std::map<std::string_view, std::size_t> blocks;
  for (const OutputPair& pair : outputs_) {
    if (const std::string_view block = block_of(pair.point); !block.empty()) ++blocks[block];
  }
  const std::string_view own = block_of(outputs_[point].point);
  if (!own.empty()) return blocks[own] >= kModulesOfBlock;
  return std::ranges::any_of(blocks,
                             [](const auto& block) { return block.second >= kModulesOfBlock; });
}

bool RoundingJudge::is_rounding(std::size_t point) const {
  const DType type = type_at(point);
  const double most = !is_narrow(type) ? kWideStep : in_detail(point) ? kNarrowStep : kNarrowGrown;
  return rounding_unit(type) > 0 && units(point, type) <= most;
}

bool RoundingJudge::is_beyond(std::size_t point) const {
  const DType type = type_at(point);
  const double most = in_detail(point) ? (is_narrow(type) ? kNarrowStep : kWideStep)
                                       : (is_narrow(type) ? kNarrowGrown : kWideGrown);
  return !(units(point, type) <= most);
}

std::optional<std::size_t> RoundingJudge::first_beyond(std::size_t parting) const {
  DType type = type_at(parting);
  double highest = 1;
  for (std::size_t i = parting; i < outputs_.size(); ++i) {
    type = coarser(type, type_at(i));
    if (outputs_[i].differing == 0) continue;
    const double off = units(i, type);
    const bool jumps = is_narrow(type) && ordered_ && i > parting && off > kNarrowJump &&
                       off > kNarrowGrowth * highest;
    if (!(off <= (is_narrow(type) ? kNarrowGrown : kWideGrown)) || jumps) return i;
    highest = std::max(highest, off);
  }
  return std::nullopt;
}

double RoundingJudge::bound_at(std::size_t point, std::size_t parting) const {
  DType type = type_at(point);
  double highest = 0;
  for (std::size_t i = parting; i < point; ++i) {
    type = coarser(type, type_at(i));
    highest = std::max(highest, units(i, type));
  }
  const double step = is_narrow(type) ? kNarrowStep : kWideStep;
  return std::max(step, 2 * highest) * scale(point, type);
}

}  // namespace samebits
