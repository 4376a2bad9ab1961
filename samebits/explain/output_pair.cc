#include "samebits/explain/output_pair.h"

namespace samebits {
namespace {

// The same values as rows of the last dimension: tokens, whatever image they are in.
TensorView as_rows(const TensorView& view) {
  const Shape& shape = view.shape();
  if (shape.size() < 3 || !view.is_plain()) return view;
  Shape rows = {1, shape.back()};
  for (std::size_t i = 0; i + 1 < shape.size(); ++i) rows[0] *= shape[i];
  const auto reshaped =
      TensorView::make(view.dtype(), rows, contiguous_strides(rows), 0, view.plain_bytes());
  return reshaped ? *reshaped : view;
}

std::string rounded_text(const std::string& narrow, DType type, const std::string& wide) {
  return narrow + " is " + wide + " rounded to " + std::string(info(type).torch);
}

}  // namespace

TensorView view_of(const NamedArray& array) {
  const Shape shape(array.shape.begin(), array.shape.end());
  return *TensorView::make(DType::float32, shape, contiguous_strides(shape), 0,
                           {reinterpret_cast<const std::uint8_t*>(array.values.data()),
                            array.values.size() * sizeof(float)});
}

OutputPair compare_outputs(const std::string& a, const std::string& b, const std::string& point,
                           const ValuePair& values, int threads) {
  const ValueRelation relation =
      relate_values({{as_rows(values.a), as_rows(values.b)}}, threads).front();
  const TensorStats& stats = relation.stats;
  OutputPair pair{.a = a,
                  .b = b,
                  .point = point,
                  .verdict = stats.differing == 0 ? "identical" : "different",
                  .elements = stats.elements,
                  .differing = stats.differing,
                  .max_abs = stats.max_abs,
                  .max_ulp = stats.max_ulp,
                  .cosine = stats.cosine,
                  .looks_like = stats.pattern};
  if (stats.differing == 0) return pair;
  if (stats.pattern == "rows permuted") {
    pair.verdict = "permuted";
  } else if (relation.rounded_b) {
    pair.verdict = "rounding";
    pair.looks_like = rounded_text(b, *relation.rounded_b, a);
  } else if (relation.rounded_a) {
    pair.verdict = "rounding";
    pair.looks_like = rounded_text(a, *relation.rounded_a, b);
  }
  return pair;
}

}  // namespace samebits
