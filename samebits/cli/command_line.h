// The whole command line: options are read, one command runs.
#pragma once

namespace samebits {

/// The exit status. 2 where the words cannot be read, with a message and what to do about it.
int run_command_line(int argc, char** argv);

}  // namespace samebits
