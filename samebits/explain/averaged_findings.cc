#include "samebits/explain/averaged_findings.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "samebits/checkpoint/candidates.h"
#include "samebits/explain/running_statistics.h"
#include "samebits/explain/subjects.h"
#include "samebits/explain/weight_findings.h"

namespace samebits {
namespace {

/// Weights beside the chosen ones.
struct Alternative {
  Candidate weights;
  std::string option;  // the key that --key takes for them; "" where it takes none
};

/// The parts of a candidate that stand under a key for averages: "ema.ema_model" of what
/// ema_pytorch writes, "callbacks.EMACallback.ema_state_dict".
std::vector<Alternative> averaged_parts(const Checkpoint& checkpoint, std::size_t candidate) {
  constexpr std::size_t kMostPieces = 6;
  const Candidate& whole = checkpoint.candidates[candidate];
  std::map<std::string, Candidate> parts;
  for (const std::uint32_t index : whole.weights) {
    const std::string& path = checkpoint.entries[index].path;
    std::size_t begin = 0;
    for (std::size_t piece = 0; piece < kMostPieces; ++piece) {
      const std::size_t dot = path.find('.', begin);
      if (dot == std::string::npos) break;
      if (dot > whole.key.size() && is_average_key(path.substr(begin, dot - begin)))
        parts[path.substr(0, dot)].weights.push_back(index);
      begin = dot + 1;
    }
  }
  std::vector<Alternative> found;
  for (auto at = parts.rbegin(); at != parts.rend(); ++at) {  // the longest key first
    auto& [prefix, part] = *at;
    const bool is_whole = part.weights.size() == whole.weights.size();
    if (is_whole && candidate == checkpoint.chosen) continue;
    part.key = prefix;
    found.push_back({std::move(part), is_whole ? whole.key : ""});
  }
  return found;
}

std::vector<Alternative> alternatives_of(const Checkpoint& checkpoint) {
  std::vector<Alternative> found;
  for (std::size_t i = 0; i < checkpoint.candidates.size(); ++i) {
    for (Alternative& part : averaged_parts(checkpoint, i)) found.push_back(std::move(part));
  }
  for (std::size_t i = 0; i < checkpoint.candidates.size(); ++i) {
    const Candidate& candidate = checkpoint.candidates[i];
    if (i != checkpoint.chosen && !candidate.weights.empty())
      found.push_back({candidate, candidate.key});
  }
  return found;
}

/// How many tensors the alternative has beyond the other's weights, where it holds the values of
/// all of these: an average may keep a counter of its own, a teacher a head, and either may leave
/// out statistics that it does not average. Nothing where it does not hold them.
std::optional<std::ptrdiff_t> tensors_beyond(const Checkpoint& holder, const Candidate& alternative,
                                             const Checkpoint& other, int threads) {
  WeightSet own = weight_set(holder, alternative);
  WeightSet chosen = weight_set(other, other.weights());
  const WeightComparison found = compare_weights(own, chosen, {threads});
  const auto is_counter = [&](const std::string& name) {
    return own[*own.find(name)].view.numel() <= 1;
  };
  const bool is_equal = std::ranges::all_of(found.matches, [](const TensorMatch& match) {
    return match.kind != MatchKind::changed && match.kind != MatchKind::exchanged &&
           match.kind != MatchKind::rounded && !match.in_place;
  });
  const bool shows_it = std::ranges::any_of(
      found.matches, [&](const TensorMatch& match) { return !own.is_constant(match.a[0]); });
  if (!is_equal || !shows_it || !found.exchanges.empty() || !found.unreadable.empty() ||
      !found.unsearched.empty() || !std::ranges::all_of(found.only_b, is_running_statistic))
    return std::nullopt;
  return std::ranges::count_if(found.only_a,
                               [&](const std::string& name) { return !is_counter(name); });
}

std::set<std::string> all_that_differs(const Report& report, const WeightPair& pair) {
  const Subject& a = subject_of(report, pair.a);
  std::set<std::string> names;
  names.insert(pair.comparison.only_a.begin(), pair.comparison.only_a.end());
  names.insert(pair.comparison.only_b.begin(), pair.comparison.only_b.end());
  for (const TensorMatch& match : pair.comparison.matches) {
    if (match.kind == MatchKind::changed) names.insert(weight_name(a, match.a[0]));
  }
  return names;
}

std::string averaging_text(const std::string& alternative, const std::string& chosen) {
  // What Lightning's WeightAveraging writes: the average is the state_dict.
  if (alternative == "current_model_state" || chosen == "current_model_state")
    return "state_dict holds the running average there, current_model_state what it was taken of";
  if (is_average_key(alternative) || is_average_key(chosen))
    return "by their names one of the two is a running average (EMA) of the other";
  return "";
}

/// As an average and what it was taken of: two models of one dict ("generator", "discriminator")
/// are not.
bool are_close(const WeightComparison& comparison) {
  constexpr double kAlike = 0.9;
  const ChangeExtent extent = change_extent(comparison);
  return extent.changed > 0 && extent.median_cosine > kAlike;
}

Finding averaged_finding(const WeightPair& pair, const Subject& holder, const Subject& other,
                         const Alternative& alternative, const std::set<std::string>& names) {
  const std::string& key = alternative.weights.key;
  const std::string& chosen = holder.checkpoint->weights().key;
  const std::string under = chosen.empty() ? "at the top" : "under " + chosen;
  Finding finding{.cause = "weights.averaged",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {pair.a, pair.b}};
  finding.summary = fmt::format("{} holds the weights that stand in {} under {}, not those {}",
                                other.label, holder.label, key, under);
  finding.details.push_back(fmt::format(
      "compared number by number: {}'s weights are equal to the averaged ones", other.label));
  const std::string averaging = averaging_text(key, chosen);
  if (!averaging.empty()) finding.details.push_back(averaging);
  if (averaging.empty() && !are_close(pair.comparison)) finding.cause = "weights.changed";
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list({names.begin(), names.end()})},
                      {"key", key},
                      {"chosen", chosen}};
  finding.remedy = alternative.option.empty()
                       ? fmt::format(
                             "Take the same weights on both sides: those of {} whose names "
                             "begin with {}., a part that --key does not take alone",
                             holder.label, key)
                       : fmt::format("Take the same weights on both sides: --key {}={}",
                                     holder.label, alternative.option);
  return finding;
}

/// The count that torch's AveragedModel keeps beside its weights.
constexpr std::string_view kAverages = "n_averaged";

bool is_averaged_model(const Subject& subject) {
  const auto& weights = subject.checkpoint->weights().weights;
  return std::ranges::any_of(weights, [&](std::uint32_t index) {
    const StoredTensor& tensor = subject.checkpoint->entries[index];
    return tensor.name == kAverages && tensor.view.numel() == 1;
  });
}

/// One side is the state of an AveragedModel: an average of weights; that it was taken of the
/// other's is likely where the two are close.
void find_averaged_model(Report& report, const WeightPair& pair, const Subject& a,
                         const Subject& b) {
  if (is_averaged_model(a) == is_averaged_model(b) || !are_close(pair.comparison)) return;
  const Subject& average = is_averaged_model(a) ? a : b;
  const Subject& raw = &average == &a ? b : a;
  std::vector<std::string> names;
  for (const TensorMatch& match : pair.comparison.matches)
    if (match.kind == MatchKind::changed) names.push_back(weight_name(a, match.a[0]));
  Finding finding{.cause = "weights.averaged",
                  .role = Role::contributes,
                  .proof = Proof::suspected,
                  .subjects = {pair.a, pair.b}};
  finding.summary = fmt::format(
      "{} holds averaged weights: {} is the count of torch's AveragedModel; {} is close to them, "
      "as what they were taken of",
      average.label, kAverages, raw.label);
  finding.details.push_back(
      fmt::format("median cosine {:.3f}", change_extent(pair.comparison).median_cosine));
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list(names)},
                      {"key", nullptr},
                      {"chosen", nullptr}};
  finding.settle = "Average the weights of the training's steps again, and compare with these";
  finding.remedy =
      "Take the same weights on both sides: the averaged ones, or those of the training";
  add_finding(report, std::move(finding));
}

}  // namespace

std::set<std::string> find_averaged(Report& report, const WeightPair& pair, int threads) {
  if (says_equal(pair.comparison.verdict)) return {};
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  for (const bool a_holds : {true, false}) {
    const Subject& holder = a_holds ? a : b;
    const Subject& other = a_holds ? b : a;
    for (const Alternative& alternative : alternatives_of(*holder.checkpoint)) {
      const auto beyond =
          tensors_beyond(*holder.checkpoint, alternative.weights, *other.checkpoint, threads);
      // Of a part that both hold, the chosen weights would say the same.
      if (!beyond || (*beyond > 0 && pair.comparison.changed == 0)) continue;
      const std::set<std::string> names = all_that_differs(report, pair);
      Finding finding = averaged_finding(pair, holder, other, alternative, names);
      if (*beyond > 0)
        finding.details.push_back(fmt::format(
            "{} under {} {} beside them", counted(static_cast<std::uint64_t>(*beyond), "tensor"),
            alternative.weights.key, *beyond == 1 ? "stands" : "stand"));
      add_finding(report, std::move(finding));
      return names;
    }
  }
  find_averaged_model(report, pair, a, b);
  return {};
}

}  // namespace samebits
