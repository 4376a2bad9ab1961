// What lies in two directories, or in the headers of their files, and no reader of weights opened.
#pragma once

#include <string>
#include <vector>

#include "samebits/explain/report.h"

namespace samebits {

/// One line for each file that differs or lies in one of two directories only, and that neither
/// side's reader opened (a second head, generation_config.json), then for each entry of safetensors
/// metadata but `format`. Hidden files are passed over; of folders two levels deep
/// only what may hold weights, and JSON, is looked at. A file of another size differs;
/// of equal sizes at most 64 MiB are read, and what is larger goes to `uncertain`.
void compare_unread_files(const Subject& a, const Subject& b, std::vector<std::string>* details,
                          std::vector<std::string>* uncertain);

/// Of files in folders such as 1_Pooling that differ the report is left undecided, where no
/// modules.json says what they are: read_modules_behind() compares those that one names.
void find_module_folder_changes(Report& report, const Subject& a, const Subject& b);

/// Folders of a directory, up to two levels down, with files that may hold weights and that no
/// reader opened: a second model, checkpoints of earlier steps.
std::vector<std::string> unread_models_below(const Checkpoint& checkpoint);

}  // namespace samebits
