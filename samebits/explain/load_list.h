// check --for with a target that is not built in: names and shapes from another checkpoint or a
// JSON list.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/explain/report.h"
#include "samebits/model/recognize.h"

namespace samebits {

/// True where a file or directory of that name exists.
bool is_load_list(const std::string& target);

/// The names and shapes that the target's state_dict() would have. Names with one number in `one`
/// are one tensor (tied weights): what fills one of them fills all.
struct LoadList {
  std::vector<model::StoredShape> names;
  std::vector<std::size_t> one;            // as names
  std::shared_ptr<Checkpoint> checkpoint;  // nullptr for a JSON file
};

/// Of a JSON file ([[name, [sizes]], ...], [{"name":, "shape":}, ...], {name: [sizes], ...}), or of
/// a checkpoint's weights and the aliases that safetensors' save_model writes into its metadata.
/// Errors: as open_checkpoint; malformed where the JSON has another form.
Result<LoadList> read_load_list(const std::string& target);
/// Of a checkpoint that is already read.
LoadList load_list_of(Checkpoint target);

/// load_state_dict(strict=False): names as they stand; another shape is an error.
LoadReport load_into_list(const LoadList& target, const std::vector<model::StoredShape>& tensors,
                          const std::string& target_name);

/// The renaming of `tensors` that fills those of the target that are `unfilled`, as repair of a
/// load that left some.
void search_repair(const LoadList& target, const std::vector<bool>& unfilled,
                   const std::vector<model::StoredShape>& tensors, LoadReport& load);

}  // namespace samebits
