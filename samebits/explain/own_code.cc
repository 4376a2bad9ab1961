#include "samebits/explain/own_code.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "samebits/base/mapped_file.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

bool maps_classes(const Json& fields) {
  return fields.is_object() && fields.contains("auto_map") && fields["auto_map"].is_object() &&
         !fields["auto_map"].empty();
}

/// "owner/repository" of the entries whose file lies there.
std::set<std::string> repositories(const Json& fields) {
  std::set<std::string> names;
  if (!maps_classes(fields)) return names;
  for (const auto& [name, value] : fields["auto_map"].items())
    for (const Json& entry : value.is_array() ? value : Json::array({value})) {
      if (!entry.is_string()) continue;
      const auto& text = entry.get_ref<const std::string&>();
      if (const std::size_t at = text.find("--"); at != std::string::npos)
        names.insert(text.substr(0, at));
    }
  return names;
}

bool have_equal_bytes(const std::string& a, const std::string& b) {
  const auto left = MappedFile::open(a), right = MappedFile::open(b);
  return left && right && std::ranges::equal((*left)->bytes(), (*right)->bytes());
}

}  // namespace

std::vector<std::string> own_code_files(const Checkpoint& checkpoint) {
  constexpr std::size_t kMostFiles = 1000;
  if (checkpoint.kind != CheckpointKind::hf_directory ||
      (!maps_classes(checkpoint.config) && !maps_classes(checkpoint.preprocessing)))
    return {};
  std::set<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(checkpoint.path, error), end;
       !error && at != end && names.size() < kMostFiles; at.increment(error))
    if (at->path().extension() == ".py") names.insert(at->path().filename().string());
  return {names.begin(), names.end()};
}

void find_own_code(Report& report, const Subject& subject) {
  if (!subject.checkpoint) return;
  const Checkpoint& checkpoint = *subject.checkpoint;
  const std::vector<std::string> files = own_code_files(checkpoint);
  const std::set<std::string> elsewhere = repositories(checkpoint.config);
  if (files.empty() && elsewhere.empty()) return;
  std::string what = files.empty() ? "" : some_of(files);
  if (!elsewhere.empty())
    what += (what.empty() ? "" : " and ") + std::string("code of ") +
            some_of({elsewhere.begin(), elsewhere.end()});
  Finding finding{.cause = "file.calls",
                  .role = Role::note,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = fmt::format(
      "with trust_remote_code=True from_pretrained would run {}; without, it runs none", what);
  finding.evidence = {{"calls", Json::array()}, {"files", name_list(files)}};
  add_finding(report, std::move(finding));
}

void find_own_code_changes(Report& report, const Subject& a, const Subject& b) {
  std::set<std::string> names;
  for (const Subject* side : {&a, &b})
    for (std::string& name : own_code_files(*side->checkpoint)) names.insert(std::move(name));
  std::vector<std::string> changed;
  for (const std::string& name : names)
    if (!have_equal_bytes(a.checkpoint->path + "/" + name, b.checkpoint->path + "/" + name))
      changed.push_back(name);
  if (changed.empty() || !maps_classes(a.checkpoint->config) || !maps_classes(b.checkpoint->config))
    return;
  Finding finding{.cause = "code.version",
                  .role = Role::contributes,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  finding.summary =
      fmt::format("{} {}, and with trust_remote_code=True the classes in {} compute the outputs",
                  some_of(changed), changed.size() == 1 ? "differs" : "differ",
                  changed.size() == 1 ? "it" : "them");
  finding.evidence = {{"files", name_list(changed)}};
  finding.remedy = "Use one version of these files for both";
  add_finding(report, std::move(finding));
}

}  // namespace samebits
