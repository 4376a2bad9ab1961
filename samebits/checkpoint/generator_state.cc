#include "samebits/checkpoint/generator_state.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "samebits/checkpoint/candidates.h"
#include "samebits/checkpoint/numpy_objects.h"

namespace samebits {
namespace {

using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

constexpr std::uint64_t kTorchBytes = 5056;
constexpr std::size_t kWords = 624;
// at::CPUGeneratorImplState (ATen/CPUGeneratorImpl.cpp): seed, left, seeded, next, 624 words of 64
// bits each, normal numbers that are kept.
constexpr std::size_t kLeftAt = 8, kSeededAt = 12, kNextAt = 16, kWordsAt = 24;
constexpr std::array kDevices = std::to_array<std::string_view>(
    {"cuda", "gpu", "xpu", "mps", "npu", "hpu", "mlu", "musa", "xla"});
constexpr std::array kOwners =
    std::to_array<std::string_view>({"loader", "sampler", "shuffle", "dataset"});

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  return text;
}

std::string device_in(const std::string& path) {
  for (const std::string_view name : kDevices) {
    if (path.find(name) != std::string::npos) return name == "gpu" ? "cuda" : std::string(name);
  }
  return "";
}

/// A key of the path that only generators' states stand under, or "random_states_0.pkl:...".
bool is_below_rng_key(const std::string& path) {
  std::size_t begin = 0;
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find_first_of(".:", begin), path.size());
    const std::string key = path.substr(begin, end - begin);
    if (is_rng_key(key) || key.find("manual_seed") != std::string::npos) return true;
    begin = end + 1;
  }
  return false;
}

/// (3, (624 words, position), kept normal or None)
std::optional<GeneratorState> python_state(const Tree& tree, NodeId node) {
  const auto parts = elements(tree, node);
  if (parts.size() != 3 || as_integer(tree, parts[0]) != 3) return std::nullopt;
  const auto words = elements(tree, parts[1]);
  if (words.size() != kWords + 1) return std::nullopt;
  return GeneratorState{.kind = GeneratorKind::python, .position = as_integer(tree, words[kWords])};
}

/// ('MT19937', words, position, ...), or get_state(legacy=False) and bit_generator.state.
std::optional<GeneratorState> numpy_state(const Tree& tree, NodeId node) {
  GeneratorState state{.kind = GeneratorKind::numpy};
  const auto parts = elements(tree, node);
  if (parts.size() >= 3 && as_string(tree, parts[0]) == "MT19937") {
    state.position = as_integer(tree, parts[2]);
    return state;
  }
  if (!is_mapping(tree, node)) return std::nullopt;
  NodeId inner = kNone;
  bool named = false;
  for (const KeyValue& item : mapping_items(tree, node)) {
    named = named || item.key == "bit_generator";
    if (item.key == "state") inner = item.value;
  }
  if (!named || inner == kNone) return std::nullopt;
  for (const KeyValue& item :
       is_mapping(tree, inner) ? mapping_items(tree, inner) : std::vector<KeyValue>()) {
    if (item.key == "pos") state.position = as_integer(tree, item.value);
  }
  return state;
}

/// torch's state as an array of numpy: get_rng_state().numpy().
bool is_torch_array(const Tree& tree, NodeId node) {
  if (!is_numpy_array(tree, node)) return false;
  const auto array = read_numpy_array(tree, node, {}, "");
  return array && array->view.dtype() == DType::uint8 && array->view.numel() == kTorchBytes;
}

std::optional<GeneratorState> torch_state(const Checkpoint& checkpoint, const EntryIndex& index,
                                          const std::string& path) {
  const auto found = index.find(path);
  if (found == index.end()) return std::nullopt;
  const StoredTensor& tensor = checkpoint.entries[found->second];
  const bool bytes = tensor.readable && tensor.view.dtype() == DType::uint8 &&
                     tensor.view.shape().size() == 1 && tensor.view.numel() > 0;
  if (!bytes) return std::nullopt;
  const std::string key = lower_case(path);
  const std::string device = device_in(key);
  const bool on_device = !device.empty() && is_below_rng_key(key);
  const bool by_name = is_below_rng_key(key) && (key.ends_with("torch") || key.ends_with("cpu"));
  if (!on_device && !by_name && tensor.view.numel() != kTorchBytes) return std::nullopt;
  return GeneratorState{.kind = on_device ? GeneratorKind::device : GeneratorKind::torch,
                        .device = on_device ? device : "",
                        .entry = found->second};
}

template <class T>
T read_at(Bytes bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace

bool holds_generator(const TensorView& view) {
  if (view.dtype() != DType::uint8 || view.numel() != kTorchBytes || view.shape().size() != 1)
    return false;
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = view.row_major_bytes(buffer);
  const auto left = read_at<std::int32_t>(bytes, kLeftAt);
  if (left < 1 || left > static_cast<std::int32_t>(kWords)) return false;
  if (read_at<std::int32_t>(bytes, kSeededAt) != 1) return false;
  if (read_at<std::uint64_t>(bytes, kNextAt) > kWords) return false;
  for (std::size_t i = 0; i < kWords; ++i) {
    if (read_at<std::uint64_t>(bytes, kWordsAt + i * sizeof(std::uint64_t)) >> 32U != 0)
      return false;
  }
  return true;
}

std::optional<GeneratorState> read_generator_state(const Checkpoint& checkpoint,
                                                   const EntryIndex& index, const Tree& tree,
                                                   NodeId node, const std::string& path) {
  NodeId inner = node;
  if (class_of(tree, node) == "random.Random" && !tree.states(node).empty())
    inner = tree.states(node).back();
  std::optional<GeneratorState> state = python_state(tree, inner);
  if (!state) state = numpy_state(tree, inner);
  if (!state) state = torch_state(checkpoint, index, path);
  if (!state && is_torch_array(tree, node)) state = GeneratorState{.kind = GeneratorKind::torch};
  if (!state) return std::nullopt;
  const std::string key = lower_case(path);
  state->place = path;
  state->is_own = std::ranges::any_of(
      kOwners, [&](std::string_view owner) { return key.find(owner) != std::string::npos; });
  if (!is_below_rng_key(key) && key.find("generator") != std::string::npos) state->is_own = true;
  return state;
}

}  // namespace samebits
