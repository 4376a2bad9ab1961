#include "samebits/explain/torch_runs.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/container/little_endian.h"
#include "samebits/container/safetensors.h"
#include "samebits/explain/causes.h"
#include "samebits/explain/output_pair.h"
#include "samebits/explain/subjects.h"
#include "samebits/lock/lock.h"

namespace samebits {
namespace {

constexpr const char* kTorchDocument = "samebits.torch_runs/2";

Error no_document(const std::string& found) {
  return {.code = ErrorCode::malformed,
          .what = "what PyTorch's side answered cannot be read",
          .expected = kTorchDocument,
          .found = found,
          .hint = "Give it the samebits of this version"};
}

template <class T, std::size_t n>
std::optional<T> value_named(const std::string& name, const std::array<T, n>& all,
                             const char* (*name_of)(T)) {
  const auto found = std::ranges::find_if(all, [&](T each) { return name == name_of(each); });
  return found == all.end() ? std::nullopt : std::optional(*found);
}

constexpr std::array kRoles = {Role::cause, Role::contributes, Role::risk, Role::note};
constexpr std::array kProofs = {Proof::proved, Proof::observed, Proof::suspected};

Result<Finding> torch_finding_of(const Json& json) {
  const auto role = value_named(json.at("role").get<std::string>(), kRoles, role_name);
  const auto proof = value_named(json.at("proof").get<std::string>(), kProofs, proof_name);
  Finding finding{.cause = json.at("cause"),
                  .subjects = json.at("subjects"),
                  .summary = json.at("summary"),
                  .details = json.at("details"),
                  .evidence = json.at("evidence"),
                  .remedy = json.at("remedy")};
  const bool known = std::ranges::any_of(
      causes(), [&](const Cause& each) { return each.id == std::string_view(finding.cause); });
  if (!role || !proof || !known || !has_evidence(finding)) return fail(no_document(finding.cause));
  finding.role = *role;
  finding.proof = *proof;
  return finding;
}

/// Finds the names in a subject's files of a live model's tensors.
class FileNames {
 public:
  explicit FileNames(const Subject& subject) : subject_(subject) {}

  /// The same name; or that of the only tensor with these bytes, as libraries rename what they
  /// load; or the only one that ends in it, or in which it ends. Else the live one.
  std::string of(const std::string& live, const std::string& digest) {
    std::vector<std::string> alike;
    for (const std::uint32_t index : subject_.checkpoint->weights().weights) {
      const std::string& name = subject_.checkpoint->entries[index].name;
      if (name == live) return name;
      if (name.ends_with("." + live) || live.ends_with("." + name)) alike.push_back(name);
    }
    const auto [first, last] = by_digest().equal_range(digest);
    if (first != last && std::next(first) == last) return first->second;
    return alike.size() == 1 ? alike[0] : live;
  }

 private:
  const std::multimap<std::string, std::string>& by_digest() {
    if (!by_digest_.empty()) return by_digest_;
    for (const std::uint32_t index : subject_.checkpoint->weights().weights) {
      const StoredTensor& tensor = subject_.checkpoint->entries[index];
      if (tensor.readable)
        by_digest_.emplace(digest_text(LockAlgorithm::xxh3_128, tensor.view), tensor.name);
    }
    return by_digest_;
  }

  const Subject& subject_;
  std::multimap<std::string, std::string> by_digest_;
};

/// A document whose JSON was parsed.
class TorchReading {
 public:
  TorchReading(Report& report, const Json& json, int threads)
      : report_(report), json_(json), threads_(threads) {}

  Result<void> read(Bytes file, const SafetensorsFile& tensors) {
    for (const Json& each : json_.at("assumed")) report_.assumed.push_back(each);
    for (const Json& each : json_.at("not_checked")) add_gap(report_, each, Gap::open);
    for (const Json& each : json_.at("runs"))
      report_.runs.push_back({each.at("run"), each.at("outcome")});
    RunFacts facts{.subjects = 1 + json_.at("pairs").size()};
    if (facts.subjects == 1) return {};
    for (const Json& each : json_.at("pairs")) {
      const auto label = each.at("b").get<std::string>();
      const auto b = std::ranges::find(report_.subjects, label, &Subject::label);
      if (b == report_.subjects.end() || b == report_.subjects.begin())
        return fail(no_document(label));
      SAMEBITS_TRY_VOID(read_outputs(*b, file, tensors));
      if (!each.at("equal").is_null()) facts.pairs.push_back(pair_runs(*b, each));
      if (const Json& other = each.at("other_images"); !other.is_null())
        facts.other_images.push_back(other_images(*b, other));
    }
    for (const Json& each : json_.at("findings")) {
      SAMEBITS_TRY(Finding finding, torch_finding_of(each));
      if (!are_known(finding.subjects)) return fail(no_document(finding.cause));
      facts.by_torch.push_back(std::move(finding));
    }
    report_.ran = std::move(facts);
    return {};
  }

 private:
  const std::string& first() const { return report_.subjects[0].label; }

  bool are_known(const std::vector<std::string>& labels) const {
    return std::ranges::all_of(labels, [&](const std::string& label) {
      return std::ranges::find(report_.subjects, label, &Subject::label) != report_.subjects.end();
    });
  }

  OtherImages other_images(const Subject& b, const Json& json) const {
    OtherImages other{.a = first(),
                      .b = b.label,
                      .how = json.at("how"),
                      .equal_on_one_input = json.at("equal_on_one_input")};
    if (const Json& outputs = json.at("outputs"); !outputs.is_null())
      other.outputs = OutputPair{.a = other.a,
                                 .b = other.b,
                                 .point = outputs.at("path"),
                                 .elements = outputs.at("elements"),
                                 .differing = outputs.at("differing"),
                                 .max_abs = outputs.at("max_abs")};
    return other;
  }

  PairRuns pair_runs(const Subject& b, const Json& json) const {
    PairRuns runs{.a = first(),
                  .b = b.label,
                  .equal = json.at("equal"),
                  .explained = json.at("explained"),
                  .config = json.at("fields"),
                  .mode = json.at("mode"),
                  .differing_parts = json.at("differing_tensors"),
                  .parts_are_used = false,
                  .is_minimal = json.at("is_minimal"),
                  .parting = json.at("point"),
                  .parting_text = json.at("parting")};
    FileNames names_a(report_.subjects[0]);
    FileNames names_b(b);
    for (const Json& tensor : json.at("tensors")) {
      runs.parts.push_back(tensor.at("name"));
      runs.tensors_a.push_back(names_a.of(tensor.at("name"), tensor.at("a")));
      runs.tensors_b.push_back(names_b.of(tensor.at("name"), tensor.at("b")));
    }
    return runs;
  }

  /// The first output of both, and others where they differ.
  Result<void> read_outputs(const Subject& b, Bytes file, const SafetensorsFile& tensors) {
    bool any = false;
    for (const SafetensorsEntry& other : tensors.entries) {
      if (!other.name.starts_with(b.label + ":")) continue;
      const std::string point = other.name.substr(b.label.size() + 1);
      const auto a =
          std::ranges::find(tensors.entries, first() + ":" + point, &SafetensorsEntry::name);
      if (a == tensors.entries.end()) return fail(no_document(other.name));
      SAMEBITS_TRY(const TensorView left, view_of_entry(file, *a));
      SAMEBITS_TRY(const TensorView right, view_of_entry(file, other));
      if (left.shape() != right.shape() || !have_numbers({left, right}))
        return fail(no_document(other.name));
      OutputPair pair = compare_outputs(first(), b.label, point, {left, right}, threads_);
      if (!any || pair.differing > 0) report_.outputs.push_back(std::move(pair));
      any = true;
    }
    return {};
  }

  static Result<TensorView> view_of_entry(Bytes file, const SafetensorsEntry& entry) {
    return TensorView::make(entry.dtype, entry.shape, contiguous_strides(entry.shape), 0,
                            file.subspan(entry.begin, entry.end - entry.begin));
  }

  Report& report_;
  const Json& json_;
  int threads_;
};

Result<void> read_document(Report& report, Bytes file, int threads) {
  SAMEBITS_TRY(const SafetensorsFile tensors, SafetensorsFile::open(file, kTorchDocument));
  const auto text = std::ranges::find(tensors.metadata, kTorchDocument,
                                      &std::pair<std::string, std::string>::first);
  if (text == tensors.metadata.end()) return fail(no_document("a file without it"));
  SAMEBITS_TRY(const Json json, parse_json(bytes_of_text(text->second), kTorchDocument));
  try {
    return TorchReading(report, json, threads).read(file, tensors);
  } catch (const Json::exception& error) {
    return fail(no_document(error.what()));
  }
}

bool is_directory_for_torch(const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  return checkpoint.kind == CheckpointKind::hf_directory && checkpoint.config.is_object() &&
         checkpoint.config.contains("model_type") &&
         std::ranges::any_of(checkpoint.files, [](const SourceFile& file) {
           return file.container == "safetensors";
         });
}

/// Weights without a class, each of which has a partner in A, or A's in them.
bool fits_another(const Report& report, const Subject& subject) {
  constexpr std::array kKinds = {CheckpointKind::state_dict, CheckpointKind::safetensors,
                                 CheckpointKind::lightning, CheckpointKind::training_checkpoint};
  if (std::ranges::find(kKinds, subject.checkpoint->kind) == kKinds.end()) return false;
  return std::ranges::any_of(report.weights, [&](const WeightPair& pair) {
    return (pair.a == subject.label || pair.b == subject.label) && pair.comparison.only_a.empty() &&
           pair.comparison.only_b.empty();
  });
}

}  // namespace

bool torch_may_run(const Report& report) {
  return std::ranges::all_of(report.subjects, has_weights) &&
         std::ranges::any_of(report.subjects, is_directory_for_torch) &&
         std::ranges::all_of(report.subjects, [&](const Subject& subject) {
           return is_directory_for_torch(subject) || fits_another(report, subject);
         });
}

void run_in_torch(Report& report, const TorchRuns& runs, int threads) {
  const auto give_up = [&](const Error& error) {
    add_gap(report, "outputs: " + to_string(error), Gap::open);
  };
  if (!std::ranges::all_of(report.subjects, has_weights))
    return give_up({.code = ErrorCode::unsupported,
                    .what = "PyTorch runs subjects that hold weights, all of them"});
  const Result<std::vector<std::uint8_t>> document = runs();
  if (!document) return give_up(document.error());
  if (const Result<void> read = read_document(report, *document, threads); !read)
    give_up(read.error());
}

}  // namespace samebits
