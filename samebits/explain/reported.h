// What stands around the work of every command that reports.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/explain/report.h"
#include "samebits/explain/subjects.h"

namespace samebits {

/// A report of these subjects that could not be made: unknown, with the error in not_checked.
Report report_of_error(const std::string& command, const std::vector<SubjectOptions>& subjects,
                       const Error& error);

/// Of hundreds of lines the first of each kind, and how many more there are: an index can name 1e5
/// tensors that are nowhere.
void shorten(std::vector<std::string>* lines);

/// make(), in the contract's floating-point mode; where memory runs out, report_of_error().
Result<Report> reported(const std::string& command, const std::vector<SubjectOptions>& subjects,
                        const std::function<Result<Report>()>& make);

}  // namespace samebits
