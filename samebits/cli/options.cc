#include "samebits/cli/options.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>

#include <fmt/format.h>

#include "samebits/base/atomic_write.h"
#include "samebits/base/exceptions.h"
#include "samebits/base/parallel.h"
#include "samebits/cli/offered_words.h"
#include "samebits/cli/process.h"
#include "samebits/explain/reported.h"
#include "samebits/report/html.h"
#include "samebits/report/json.h"
#include "samebits/report/terminal.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

constexpr std::uint64_t kMostThreads = 1024;
constexpr std::size_t kMostSubjects = 26;  // labels are A to Z

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool wants_color(const std::string& choice) {
  if (choice != "auto") return choice == "always";
  const char* terminal = std::getenv("TERM");
  const bool is_dumb = terminal != nullptr && std::strcmp(terminal, "dumb") == 0;
  return isatty(STDOUT_FILENO) == 1 && !is_set("NO_COLOR") && !is_dumb;
}

// "B=NAME".
bool names_one(const std::string& key) {
  return key.size() > 2 && key[1] == '=' && key[0] >= 'A' && key[0] <= 'Z';
}

std::string is_color(const std::string& choice) {
  const bool known = choice == "auto" || choice == "always" || choice == "never";
  return known ? "" : "must be auto, always or never";
}

/// A word of the command line inside a message.
std::string short_text(const std::string& text) {
  constexpr std::size_t kShown = 40;
  if (text.empty()) return "nothing";
  return text.size() <= kShown ? text : text.substr(0, kShown) + "...";
}

template <class T>
CLI::Option* add_checked(CLI::App* command, const std::string& name, const NumberRange<T>& range,
                         std::function<void(T)> take, const std::string& description) {
  const auto read = [name, range, take = std::move(take)](const std::string& text) {
    T value{};
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    const bool within = value >= range.least && value <= range.most;
    if (error != std::errc() || stop != end || !within) {
      throw CLI::ValidationError(
          name,
          fmt::format("{} is not usable: it takes a {} from {} to {}", short_text(text),
                      std::is_integral_v<T> ? "whole number" : "number", range.least, range.most));
    }
    take(value);
  };
  return command->add_option_function<std::string>(name, read, description);
}

}  // namespace

int output_width() {
  constexpr int kLeast = 40;
  constexpr int kMost = 240;
  // As the tools of the shell have it: the variable counts in pipes, too, and before the terminal.
  if (const char* given = std::getenv("COLUMNS"); given != nullptr) {
    const std::string_view text = given;
    int width = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), width);
    if (error == std::errc() && stop == text.data() + text.size() && width > 0)
      return std::clamp(width, kLeast, kMost);
  }
  winsize size{};
  if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 80;
  return size.ws_col == 0 ? 80 : std::clamp<int>(size.ws_col, kLeast, kMost);
}

bool write_output(const std::string& text) {
  errno = 0;
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (std::fflush(stdout) == 0 && written) return true;
  if (errno == EPIPE) return true;
  std::fprintf(stderr, "samebits: the report could not be written: %s\n", std::strerror(errno));
  return false;
}

CLI::Option* add_whole(CLI::App* command, const std::string& name,
                       const NumberRange<std::uint64_t>& range,
                       std::function<void(std::uint64_t)> take, const std::string& description) {
  return add_checked(command, name, range, std::move(take), description);
}

CLI::Option* add_number(CLI::App* command, const std::string& name,
                        const NumberRange<double>& range, std::function<void(double)> take,
                        const std::string& description) {
  return add_checked(command, name, range, std::move(take), description);
}

CLI::Option* add_seed(CLI::App* command, const std::string& name,
                      std::function<void(std::uint64_t)> take, const std::string& description) {
  return add_whole(command, name, {0, std::numeric_limits<std::uint64_t>::max()}, std::move(take),
                   description)
      ->type_name("N");
}

TerminalStyle terminal_style(const ReportOptions& options) {
  return {.color = wants_color(options.color), .width = output_width(), .all = options.all};
}

Result<std::optional<NameFilter>> ReportOptions::name_filter() const {
  if (!filter) return std::optional<NameFilter>();
  SAMEBITS_TRY(NameFilter made, NameFilter::make(*filter));
  return std::optional(std::move(made));
}

int ReportOptions::thread_count() const { return threads == 0 ? available_threads() : threads; }

void add_reading_options(CLI::App* command, ReportOptions* options) {
  command
      ->add_option("--key", options->keys,
                   "which weights, where a file holds several: state_dict, model, ema, ...; "
                   "B=NAME chooses for one subject")
      ->type_name("NAME")
      ->allow_extra_args(false);
  add_whole(
      command, "--threads", {1, kMostThreads},
      [options](std::uint64_t count) { options->threads = static_cast<int>(count); },
      "how many threads to use (default: one for each processor)")
      ->type_name("N");
}

void add_report_options(CLI::App* command, ReportOptions* options) {
  command->add_flag("--json", options->json, "print the report as JSON (docs/json.md)");
  add_reading_options(command, options);
  CLI::Option* color =
      command->add_option("--color", options->color, "auto (default), always or never")
          ->type_name("WHEN")
          ->check(CLI::Validator(is_color, ""));
  offer_words(color, {"auto", "always", "never"});
}

void add_all_option(CLI::App* command, ReportOptions* options, const std::string& description) {
  command->add_flag("--all", options->all, description);
}

CLI::Option* add_engine_option(CLI::App* command, std::string* engine,
                               const std::string& description) {
  const auto is_engine = [](const std::string& word) {
    return word == "torch" ? std::string() : std::string("must be torch");
  };
  CLI::Option* option = command->add_option("--with", *engine, description)
                            ->type_name("ENGINE")
                            ->check(CLI::Validator(is_engine, ""));
  offer_words(option, {"torch"});
  return option;
}

CLI::Option* add_trust_option(CLI::App* command, bool* trust_code) {
  return command->add_flag("--trust-code", *trust_code,
                           "with --with torch: load whole modules, .bin files and code that a "
                           "directory brings, which run what their author wrote");
}

void add_filter_option(CLI::App* command, ReportOptions* options, const std::string& description) {
  command
      ->add_option("--filter", options->filter,
                   description + "; a ! in front of REGEX takes the other names")
      ->type_name("REGEX");
}

void add_html_option(CLI::App* command, ReportOptions* options) {
  command
      ->add_option("--html", options->html,
                   "also write the report as one page that needs no network")
      ->type_name("FILE");
}

Result<std::vector<SubjectOptions>> choose_subjects(const std::vector<std::string>& paths,
                                                    const std::vector<std::string>& keys) {
  if (paths.size() > kMostSubjects) {
    return fail({.code = ErrorCode::usage, .what = "more than 26 subjects"});
  }
  std::vector<SubjectOptions> subjects(paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) subjects[i].path = paths[i];
  for (const std::string& key : keys) {
    if (names_one(key)) continue;
    for (SubjectOptions& subject : subjects) {
      subject.key = key;
      subject.key_is_shared = true;
    }
  }
  for (const std::string& key : keys) {  // these count more, wherever they stand
    if (!names_one(key)) continue;
    const std::size_t index = static_cast<std::size_t>(key[0] - 'A');
    if (index >= subjects.size()) {
      return fail({.code = ErrorCode::usage,
                   .what = "--key " + key + ": there is no subject " + key.substr(0, 1)});
    }
    subjects[index].key = key.substr(2);
    subjects[index].key_is_shared = false;
  }
  return subjects;
}

namespace {

int print_rendered(const Report& report, const ReportOptions& options) {
  const std::string text =
      options.json ? json_text(report) : render_terminal(report, terminal_style(options));
  if (!options.html.empty()) {
    std::vector<std::string> paths;
    for (const Subject& subject : report.subjects) paths.push_back(subject.path);
    if (const Result<void> written =
            atomic_write(options.html, render_html(report, command_line()));
        !written)
      return command_error(report.command, paths, written.error(), options);
  }
  return write_output(text) ? exit_status(report) : 2;
}

}  // namespace

int print_report(Report report, const ReportOptions& options) {
  Error error;
  try {
    return print_rendered(report, options);
  } catch (const std::exception&) {
    error = error_of_exception("");
  }
  std::vector<SubjectOptions> subjects;
  for (Subject& subject : report.subjects) subjects.push_back({std::move(subject.path), ""});
  const std::string command = std::move(report.command);
  report = {};  // gives back its memory
  return print_rendered(report_of_error(command, subjects, error), options);
}

int command_error(const std::string& command, const std::vector<std::string>& paths,
                  const Error& error, const ReportOptions& options) {
  if (options.json) {
    std::vector<SubjectOptions> subjects;
    for (const std::string& path : paths) subjects.push_back({path, ""});
    write_output(json_text(report_of_error(command, subjects, error)));
  }
  return usage_error(error);
}

int usage_error(const Error& error) {
  std::fprintf(stderr, "samebits: %s\n", printable(to_string(error)).c_str());
  return 2;
}

}  // namespace samebits
