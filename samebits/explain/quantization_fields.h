// What quantization_config of config.json says where the weights beside it are stored quantized.
//
// Source: transformers 5.24.0 (integrations/bitsandbytes.py: from_prequantized() takes the settings
// of stored weights from the file, and of 8-bit layers the threshold from the config);
// bitsandbytes 0.50 (nn/modules.py).
#pragma once

#include <vector>

#include "samebits/explain/report.h"

namespace samebits {

/// Fields by which loading does not go: bitsandbytes' settings of the other kind of layer, and of
/// weights that are quantized already. Of a config on one side alone that describes stored weights
/// one field is left, which belongs to them.
void settle_quantization_fields(const Subject& a, const Subject& b,
                                std::vector<FieldDifference>* fields);

}  // namespace samebits
