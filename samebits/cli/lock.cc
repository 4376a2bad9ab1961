#include "samebits/lock/lock.h"

#include <cstdio>
#include <memory>

#include <fmt/format.h>

#include "samebits/base/atomic_write.h"
#include "samebits/cli/commands.h"
#include "samebits/cli/hub_names.h"
#include "samebits/cli/options.h"
#include "samebits/cli/progress.h"
#include "samebits/cli/targets.h"
#include "samebits/container/little_endian.h"
#include "samebits/explain/verify.h"
#include "samebits/lock/lock_text.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

struct LockCommand {
  std::string path, output;
  bool fast = false;
  ReportOptions report;

  int run() const {
    const Result<std::vector<SubjectOptions>> subjects = choose_subjects({path}, report.keys);
    if (!subjects) return usage_error(subjects.error());
    if (const Result<void> free = check_targets({{"--output", output}}, {path}); !free)
      return usage_error(free.error());
    const Result<Lock> lock = make(subjects->front());
    if (!lock) return usage_error(lock.error());
    const std::string text = lock_text(*lock);
    // A name that is no UTF-8 would not read back as it stands.
    if (const Result<Lock> again = parse_lock(bytes_of_text(text), path); !again)
      return usage_error(again.error());
    if (output.empty()) return write_output(text) ? 0 : 2;
    if (const Result<void> written = atomic_write(output, text); !written)
      return usage_error(written.error());
    return write_output(printable(fmt::format("{}: {} locked, contents {}", output,
                                              counted(lock->tensors.size(), "tensor"),
                                              contents_digest(*lock))) +
                        "\n")
               ? 0
               : 2;
  }

  Result<Lock> make(const SubjectOptions& subject) const {
    const Progress progress("reading " + path);
    return lock_of(subject, fast ? LockAlgorithm::xxh3_128 : LockAlgorithm::sha256,
                   report.thread_count());
  }
};

struct VerifyCommand {
  std::string path, lock;
  ReportOptions report;

  int run() const {
    const Result<std::vector<SubjectOptions>> subjects = choose_subjects({path}, report.keys);
    if (!subjects) return command_error("verify", {path}, subjects.error(), report);
    if (const Result<void> free = check_targets({{"--html", report.html}}, {path, lock}); !free)
      return command_error("verify", {path}, free.error(), report);
    Report made;
    {
      const Progress progress("reading " + path);
      made = verify(subjects->front(), lock, report.thread_count());
    }
    return print_report(std::move(made), report);
  }
};

}  // namespace

void add_lock(CLI::App* program, int* status) {
  const auto chosen = std::make_shared<LockCommand>();
  CLI::App* command = program->add_subcommand(
      "lock",
      "Pin this model's identity\n"
      "Writes a digest of every tensor, digests of all of them with and without their names, the "
      "config and the mode: the same from any container, in any order of tensors and shards "
      "(docs/lock.md). Exit status: 0, or 2 where something could not be read.");
  accept_hub_names(
      command->add_option("PATH", chosen->path, "a file or directory of weights, of any format"))
      ->required();
  command->add_option("-o,--output", chosen->output, "where to write it (default: standard output)")
      ->type_name("FILE");
  command->add_flag("--fast", chosen->fast,
                    "xxh3-128 in place of SHA-256: no defence against somebody who wants two "
                    "models to have one digest");
  add_reading_options(command, &chosen->report);
  command->footer("example\n  samebits lock hf/ -o model.lock");
  command->callback([chosen, status] { *status = chosen->run(); });
}

void add_verify(CLI::App* program, int* status) {
  const auto chosen = std::make_shared<VerifyCommand>();
  CLI::App* command = program->add_subcommand(
      "verify",
      "Is this still the model that was locked?\n"
      "Says which tensors, config fields and modes are not as they were locked. Other names, "
      "containers, orders and shards are no difference. Exit status: 0 same, 1 different or a "
      "risk was found, 2 something could not be read.");
  accept_hub_names(
      command->add_option("PATH", chosen->path, "a file or directory of weights, of any format"))
      ->required();
  command->add_option("LOCK", chosen->lock, "what samebits lock wrote")->required();
  add_html_option(command, &chosen->report);
  add_report_options(command, &chosen->report);
  command->footer("example\n  samebits verify hf/ model.lock");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
