#include "samebits/explain/floor_findings.h"

#include <array>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace samebits {
namespace {

Finding finding_of(const FloorSides& sides, const char* cause, Proof proof) {
  return {
      .cause = cause, .role = Role::cause, .proof = proof, .subjects = {sides.model, sides.trace}};
}

/// Of the fields that could be meant those that the model's config has.
std::string fields_to_look_at(const OtherShape& shape, const Json& config) {
  constexpr std::array<const char*, 4> kTokens = {"mask_ratio", "image_size", "patch_size",
                                                  "num_register_tokens"};
  constexpr std::array<const char*, 4> kWidths = {"hidden_size", "intermediate_size", "num_labels",
                                                  "id2label"};
  std::vector<std::string> names;
  for (const char* name : shape.one_width ? kTokens : kWidths)
    if (config.is_object() && config.contains(name)) names.emplace_back(name);
  const char* what = shape.one_width ? "the number of tokens" : "widths";
  return names.empty()
             ? fmt::format("Look at what decides {} in both", what)
             : fmt::format("Look at the fields that decide {}: {}", what, fmt::join(names, ", "));
}

}  // namespace

Finding rounding_finding(const FloorSides& sides, const std::vector<OutputPair>& points) {
  double most = 0;
  const OutputPair* worst = nullptr;
  for (const OutputPair& pair : points) {
    if (worst != nullptr && *pair.floor_units <= most) continue;
    most = *pair.floor_units;
    worst = &pair;
  }
  Finding finding = finding_of(sides, "numerics.rounding", Proof::proved);
  finding.summary =
      fmt::format("{} differs from the model's own pass by rounding alone", sides.trace);
  finding.details = {fmt::format(
      "against double precision, its error is at most {:.2g} times that of the worst of {} float32 "
      "passes with sums in other orders, at {}; rounding goes to {:.2g} times",
      most, kOrders + 1, worst->point, kMostRounding)};
  finding.evidence = {{"largest_units", most}, {"point", worst->point}};
  finding.remedy =
      "Nothing is wrong; for equal bits, run both by one program, with one batch and one attention "
      "kernel";
  return finding;
}

Finding shape_finding(const FloorSides& sides, const OtherShape& shape, const Json& config) {
  Finding finding = finding_of(sides, "config.changed", Proof::suspected);
  finding.summary =
      fmt::format("{} has other shapes than the model from {} on", sides.trace, shape.point);
  finding.details = {
      fmt::format("{} there, the model with its config {}", shape.trace, shape.model)};
  finding.evidence = {{"fields", Json::object()}, {"point", shape.point}};
  finding.remedy = fields_to_look_at(shape, config);
  finding.settle = "Record the run again with the config of " + sides.model;
  return finding;
}

double coarser_than_float(DType type) {
  return type == DType::bfloat16 ? 0x1p16 : type == DType::float16 ? 0x1p13 : 0;
}

Finding narrow_finding(const FloorSides& sides, const OutputPair& first, DType type) {
  Finding finding = finding_of(sides, "numerics.dtype", Proof::observed);
  finding.summary = fmt::format("{} was recorded in {}", sides.trace, info(type).torch);
  finding.details = {
      fmt::format("at {} its error is {:.3g} times that of float32 passes, as that type's rounding "
                  "makes it; smaller faults do not show",
                  first.point, *first.floor_units)};
  finding.evidence = {{"point", first.point}, {"dtype", info(type).torch}};
  finding.remedy = "Record the run in float32 to tell rounding from faults";
  return finding;
}

Finding departure_finding(const FloorSides& sides, const OutputPair& first,
                          const std::optional<OperationCheck>& broken) {
  Finding finding = finding_of(sides, "code.version", Proof::suspected);
  finding.summary = fmt::format("{} computes something else from {} on: this is no rounding",
                                sides.trace, first.point);
  finding.details = {
      std::isfinite(*first.floor_units)
          ? fmt::format("against double precision, its error there is {:.3g} times that of the "
                        "worst of {} float32 passes with sums in other orders; rounding goes to "
                        "{:.2g} times",
                        *first.floor_units, kOrders + 1, kMostRounding)
          : fmt::format("{} has NaN or infinite numbers there, the model's own pass in double "
                        "precision has not",
                        sides.trace)};
  finding.evidence = {{"point", first.point}, {"units", json_number(*first.floor_units)}};
  finding.remedy =
      "Look at what the code does there: another version, an edited module, a narrower type, other "
      "weights or another config than this model's";
  if (!broken) {
    finding.settle =
        "Record the run again after eval(), with the weights and the config of " + sides.model;
    return finding;
  }
  finding.proof = Proof::proved;
  finding.details.push_back(
      fmt::format("from its recorded inputs, float32 ends within {:.2g} of the exact result there, "
                  "whatever the order of additions; element {} is {:.3g} off",
                  broken->bound, broken->element, broken->off));
  finding.evidence["element"] = broken->element;
  finding.evidence["bound"] = json_number(broken->bound);
  finding.evidence["off"] = json_number(broken->off);
  return finding;
}

}  // namespace samebits
