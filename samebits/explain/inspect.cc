#include "samebits/explain/inspect.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/base/parallel.h"
#include "samebits/base/work_meter.h"
#include "samebits/checkpoint/record_checksums.h"
#include "samebits/explain/answers.h"
#include "samebits/explain/reported.h"
#include "samebits/explain/rules.h"
#include "samebits/explain/scope.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/uncompared_files.h"

namespace samebits {
namespace {

void compute_digests(Subject& subject, int threads) {
  const auto& entries = subject.checkpoint->entries;
  subject.digests.resize(entries.size());
  const std::vector<std::size_t> first_of = first_showing(entries);
  WorkStep step("taking digests", entries.size());
  parallel_for(entries.size(), threads, [&](std::size_t i) {
    if (entries[i].readable && first_of[i] == i) subject.digests[i] = sha256_hex(entries[i].view);
    step.add(1);
  });
  for (std::size_t i = 0; i < entries.size(); ++i)
    subject.digests[i] = subject.digests[first_of[i]];
}

void note_unlisted(Report& report, const Subject& subject) {
  const auto& entries = subject.checkpoint->entries;
  const auto taken = static_cast<std::uint64_t>(std::ranges::count_if(
      entries, [&](const StoredTensor& tensor) { return is_listed(report, tensor); }));
  report.left_out.push_back({subject.label, taken, entries.size()});
}

Report inspect_now(const std::string& path, const InspectOptions& options) {
  Report report;
  report.command = "inspect";
  const bool deep = options.deep || options.sha256;
  report.scope.filter = options.filter;
  open_subjects(report, {{path, options.key}},
                {.deep = deep, .deep_up_to = options.deep_up_to, .threads = options.threads});
  Subject& subject = report.subjects[0];
  if (subject.checkpoint) {
    if (options.filter) note_unlisted(report, subject);
    if (options.sha256) compute_digests(subject, options.threads);
    if (const auto below = unread_models_below(*subject.checkpoint); !below.empty())
      report.not_checked.push_back(
          fmt::format("{}: the weights in {} were not read: name {} by itself", path,
                      some_of(below), below.size() == 1 ? "that folder" : "each"));
    const bool read = subject.checkpoint->read_in_depth;
    if (!read)
      report.not_checked.emplace_back("values and checksums were not read (--deep reads them)");
    if (read && lacks_checksums(*subject.checkpoint))
      report.not_checked.emplace_back(
          "checksums: the archive was written without them "
          "(torch.serialization.set_crc32_options), so damage would not show");
  }
  apply_rules(report, {.threads = options.threads});
  report.verdict = verdict_of_checkpoint(report);
  report.answers = answers_of(report);
  return report;
}

}  // namespace

Report inspect(const std::string& path, const InspectOptions& options) {
  return *reported("inspect", {{path, options.key}}, [&] { return inspect_now(path, options); });
}

}  // namespace samebits
