#include "samebits/explain/loaded_dtype.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "samebits/base/parallel.h"
#include "samebits/compare/number_block.h"
#include "samebits/compare/rounding.h"
#include "samebits/explain/directory_load.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// The type that config.json names, under either spelling.
std::optional<DType> config_dtype(const Checkpoint& checkpoint) {
  if (checkpoint.kind != CheckpointKind::hf_directory || !checkpoint.config.is_object())
    return std::nullopt;
  for (const char* field : {"dtype", "torch_dtype"}) {
    const auto found = checkpoint.config.find(field);
    if (found == checkpoint.config.end() || !found->is_string()) continue;
    std::string name = found->get<std::string>();
    if (name.starts_with("torch.")) name.erase(0, 6);
    return dtype_from_torch(name);
  }
  return std::nullopt;
}

/// Whether every number of `type` is one of `other`.
bool holds_all(DType other, DType type) {
  return other == type || other == DType::float64 ||
         (other == DType::float32 && itemsize(type) < itemsize(other));
}

const StoredTensor* find_weight(const Checkpoint& checkpoint, const std::string& name) {
  for (const std::uint32_t index : checkpoint.weights().weights)
    if (checkpoint.entries[index].name == name) return &checkpoint.entries[index];
  return nullptr;
}

/// Whether the cast changes a number. Reads until it finds one.
bool changes_a_value(const Checkpoint& checkpoint, const LoadedDtype& loaded, int threads) {
  constexpr std::uint64_t kCastBlock = 1 << 16;
  std::atomic<bool> changes{false};
  parallel_for(loaded.wider.size(), threads, [&](std::size_t i) {
    const StoredTensor* tensor = find_weight(checkpoint, loaded.wider[i]);
    if (tensor == nullptr || !tensor->readable) return;
    NumberBlock own;
    NumberBlock cast;
    for (std::uint64_t at = 0; at < tensor->view.numel() && !changes; at += kCastBlock) {
      const std::uint64_t count = std::min(kCastBlock, tensor->view.numel() - at);
      own.load(tensor->view, at, count);
      cast.load(tensor->view, at, count);
      round_all(loaded.type, cast.numbers());
      for (std::size_t j = 0; j < count; ++j)
        if (own.numbers()[j] != cast.numbers()[j] && !std::isnan(own.numbers()[j])) changes = true;
    }
  });
  return changes;
}

std::string cast_text(const LoadedDtype& loaded) {
  const std::string_view type = info(loaded.type).torch;
  return fmt::format(
      "{} of {}, and config.json says {}: from_pretrained of transformers 5.24.0 casts them to {}, "
      "that of 4.57.6 does not",
      counted_of(loaded.wider.size(), loaded.total, "weight", "is", "are"), loaded.from, type,
      type);
}

Finding dtype_finding(const Subject& subject, const LoadedDtype& loaded) {
  Finding finding{.cause = "numerics.dtype",
                  .role = Role::note,
                  .proof = Proof::observed,
                  .subjects = {subject.label}};
  finding.summary = cast_text(loaded);
  finding.details.emplace_back(
      "each takes the type that the call names (dtype=, torch_dtype=); without one 4.57.6 takes "
      "float32, 5.24.0 that of config.json");
  finding.evidence = {{"count", loaded.wider.size()},
                      {"tensors", name_list(loaded.wider)},
                      {"config", info(loaded.type).torch}};
  finding.remedy = fmt::format(
      "Pass dtype=torch.{} to from_pretrained, or say it in config.json, to keep the values of the "
      "file",
      loaded.from.find(' ') == std::string::npos ? loaded.from : "float32");
  return finding;
}

bool loads_into_5(const Report& report) {
  return std::ranges::any_of(report.loads, [](const LoadReport& load) {
    return load.target.starts_with("transformers-5") && load.way == "from_pretrained";
  });
}

}  // namespace

std::optional<LoadedDtype> narrowing_dtype(const Checkpoint& checkpoint) {
  const auto type = config_dtype(checkpoint);
  if (!type || !can_round_to(*type) || !checkpoint.has_weights() ||
      !quantization_method(checkpoint).empty())
    return std::nullopt;
  LoadedDtype loaded{.type = *type};
  std::set<std::string> from;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const StoredTensor& tensor = checkpoint.entries[index];
    if (!is_floating(tensor.view.dtype())) continue;
    ++loaded.total;
    if (holds_all(*type, tensor.view.dtype()) || !tensor.identity.empty()) continue;
    loaded.wider.push_back(tensor.name);
    from.insert(std::string(info(tensor.view.dtype()).torch));
  }
  if (loaded.wider.empty()) return std::nullopt;
  loaded.from = from.size() == 1 ? *from.begin() : fmt::format("{} types", from.size());
  return loaded;
}

std::string weights_dtype(const Checkpoint& checkpoint) {
  if (checkpoint.kind != CheckpointKind::hf_directory || !checkpoint.has_weights() ||
      !quantization_method(checkpoint).empty())
    return "";
  std::set<std::string_view> types;
  for (const std::uint32_t index : checkpoint.weights().weights) {
    const DType type = checkpoint.entries[index].view.dtype();
    if (is_floating(type)) types.insert(info(type).torch);
  }
  return types.size() == 1 ? std::string(*types.begin()) : "";
}

void find_loaded_dtype(Report& report, const Subject& subject) {
  const auto loaded = narrowing_dtype(*subject.checkpoint);
  if (!loaded) return;
  Finding finding = dtype_finding(subject, *loaded);
  constexpr int kOneThread = 1;
  if (report.command == "check" && loads_into_5(report)) {
    const bool changes = changes_a_value(*subject.checkpoint, *loaded, kOneThread);
    if (changes) finding.role = Role::risk;
    finding.details.emplace_back(changes ? "values change by the cast"
                                         : "every value is held exactly: the cast changes none");
  }
  if (finding.role == Role::note) finding.remedy.clear();
  add_finding(report, std::move(finding));
}

void find_loaded_dtype_of_pair(Report& report, const Subject& a, const Subject& b) {
  const auto of_a = narrowing_dtype(*a.checkpoint);
  const auto of_b = narrowing_dtype(*b.checkpoint);
  const WeightPair* pair = weights_of(report, a, b);
  const bool are_equal = pair != nullptr && says_equal(pair->comparison.verdict);
  const bool alike = of_a && of_b && of_a->type == of_b->type;
  for (const auto& [subject, loaded] : {std::pair(&a, &of_a), std::pair(&b, &of_b)}) {
    if (!*loaded || (alike && subject == &b)) continue;
    const bool told = std::ranges::any_of(report.findings, [&](const Finding& each) {
      return each.cause == "numerics.dtype" &&
             each.subjects == std::vector<std::string>{subject->label};
    });
    if (told) continue;
    Finding finding = dtype_finding(*subject, **loaded);
    if (alike) finding.subjects = {a.label, b.label};
    if (are_equal && !alike) finding.role = Role::risk;
    if (finding.role == Role::note) finding.remedy.clear();
    add_finding(report, std::move(finding));
  }
}

}  // namespace samebits
