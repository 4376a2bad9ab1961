// Names that save_pretrained() of transformers 5.24.0 writes to disk and modules of that version do
// not have, for model types whose tables are not here: from_pretrained renames or stacks them.
//
// Source: transformers 5.24.0 conversion_mapping.py, in the direction of save_pretrained(). Held
// against models of that library by tests/parity/trainer_names_test.py. Does not know: classes of
// one type that are saved otherwise than its model with a head.
#pragma once

#include <array>
#include <string_view>

namespace samebits {

struct DiskNames {
  std::string_view types;                 // model types, with blanks between them
  std::array<std::string_view, 4> parts;  // what such a name holds: "^" stands for its beginning,
                                          // "#" for a number
  std::string_view unless = "";           // what stands before the part in a module's own name
  bool stacks_experts = false;            // a layer's experts are one tensor in its module
};

/// nullptr for a type whose names are its modules', or that is not known.
const DiskNames* find_disk_names(std::string_view model_type);

/// Whether save_pretrained() may write other names for models of this type than their modules have,
/// and which is not known here.
bool is_converted(std::string_view model_type);

/// Whether a name is one that modules do not have.
bool is_disk_name(const DiskNames& known, std::string_view name);

}  // namespace samebits
