#include "samebits/compare/alignment_state.h"
#include "samebits/compare/equal_bytes.h"

namespace samebits {
namespace {

// What cannot be read is matched with nothing, and so is what stands under its name.
void set_aside_unreadable(AlignmentState& state) {
  const auto set_aside = [&](std::optional<std::uint32_t> a, std::optional<std::uint32_t> b,
                             const std::string& name) {
    state.unreadable.push_back(name);
    TensorMatch none;
    if (a) none.a = {*a};
    if (b) none.b = {*b};
    state.match(std::move(none));
    state.matches().pop_back();
  };
  for (const std::uint32_t i : state.all_free_a()) {
    const NamedTensor& tensor = state.a()[i];
    const auto other = state.b().find(tensor.name);
    if (!tensor.readable || (other && !state.b()[*other].readable))
      set_aside(i, other, tensor.name);
  }
  for (const std::uint32_t i : state.all_free_b()) {
    if (!state.b()[i].readable) set_aside(std::nullopt, i, state.b()[i].name);
  }
}

}  // namespace

void match_same_names(AlignmentState& state) {
  set_aside_unreadable(state);
  std::vector<Link> links;
  std::vector<BytePair> pairs;
  for (const std::uint32_t i : state.all_free_a()) {
    const TensorView& a = state.a()[i].view;
    const auto other = state.b().find(state.a()[i].name);
    if (!other) continue;
    const TensorView& b = state.b()[*other].view;
    if (a.dtype() != b.dtype() || a.shape() != b.shape()) continue;
    links.push_back({i, *other});
    pairs.push_back({&a, &b});
  }
  const std::vector<bool> equal = equal_bytes(pairs, state.threads());
  for (std::size_t i = 0; i < links.size(); ++i) {
    if (equal[i]) state.match(links[i], MatchKind::same);
  }
}

}  // namespace samebits
