// Files of settings that other libraries than transformers write beside the weights of a directory.
//
// Sources: open_clip 3.3.0 (factory.py: model_cfg builds the model, preprocess_cfg its transform);
// sentence-transformers 5.1.2 (models/Transformer.py: max_seq_length and do_lower_case); Meta's
// llama (params.json: the arguments of its model). What trainings write as YAML has no fixed
// fields.
#pragma once

#include <string_view>

#include "samebits/explain/report.h"

namespace samebits {

/// Whether find_settings_changes() compares a file of this name that lies in two directories.
bool is_settings_file(std::string_view name);

/// config.changed and input.preprocessing for such files in which two directories differ.
void find_settings_changes(Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
