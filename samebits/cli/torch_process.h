// PyTorch as a process of its own: the interpreter that can run models, and what it answers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "samebits/base/error.h"

namespace samebits {

/// A Python that has samebits, torch and transformers: the one that SAMEBITS_PYTHON names, or else
/// the first of the one beside this program, in whose environment it was installed, and `python3`
/// of the PATH. Errors: unsupported, with what each of them lacks.
Result<std::string> find_torch_python();

/// What `python -m samebits.MODULE WORDS` writes to its standard output. The module is never
/// taken from the current folder. Errors: io, where it cannot be started or ends badly, with its
/// last words.
Result<std::vector<std::uint8_t>> run_torch(const std::string& python, const std::string& module,
                                            const std::vector<std::string>& words);

}  // namespace samebits
