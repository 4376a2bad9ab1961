// What from_pretrained of transformers 4.57.6 and 5.24.0 does with a directory beyond names and
// shapes: files that it does not find, weights that another library has to read.
//
// Source: modeling_utils.py (_get_resolved_checkpoint_files: the order of file names, `variant`),
// safetensors' safe_open (a shard that is not there), quantizers/auto.py.
#pragma once

#include <string>
#include <vector>

#include "samebits/checkpoint/checkpoint.h"
#include "samebits/explain/report.h"
#include "samebits/model/recognize.h"

namespace samebits {

/// Sets `raises` and `remedy` where from_pretrained ends with an error before it looks at a tensor:
/// a file that it does not find, or one that holds something else (load_contents.h).
void refuse_missing_files(const Checkpoint& checkpoint, LoadReport& load);

/// An index gives tensors a shard that does not hold them: 4.57.6 leaves them without values and
/// says nothing, 5.24.0 at random values. What lies beside it may hold them.
bool has_false_index(const Checkpoint& checkpoint);

/// The weights that stand in the files, as a loader sees them; the parts of a sparse tensor are no
/// tensors of their own. Where the loader `unpacks`, bitsandbytes' packed matrices have the shapes
/// that their states give, and neither are the states.
struct StoredWeights {
  std::vector<model::StoredShape> shapes;
  std::vector<std::string> quantized;  // names
};
StoredWeights stored_weights(const Checkpoint& checkpoint, bool unpacks = true);

/// config.json's quantization_config.quant_method: "bitsandbytes"; "" where there is none.
std::string quantization_method(const Checkpoint& checkpoint);

}  // namespace samebits
