#include "samebits/explain/loading_findings.h"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/checkpoint/torch_load.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

// What becomes allowed by an import.
struct ByImport {
  std::string_view name;
  std::string_view module;
};
constexpr std::array kByImport = std::to_array<ByImport>({
    {"torch._dynamo.decorators._DimRange", "torch._dynamo"},
    {"torch.distributed.device_mesh.DeviceMesh", "torch.distributed.tensor"},
    {"torch.distributed.tensor.DTensor", "torch.distributed.tensor"},
    {"torch.distributed.tensor._dtensor_spec.DTensorSpec", "torch.distributed.tensor"},
    {"torch.distributed.tensor._dtensor_spec.TensorMeta", "torch.distributed.tensor"},
    {"torch.distributed.tensor.placement_types.Partial", "torch.distributed.tensor"},
    {"torch.distributed.tensor.placement_types.Replicate", "torch.distributed.tensor"},
    {"torch.distributed.tensor.placement_types.Shard", "torch.distributed.tensor"},
});

constexpr std::uint64_t kAlignment = 16;  // bytes that MKL's product of one row asks for

constexpr std::string_view kTrust =
    "torch.load(path, weights_only=False), if you trust whoever wrote the file";

void append_new(const std::vector<std::string>& from, std::vector<std::string>* to) {
  for (const std::string& text : from) {
    if (std::find(to->begin(), to->end(), text) == to->end()) to->push_back(text);
  }
}

/// Of all files: what one file is refused for is said once.
LoadRefusal joined_refusals(const Checkpoint& checkpoint) {
  LoadRefusal all;
  for (const LoadRefusal& refusal : find_refusals(checkpoint)) {
    append_new(refusal.globals, &all.globals);
    append_new(refusal.obstacles, &all.obstacles);
    all.archive = all.archive || refusal.archive;
  }
  std::sort(all.globals.begin(), all.globals.end());
  return all;
}

std::string refused_summary(const LoadRefusal& refusal) {
  if (refusal.archive)
    return "torch.load refuses it by default (weights_only=True): it is " + refusal.obstacles[0];
  if (refusal.globals.empty())
    return "torch.load refuses it by default (weights_only=True): " + refusal.obstacles[0];
  return fmt::format("torch.load refuses it by default (weights_only=True): it names {}",
                     some_of(refusal.globals));
}

/// As add_safe_globals() takes it. These constants have no __module__, of which torch 2.13.0 makes
/// the name.
std::string as_allowed(const std::string& name) {
  const bool is_constant = name == "builtins.Ellipsis" || name == "builtins.NotImplemented";
  return is_constant ? fmt::format("({}, \"{}\")", name, name) : name;
}

std::string refused_remedy(const LoadRefusal& refusal, CheckpointKind kind) {
  if (kind == CheckpointKind::torchscript) return "torch.jit.load(path)";
  if (refusal.archive) return std::string(kTrust) + "; then save it again";
  if (!refusal.obstacles.empty())
    return std::string(kTrust) + "; names that are allowed are not enough";
  if (kind == CheckpointKind::whole_module)
    return std::string(kTrust) + "; what state_dict() holds can be loaded without";
  std::vector<std::string> allowed;
  for (const std::string& name : refusal.globals) allowed.push_back(as_allowed(name));
  return fmt::format("{}; or first torch.serialization.add_safe_globals([{}])", kTrust,
                     fmt::join(allowed, ", "));
}

void add_refused_details(const LoadRefusal& refusal, Finding* finding) {
  for (const std::string& name : refusal.globals) {
    const std::string_view old = "numpy.core.";
    if (name.starts_with(old)) {
      finding->details.push_back(
          fmt::format("numpy 2 needs the file's spelling beside it: "
                      "add_safe_globals([(numpy._core.{}, \"{}\")])",
                      name.substr(old.size()), name));
      break;
    }
  }
  std::vector<std::string> imports;
  for (const ByImport& each : kByImport) {
    if (std::binary_search(refusal.globals.begin(), refusal.globals.end(), each.name))
      append_new({std::string(each.module)}, &imports);
  }
  for (const std::string& module : imports)
    finding->details.push_back(fmt::format("import {} allows its own names", module));
  if (refusal.archive) return;
  for (std::size_t i = refusal.globals.empty() ? 1 : 0; i < refusal.obstacles.size() && i < 5; ++i)
    finding->details.push_back("whatever is allowed, it refuses " + refusal.obstacles[i]);
}

/// Matrices that a loader which maps the file leaves at addresses which PyTorch's product of one
/// row treats apart.
struct UnalignedMatrices {
  std::vector<std::string> names;
  bool odd = false;  // not even their elements are aligned
};

UnalignedMatrices unaligned_matrices(const Checkpoint& checkpoint) {
  UnalignedMatrices found;
  if (!checkpoint.has_weights() || checkpoint.kind == CheckpointKind::trace) return found;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    const bool mapped = tensor.readable && checkpoint.files[tensor.file].container == "safetensors";
    if (!mapped || tensor.view.shape().size() < 2 || tensor.offset % kAlignment == 0) continue;
    found.names.push_back(tensor.path);
    found.odd = found.odd || tensor.offset % itemsize(tensor.view.dtype()) != 0;
  }
  return found;
}

Finding unaligned_finding(const Subject& subject, const UnalignedMatrices& found) {
  const std::size_t count = found.names.size();
  Finding finding{.cause = "numerics.alignment",
                  .role = found.odd ? Role::risk : Role::note,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary =
      fmt::format("{} at no multiple of {} in the file{}",
                  count == 1 ? "a matrix begins" : fmt::format("{} matrices begin", count),
                  kAlignment, found.odd ? ", nor of the size of an element" : "");
  finding.details = {
      "samebits computes the same bits; PyTorch at batch 1 may not, where a loader "
      "leaves the weights in the mapped file"};
  finding.evidence = {{"count", count}, {"tensors", name_list(found.names)}};
  finding.remedy = "copy.deepcopy(model) after loading moves the weights to aligned memory";
  return finding;
}

bool is_code(CheckpointKind kind) {
  return kind == CheckpointKind::whole_module || kind == CheckpointKind::torchscript;
}

std::optional<Finding> refused_finding(const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  const LoadRefusal refusal = joined_refusals(checkpoint);
  if (refusal.globals.empty() && refusal.obstacles.empty()) return std::nullopt;
  Finding finding{.cause = "load.refused",
                  .role = is_code(checkpoint.kind) ? Role::note : Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = refused_summary(refusal);
  add_refused_details(refusal, &finding);
  finding.evidence = {{"globals", name_list(refusal.globals)},
                      {"obstacles", name_list(refusal.obstacles)}};
  // What must not be loaded needs no way to load it: file.calls says so.
  const bool acts = std::ranges::any_of(
      checkpoint.calls, [](const CallSummary& call) { return call.acts && !call.plain; });
  if (!acts) finding.remedy = refused_remedy(refusal, checkpoint.kind);
  return finding;
}

}  // namespace

void find_load_refused(Report& report, const Subject& subject) {
  if (auto finding = refused_finding(subject)) add_finding(report, *std::move(finding));
}

void note_load_refused(Report& report) {
  std::vector<Finding> notes;  // one for all subjects of which it says the same
  for (const Subject& subject : report.subjects) {
    if (!subject.checkpoint || is_code(subject.checkpoint->kind)) continue;
    std::optional<Finding> finding = refused_finding(subject);
    if (!finding) continue;
    finding->role = Role::note;
    const auto said = std::ranges::find(notes, finding->summary, &Finding::summary);
    if (said == notes.end()) {
      notes.push_back(*std::move(finding));
    } else {
      said->subjects.push_back(subject.label);
    }
  }
  for (Finding& finding : notes) add_finding(report, std::move(finding));
}

void find_foreign_devices(Report& report, const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  std::vector<std::string> foreign = devices(checkpoint);
  std::erase_if(foreign, [](const std::string& device) { return !needs_map_location(device); });
  if (foreign.empty()) return;
  const bool directory = checkpoint.kind == CheckpointKind::hf_directory;
  const char* loader =
      checkpoint.kind == CheckpointKind::torchscript ? "torch.jit.load" : "torch.load";
  Finding finding{.cause = "load.refused",
                  .role = directory ? Role::note : Role::risk,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary =
      fmt::format("tensors were saved on {}: {} needs map_location on a machine without {}",
                  some_of(foreign), loader, foreign.size() == 1 ? "it" : "them");
  finding.evidence = {{"devices", name_list(foreign)}};
  finding.remedy = fmt::format("{}(path, map_location=\"cpu\")", loader);
  add_finding(report, std::move(finding));
}

void find_unaligned(Report& report, const Subject& subject) {
  const UnalignedMatrices found = unaligned_matrices(*subject.checkpoint);
  if (!found.names.empty()) add_finding(report, unaligned_finding(subject, found));
}

void find_unaligned_of_pair(Report& report, const Subject& a, const Subject& b) {
  const UnalignedMatrices left = unaligned_matrices(*a.checkpoint);
  const UnalignedMatrices right = unaligned_matrices(*b.checkpoint);
  const bool alike = left.names.size() == right.names.size() && left.odd == right.odd;
  for (const auto& [subject, found] : {std::pair(&a, &left), std::pair(&b, &right)}) {
    if (found->names.empty() || (alike && !found->odd)) continue;
    const bool told = std::ranges::any_of(report.findings, [&](const Finding& each) {
      return each.cause == "numerics.alignment" &&
             each.subjects == std::vector<std::string>{subject->label};
    });
    if (!told) add_finding(report, unaligned_finding(*subject, *found));
  }
}

}  // namespace samebits
