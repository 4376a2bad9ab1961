#include "samebits/compare/alignment_state.h"

#include <algorithm>
#include <set>

namespace samebits {
namespace {

std::map<std::string, std::uint32_t> roles_of(const WeightSet& set) {
  std::map<std::string, std::uint32_t> index;
  std::set<std::string> repeated;
  for (std::uint32_t i = 0; i < set.tensors().size(); ++i) {
    if (set[i].roles.size() != 1) continue;
    if (!index.try_emplace(set[i].roles[0], i).second) repeated.insert(set[i].roles[0]);
  }
  for (const std::string& role : repeated) index.erase(role);
  return index;
}

std::vector<std::uint32_t> indexes_of(const std::vector<bool>& taken) {
  std::vector<std::uint32_t> free;
  for (std::uint32_t i = 0; i < taken.size(); ++i) {
    if (!taken[i]) free.push_back(i);
  }
  return free;
}

std::optional<std::uint32_t> by_role(const NamedTensor& tensor,
                                     const std::map<std::string, std::uint32_t>& index) {
  if (tensor.roles.size() != 1) return std::nullopt;
  const auto at = index.find(tensor.roles[0]);
  return at == index.end() ? std::nullopt : std::optional(at->second);
}

}  // namespace

AlignmentState::AlignmentState(WeightSet& a, WeightSet& b, const CompareOptions& options)
    : a_(a),
      b_(b),
      options_(options),
      taken_a_(a.tensors().size()),
      taken_b_(b.tensors().size()),
      role_a_(roles_of(a)),
      role_b_(roles_of(b)) {}

std::vector<std::uint32_t> AlignmentState::all_free_a() const { return indexes_of(taken_a_); }
std::vector<std::uint32_t> AlignmentState::all_free_b() const { return indexes_of(taken_b_); }

void AlignmentState::match(TensorMatch match) {
  for (const std::uint32_t index : match.a) taken_a_[index] = true;
  for (const std::uint32_t index : match.b) taken_b_[index] = true;
  matches_.push_back(std::move(match));
}

void AlignmentState::match(Link link, MatchKind kind, std::string how) {
  match({.a = {link.a}, .b = {link.b}, .kind = kind, .how = std::move(how), .stats = {}});
}

void AlignmentState::rematch(const std::vector<Link>& links) {
  std::set<std::uint32_t> in_a, in_b;
  for (const Link& link : links) {
    in_a.insert(link.a);
    in_b.insert(link.b);
  }
  std::erase_if(matches_, [&](const TensorMatch& match) {
    if (match.a.size() != 1 || match.b.size() != 1) return false;
    if (!in_a.contains(match.a[0]) && !in_b.contains(match.b[0])) return false;
    taken_a_[match.a[0]] = taken_b_[match.b[0]] = false;
    return true;
  });
  for (const Link& link : links)
    match(link, a_[link.a].name == b_[link.b].name ? MatchKind::same : MatchKind::renamed);
}

void AlignmentState::misplace(const Misplaced& found) {
  misplaced_.push_back(found);
  if (found.expected == found.link.b) return;
  home_in_b_[found.link.a] = found.expected;
  home_in_a_[found.expected] = found.link.a;
}

std::optional<std::uint32_t> AlignmentState::by_name_or_role(std::uint32_t index_a) const {
  if (const auto home = home_in_b_.find(index_a); home != home_in_b_.end() && free_b(home->second))
    return home->second;
  std::optional<std::uint32_t> found = b_.find(a_[index_a].name);
  if (!found) {
    found = by_role(a_[index_a], role_b_);
    // A name that A has too says more than a role.
    if (found && a_.find(b_[*found].name)) found.reset();
  }
  return found && free_b(*found) ? found : std::nullopt;
}

std::optional<std::uint32_t> AlignmentState::back_by_name_or_role(std::uint32_t index_b) const {
  if (const auto home = home_in_a_.find(index_b); home != home_in_a_.end() && free_a(home->second))
    return home->second;
  std::optional<std::uint32_t> found = a_.find(b_[index_b].name);
  if (!found) {
    found = by_role(b_[index_b], role_a_);
    if (found && b_.find(a_[*found].name)) found.reset();
  }
  return found && free_a(*found) ? found : std::nullopt;
}

std::vector<std::uint32_t> AlignmentState::of_roles(bool in_a,
                                                    const std::vector<std::string>& roles) const {
  const auto& index = in_a ? role_a_ : role_b_;
  std::vector<std::uint32_t> found;
  for (const std::string& role : roles) {
    const auto at = index.find(role);
    if (at == index.end() || !(in_a ? free_a(at->second) : free_b(at->second))) return {};
    found.push_back(at->second);
  }
  return found;
}

std::optional<std::uint32_t> AlignmentState::expected(std::uint32_t index_a) const {
  if (const auto found = by_name_or_role(index_a)) return found;
  const std::string& name = a_[index_a].name;
  const auto usable = [&](const std::string& other) {
    const auto found = b_.find(other);
    return found && free_b(*found) && !a_.find(other) ? found : std::nullopt;
  };
  if (const auto found = usable(rules_.apply(name))) return found;
  const auto other = modules_.name_of(name);
  return other ? usable(*other) : std::nullopt;
}

bool AlignmentState::learn_rules(const std::vector<NamePair>& examples) {
  const bool explained =
      learnt_from_ > 0 && learnt_from_ <= examples.size() &&
      std::all_of(examples.begin(), examples.end(),
                  [&](const NamePair& example) { return rules_.apply(example.a) == example.b; });
  if (learnt_from_ != examples.size()) modules_.learn(examples);
  learnt_from_ = examples.size();
  if (explained) return false;
  rules_ = RenameRules::learn(examples);
  rules_of_matches_.reset();
  return true;
}

void AlignmentState::learn_rules() {
  if (rules_of_matches_ == matches_.size()) return;
  if (learn_rules(renamed_pairs())) rules_of_matches_ = matches_.size();
}

const RenameRules& AlignmentState::rules_of_matches() {
  if (rules_of_matches_ != matches_.size()) {
    rules_ = RenameRules::learn(renamed_pairs());
    rules_of_matches_ = matches_.size();
  }
  return rules_;
}

std::vector<NamePair> AlignmentState::renamed_pairs() const {
  std::vector<NamePair> pairs;
  for (const TensorMatch& match : matches_) {
    if (match.a.size() != 1 || match.b.size() != 1 || match.kind == MatchKind::exchanged) continue;
    const std::string& a = a_[match.a[0]].name;
    const std::string& b = b_[match.b[0]].name;
    if (a != b) pairs.push_back({a, b});
  }
  return pairs;
}

}  // namespace samebits
