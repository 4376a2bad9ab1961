// The code of a TorchScript archive as text that does not depend on when it was saved.
//
// Source: torch/csrc/jit/serialization/python_print.cpp of torch 2.13. One program gets other class
// names from process to process ("___torch_mangle_12"), files in another order and other numbers
// of constants; from the root's class on, everything is named by the order in which it is met. Does
// not do: names of local variables, which follow from the source; what operators compute.
#pragma once

#include <string_view>

#include "samebits/checkpoint/torch_script.h"

namespace samebits {

/// The program whose root is the class `root` ("__torch__.my.Net"). `entries` are searched for the
/// constants ("constants.c0"). Linear in the code's size.
ScriptProgram read_script_program(ScriptCode& code, std::string_view root,
                                  const std::vector<StoredTensor>& entries);

/// True where a call in this text draws or keeps statistics whatever the mode is: traces made in
/// training mode have "torch.dropout(x, 0.1, True)".
bool has_training_call(std::string_view text);

/// SHA-256 of all units; equal for equal programs.
std::string program_digest(const ScriptProgram& program);

/// The names of all attributes that some class or function of the program reads, methods among
/// them.
std::set<std::string, std::less<>> attributes_read(const ScriptProgram& program);

}  // namespace samebits
