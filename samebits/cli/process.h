// What the program asks of its process: open standard files, signals that leave nothing behind, and
// a stack whose size does not depend on who started it.
#pragma once

#include <functional>
#include <string>

namespace samebits {

/// A closed standard file would be the number of the next file that is opened, and a report would
/// be written into it. Closed ones are opened so that their use fails.
void open_standard_files();

/// Signals that end the program remove its temporary files and say why first; those that were
/// ignored stay ignored. Writing to a closed pipe, or more than a limit allows, is an error of the
/// write.
void set_signals();

/// From now on the first SIGINT or SIGTERM ends nothing, and stop_asked() tells of it; the second
/// one ends the program at once. Ignored signals stay ignored.
void ask_before_stopping();
/// The number of the signal; 0 where there was none.
int stop_asked();

/// Where the address space is limited (ulimit -v), the C library's arenas of 64 MB for each thread
/// may find no place, and it would then ask the system anew for every few bytes.
void share_memory_where_it_is_limited();

/// What goes to standard output where a file shrinks while it is read. Called once, before the
/// first file is opened.
void print_on_bus_error(std::string text);

/// What was typed, as a line that a shell takes; "" where the system does not tell. The program
/// stands in it by its name alone.
std::string command_line();

/// `work` on a thread with a stack of 8 MiB, as are all that are started later: what a file may ask
/// of the stack is bounded, what ulimit says is not. Its result; an exception, also one for want of
/// a thread, is said on standard error and makes it 2.
int run_on_own_stack(const std::function<int()>& work);

}  // namespace samebits
