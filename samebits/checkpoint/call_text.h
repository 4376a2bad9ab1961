// What a call would be given, as one short line for a person to read.
#pragma once

#include <string>

#include "samebits/checkpoint/tree_view.h"

namespace samebits {

// All are much as Python prints them, in ASCII: "('echo hi', 3, os.environ, {'a': [...]})". Text is
// cut after 80 characters, containers after 6 elements and 3 levels, the whole after 240; dots say
// so.

/// The arguments of a call, a tuple in the tree.
std::string arguments_text(const pickle::Tree& tree, NodeId arguments);

/// One value, in parentheses.
std::string value_text(const pickle::Tree& tree, NodeId node);

/// "['PATH'] = 'x'": the item that was set on an object under this node as its key.
std::string item_text(const pickle::Tree& tree, NodeId object, NodeId key);

}  // namespace samebits
