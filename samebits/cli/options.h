// What the commands that report have in common: their options, and how a report leaves the program.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "samebits/base/error.h"
#include "samebits/explain/report.h"
#include "samebits/explain/subjects.h"
#include "samebits/report/terminal.h"

namespace samebits {

struct ReportOptions {
  bool json = false;
  int threads = 0;  // 0: as many as there are processors
  std::string color = "auto";
  std::vector<std::string> keys;  // "NAME" or "B=NAME"
  bool all = false;               // long lists whole
  std::string html;               // where the page is written; "": nowhere
  std::optional<std::string> filter;

  int thread_count() const;
  /// Errors: usage, for a filter that is no regular expression.
  Result<std::optional<NameFilter>> name_filter() const;
};

/// --key and --threads: of every command that reads weights.
void add_reading_options(CLI::App* command, ReportOptions* options);
/// These, --json and --color.
void add_report_options(CLI::App* command, ReportOptions* options);
/// --html, for commands that make a Report.
void add_html_option(CLI::App* command, ReportOptions* options);

/// --all, for commands whose reports cut long lists short.
void add_all_option(CLI::App* command, ReportOptions* options, const std::string& description);

/// --with, for commands that can ask PyTorch; "torch" is the only word. And --trust-code, which
/// needs it.
CLI::Option* add_engine_option(CLI::App* command, std::string* engine,
                               const std::string& description);
CLI::Option* add_trust_option(CLI::App* command, bool* trust_code);

/// --filter, for commands whose reports are about tensors by name.
void add_filter_option(CLI::App* command, ReportOptions* options, const std::string& description);

/// Bounds of a number on the command line.
template <class T>
struct NumberRange {
  T least{}, most{};
};

/// An option with a whole number in decimal digits. Another text, and a number outside the range,
/// is a usage error that says so.
CLI::Option* add_whole(CLI::App* command, const std::string& name,
                       const NumberRange<std::uint64_t>& range,
                       std::function<void(std::uint64_t)> take, const std::string& description);
/// The same with a decimal number.
CLI::Option* add_number(CLI::App* command, const std::string& name,
                        const NumberRange<double>& range, std::function<void(double)> take,
                        const std::string& description);
/// Every seed that torch's manual_seed takes, but for negative ones.
CLI::Option* add_seed(CLI::App* command, const std::string& name,
                      std::function<void(std::uint64_t)> take, const std::string& description);

/// The subjects A, B, ... with the keys given for them. Errors: usage, for a label that no subject
/// has.
Result<std::vector<SubjectOptions>> choose_subjects(const std::vector<std::string>& paths,
                                                    const std::vector<std::string>& keys);

/// Writes the report to standard output, and as a page where that is asked for; the program's exit
/// status. 2 where one of them cannot be written; a reader that stopped reading (a closed pipe) is
/// no error. Where memory runs out, a report that says so is written instead.
int print_report(Report report, const ReportOptions& options);

/// As the options and standard output have it.
TerminalStyle terminal_style(const ReportOptions& options);

/// COLUMNS where it is set, else the terminal's width where the output goes to one, else 80.
int output_width();
/// Writes to standard output. True where everything was written, or nobody reads any more.
bool write_output(const std::string& text);

/// "samebits: ..." on standard error; the exit status of a usage error.
int usage_error(const Error& error);

/// What keeps a command from its work although its command line could be read: as a usage error,
/// and with --json also as a report on standard output whose `not_checked` holds it.
int command_error(const std::string& command, const std::vector<std::string>& paths,
                  const Error& error, const ReportOptions& options);

}  // namespace samebits
