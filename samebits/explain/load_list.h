// check --for with a target that is not built in: names and shapes from another checkpoint or a
// JSON list.
#pragma once

#include <string>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/explain/report.h"
#include "samebits/model/recognize.h"

namespace samebits {

/// True where a file or directory of that name exists.
bool is_load_list(const std::string& target);

/// The names and shapes that the target's state_dict() would have: of a JSON file ([[name,
/// [sizes]], ...], [{"name":, "shape":}, ...], {name: [sizes], ...}), or of a checkpoint's weights.
/// Errors: as open_checkpoint; malformed where the JSON has another form.
Result<std::vector<model::StoredShape>> read_load_list(const std::string& target);

/// load_state_dict(strict=False): names as they stand.
LoadReport load_into_list(const std::vector<model::StoredShape>& target,
                          const std::vector<model::StoredShape>& tensors,
                          const std::string& target_name);

}  // namespace samebits
