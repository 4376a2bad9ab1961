// Code that lies beside the weights, and that from_pretrained runs where it is told to trust it.
//
// Source: transformers 5.24.0 dynamic_module_utils.py: `auto_map` of config.json names a class as
// "modeling_my.MyViT", or "owner/repository--modeling_my.MyViT" where the file lies elsewhere. The
// file may import others of its directory. Nothing of it is read as code here.
#pragma once

#include <string>
#include <vector>

#include "samebits/explain/report.h"

namespace samebits {

/// Names of the .py files in a directory whose config or image processor has an auto_map; in order.
std::vector<std::string> own_code_files(const Checkpoint& checkpoint);

/// file.calls, a note: what would be run with trust_remote_code=True.
void find_own_code(Report& report, const Subject& subject);

/// code.version: such files of two directories that differ.
void find_own_code_changes(Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
