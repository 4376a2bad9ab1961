// What the unpickler behind torch.load(weights_only=True), the default since 2.6, would refuse in a
// pickle: names that it does not know, instructions that it does not have, objects that it does not
// fill.
//
// Source: torch/_weights_only_unpickler.py of torch 2.13.0, instruction by instruction. Nothing is
// called: of every value only its type is followed. Where a name is refused the reading goes on as
// if it had been allowed, so that all of them are found.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "samebits/base/bytes.h"

namespace samebits {

struct WeightsOnlyReading {
  /// "argparse.Namespace": what torch.serialization.add_safe_globals() would have to be given, each
  /// once, in the order in which the pickle meets them. Names of Python 2 as torch spells them.
  std::vector<std::string> globals;
  /// What is refused although every name is allowed, each once, as a clause: "SETITEMS on a
  /// collections.defaultdict".
  std::vector<std::string> obstacles;
  /// Set where an instruction is not known: the rest was not read.
  bool stopped = false;
  /// The pickle is cut or broken: what was found until there stands.
  bool broken = false;
  std::size_t end = 0;  // bytes read, STOP included
  bool refused() const { return !globals.empty() || !obstacles.empty(); }
};

/// Reads one pickle from the start of `bytes`. Linear in them.
WeightsOnlyReading read_as_weights_only(Bytes bytes);

/// Whether torch takes "module.name" by itself.
bool is_weights_only_name(std::string_view name);

}  // namespace samebits
