// What is still printed when a file shrinks under the program, and no error can be returned.
#pragma once

#include <string>

namespace samebits {

/// The report of a command that was given --json: verdict unknown, its subjects, and why. "" for
/// any other command line. Of `run`, an object without outputs. Made beforehand, since a signal
/// handler can do no more than write it.
std::string bus_error_report(int argc, const char* const* argv);

inline constexpr const char* kBusErrorText =
    "a file became shorter while it was read, or its disk failed";

}  // namespace samebits
