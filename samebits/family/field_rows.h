// The table of config fields by subject; config_fields.cc puts the parts together.
//
// Source: tests/parity/measured_fields.py, which builds models of the types of field_zoo.py with
// other values, in transformers 4.57.6 and 5.24.0; and every modeling file of both versions for
// fields that no code reads. tests/parity/field_effects_test.py holds the rows against both.
#pragma once

#include <span>
#include <string_view>

#include "samebits/family/config_fields.h"

namespace samebits {

// Short names for the tables.
inline constexpr FieldEffect kOutputs = FieldEffect::outputs;
inline constexpr FieldEffect kTraining = FieldEffect::training;
inline constexpr FieldEffect kNumerics = FieldEffect::numerics;
inline constexpr FieldEffect kNothing = FieldEffect::nothing;
inline constexpr FieldEffect kVersion = FieldEffect::version;
inline constexpr FieldEffect kLabels = FieldEffect::labels;
inline constexpr FieldEffect kInput = FieldEffect::input;
inline constexpr FieldEffect kUnknown = FieldEffect::unknown;
inline constexpr std::string_view kDropout = "dropout acts in training mode only";
inline constexpr std::string_view kLayerKinds = "the kind of each layer follows from it";

/// What the layers of a model are and compute.
std::span<const ConfigField> layer_field_rows();

/// What acts in training alone, what changes how results are rounded, and what no code reads.
std::span<const ConfigField> training_field_rows();

}  // namespace samebits
