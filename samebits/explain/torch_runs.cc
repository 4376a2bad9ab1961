#include "samebits/explain/torch_runs.h"

#include <algorithm>
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

constexpr const char* kTorchDocument = "samebits.torch_runs/1";

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
    if (const Json& error = json_.at("error"); !error.is_null()) {
      add_gap(report_, "outputs: " + error.get<std::string>(), Gap::open);
      return {};
    }
    SAMEBITS_TRY_VOID(read_outputs(file, tensors));
    RunFacts facts{.subjects = 2};
    for (const Json& each : json_.at("findings")) {
      SAMEBITS_TRY(Finding finding, torch_finding_of(each));
      facts.by_torch.push_back(std::move(finding));
    }
    if (!json_.at("equal").is_null()) facts.pairs.push_back(pair_runs());
    report_.ran = std::move(facts);
    return {};
  }

 private:
  PairRuns pair_runs() const {
    PairRuns runs{.a = report_.subjects[0].label,
                  .b = report_.subjects[1].label,
                  .equal = json_.at("equal"),
                  .explained = json_.at("explained"),
                  .config = json_.at("fields"),
                  .mode = json_.at("mode"),
                  .differing_parts = json_.at("differing_tensors"),
                  .parts_are_used = false,
                  .is_minimal = json_.at("is_minimal"),
                  .parting = json_.at("point"),
                  .parting_text = json_.at("parting")};
    FileNames names_a(report_.subjects[0]);
    FileNames names_b(report_.subjects[1]);
    for (const Json& tensor : json_.at("tensors")) {
      runs.parts.push_back(tensor.at("name"));
      runs.tensors_a.push_back(names_a.of(tensor.at("name"), tensor.at("a")));
      runs.tensors_b.push_back(names_b.of(tensor.at("name"), tensor.at("b")));
    }
    return runs;
  }

  /// The first output of both, and others where they differ.
  Result<void> read_outputs(Bytes file, const SafetensorsFile& tensors) {
    for (const SafetensorsEntry& a : tensors.entries) {
      if (!a.name.starts_with("a:")) continue;
      const std::string point = a.name.substr(2);
      const auto b = std::ranges::find(tensors.entries, "b:" + point, &SafetensorsEntry::name);
      if (b == tensors.entries.end()) return fail(no_document(a.name));
      SAMEBITS_TRY(const TensorView left, view_of_entry(file, a));
      SAMEBITS_TRY(const TensorView right, view_of_entry(file, *b));
      if (left.shape() != right.shape() || !have_numbers({left, right}))
        return fail(no_document(a.name));
      OutputPair pair = compare_outputs(report_.subjects[0].label, report_.subjects[1].label, point,
                                        {left, right}, threads_);
      if (report_.outputs.empty() || pair.differing > 0) report_.outputs.push_back(std::move(pair));
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

}  // namespace

bool torch_may_run(const Report& report) {
  return report.subjects.size() == 2 &&
         std::ranges::all_of(report.subjects, [](const Subject& subject) {
           if (!has_weights(subject) || subject.checkpoint->kind != CheckpointKind::hf_directory ||
               !subject.checkpoint->config.is_object() ||
               !subject.checkpoint->config.contains("model_type"))
             return false;
           return std::ranges::any_of(subject.checkpoint->files, [](const SourceFile& file) {
             return file.container == "safetensors";
           });
         });
}

void run_in_torch(Report& report, const TorchRuns& runs, int threads) {
  const auto give_up = [&](const Error& error) {
    add_gap(report, "outputs: " + to_string(error), Gap::open);
  };
  if (!std::ranges::all_of(report.subjects, has_weights))
    return give_up({.code = ErrorCode::unsupported,
                    .what = "PyTorch runs subjects that hold weights, both of them"});
  const Result<std::vector<std::uint8_t>> document = runs();
  if (!document) return give_up(document.error());
  if (const Result<void> read = read_document(report, *document, threads); !read)
    give_up(read.error());
}

}  // namespace samebits
