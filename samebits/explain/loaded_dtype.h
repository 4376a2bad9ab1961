// The type in which from_pretrained of transformers 5.24.0 loads a directory, where that is another
// than the one of its weights.
//
// Source: transformers 5.24.0 modeling_utils.py (_get_dtype: the `dtype` of config.json counts
// where the call says none), 4.57.6 (float32 where the call says none). Does not know which modules
// a class keeps in float32 (_keep_in_fp32_modules), and leaves quantized weights aside.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "samebits/explain/report.h"

namespace samebits {

struct LoadedDtype {
  DType type = DType::float32;     // of the config
  std::vector<std::string> wider;  // weights whose type has more bits
  std::string from;                // "float32", "2 types"
  std::size_t total = 0;           // weights of a floating type
};

/// Where config.json names a type in which some of the weights may not be held exactly.
std::optional<LoadedDtype> narrowing_dtype(const Checkpoint& checkpoint);

/// The one type of all floating weights of a directory: what 5.24.0 loads in where config.json
/// names none. "" where they have several, or are quantized, and for other files.
std::string weights_dtype(const Checkpoint& checkpoint);

/// numerics.dtype: that 5.24.0 casts them. Of one subject a note; a risk where the load into
/// transformers 5 is what is asked for, and a value is not held exactly.
void find_loaded_dtype(Report& report, const Subject& subject);
/// Of two with equal weights: a risk where the load casts those of one side alone.
void find_loaded_dtype_of_pair(Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
