#include "samebits/explain/inspect.h"

#include <algorithm>

#include "samebits/base/parallel.h"
#include "samebits/checkpoint/record_checksums.h"
#include "samebits/explain/reported.h"
#include "samebits/explain/rules.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

void compute_digests(Subject& subject, int threads) {
  const auto& entries = subject.checkpoint->entries;
  subject.digests.resize(entries.size());
  const std::vector<std::size_t> first_of = first_showing(entries);
  parallel_for(entries.size(), threads, [&](std::size_t i) {
    if (entries[i].readable && first_of[i] == i) subject.digests[i] = sha256_hex(entries[i].view);
  });
  for (std::size_t i = 0; i < entries.size(); ++i)
    subject.digests[i] = subject.digests[first_of[i]];
}

void note_valueless(Report& report, const Checkpoint& checkpoint) {
  for (const StoredTensor& tensor : checkpoint.entries) {
    if (!tensor.readable && tensor.device == "meta")
      report.not_checked.push_back("the file holds no values of " + tensor.path);
  }
}

Report inspect_now(const std::string& path, const InspectOptions& options) {
  Report report;
  report.command = "inspect";
  const bool deep = options.deep || options.sha256;
  open_subjects(report, {{path, options.key}}, {.deep = deep, .threads = options.threads});
  Subject& subject = report.subjects[0];
  if (subject.checkpoint) {
    if (options.sha256) compute_digests(subject, options.threads);
    note_valueless(report, *subject.checkpoint);
    if (!deep)
      report.not_checked.emplace_back("values and checksums were not read (--deep reads them)");
    if (deep && lacks_checksums(*subject.checkpoint))
      report.not_checked.emplace_back(
          "checksums: the archive was written without them "
          "(torch.serialization.set_crc32_options), so damage would not show");
  }
  apply_rules(report, {.threads = options.threads});
  report.verdict = verdict_of_checkpoint(report);
  return report;
}

}  // namespace

Report inspect(const std::string& path, const InspectOptions& options) {
  return *reported("inspect", {{path, options.key}}, [&] { return inspect_now(path, options); });
}

}  // namespace samebits
