#include "samebits/checkpoint/zero_directory.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/choice.h"
#include "samebits/checkpoint/file_reader.h"
#include "samebits/checkpoint/object_reader.h"
#include "samebits/checkpoint/optimizer_state.h"
#include "samebits/checkpoint/zero_states.h"
#include "samebits/tensor/dtype.h"

namespace samebits {
namespace {

constexpr std::string_view kModelEnd = "_model_states.pt";
constexpr std::string_view kPartitionEnd = "_optim_states.pt";
constexpr const char* kWholeSave = "Copy the whole directory, as all ranks wrote it";

ZeroFiles zero_files_in(const std::string& directory) {
  ZeroFiles files{.folder = directory};
  std::error_code error;
  for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (name.ends_with(kModelEnd)) files.models.push_back(name);
    if (name.ends_with(kPartitionEnd)) files.partitions.push_back(name);
  }
  for (std::vector<std::string>* names : {&files.models, &files.partitions})
    std::ranges::sort(*names, {}, [](const std::string& name) {
      return std::pair(rank_of_zero_file(name).value_or(0), name);
    });
  return files;
}

/// The folder that DeepSpeed's file `latest` names, "" where none does.
std::string latest_folder(const std::string& directory) {
  constexpr std::size_t kLongest = 255;
  const auto map = MappedFile::open(directory + "/latest");
  if (!map || (*map)->size() == 0 || (*map)->size() > kLongest) return "";
  std::string tag(as_text((*map)->bytes()));
  while (!tag.empty() && (tag.back() == '\n' || tag.back() == ' ')) tag.pop_back();
  const bool plain = tag.find('/') == std::string::npos && tag.find('\0') == std::string::npos;
  return plain && tag != "." && tag != ".." ? tag : "";
}

/// Flat tensors one behind the other.
struct Strip {
  std::vector<const StoredTensor*> tensors;
  std::uint64_t numel() const {
    std::uint64_t count = 0;
    for (const StoredTensor* tensor : tensors) count += tensor->view.numel();
    return count;
  }
};

/// Elements [begin, begin + count) of one of them.
struct Fragment {
  const StoredTensor* tensor;
  std::uint64_t begin, count;
};

void add_fragments(const Strip& strip, std::uint64_t begin, std::uint64_t count,
                   std::vector<Fragment>& fragments) {
  for (const StoredTensor* tensor : strip.tensors) {
    const std::uint64_t size = tensor->view.numel();
    if (begin < size && count > 0) {
      const std::uint64_t taken = std::min(count, size - begin);
      fragments.push_back({tensor, begin, taken});
      begin += taken;
      count -= taken;
    }
    if (count == 0) return;
    begin -= size;
  }
}

class ZeroReader {
 public:
  ZeroReader(Checkpoint& checkpoint, const ZeroFiles& files) : out_(checkpoint), files_(files) {}

  Result<void> read() {
    out_.kind = CheckpointKind::training_checkpoint;
    if (files_.models.empty())
      return fail(cannot("no file of model states is there, which name its weights"));
    for (const auto* names : {&files_.models, &files_.partitions})
      for (const std::string& name : *names)
        if (name.find("mp_rank_00_") == std::string::npos) return fail(parallel_error(name));
    SAMEBITS_TRY(model_, read_model(files_.models[0]));
    if (!model_.frozen.empty() && files_.models.size() > 1)
      for (std::size_t i = 1; i < files_.models.size(); ++i)
        SAMEBITS_TRY_VOID(read_model(files_.models[i]));
    for (const std::string& name : files_.partitions) SAMEBITS_TRY_VOID(read_partition(name));
    SAMEBITS_TRY_VOID(add_fp32_weights());
    add_module_candidate();
    return {};
  }

 private:
  Error cannot(std::string what, const std::string& file = "") const {
    return {
        .code = ErrorCode::inconsistent,
        .what = "the weights of this ZeRO checkpoint cannot be put together: " + std::move(what),
        .file = file.empty() ? files_.folder : files_.folder + "/" + file,
        .hint = kWholeSave};
  }

  Error parallel_error(const std::string& name) const {
    return {.code = ErrorCode::unsupported,
            .what =
                "the checkpoint is of a model that is split over ranks by tensor or pipeline "
                "parallelism",
            .file = files_.folder + "/" + name,
            .expected = "files of mp_rank_00 alone",
            .hint = "Put it together with DeepSpeed's ds_to_universal.py"};
  }

  Result<void> read_one(const std::string& name, TensorRole role,
                        const std::function<void(const TorchObject&)>& take) {
    const std::string path = files_.folder + "/" + name;
    SAMEBITS_TRY(auto map, MappedFile::open(path));
    out_.files.push_back({path, "", std::move(map)});
    FilePart part{.file = static_cast<std::uint32_t>(out_.files.size() - 1),
                  .main = false,
                  .prefix = name + ":",
                  .role = role};
    part.then = [&](const Checkpoint&, const TorchObject& object) { take(object); };
    return read_file(out_, part);
  }

  Result<ZeroModelState> read_model(const std::string& name) {
    ZeroModelState state;
    SAMEBITS_TRY_VOID(read_one(name, TensorRole::other, [&](const TorchObject& object) {
      state = zero_model_state(object.tree, object.root);
    }));
    return state;
  }

  Result<void> read_partition(const std::string& name) {
    ZeroPartitionState state;
    SAMEBITS_TRY_VOID(read_one(name, TensorRole::optimizer, [&](const TorchObject& object) {
      state = zero_partition_state(object.tree, object.root);
    }));
    if (state.stage) stage_ = state.stage;
    world_ = std::max<std::uint64_t>(world_, state.partitions);
    return {};
  }

  /// BF16_Optimizer without ZeRO has partitions, too, and no stage: zero_to_fp32 refuses it.
  Result<void> add_fp32_weights() {
    if (files_.partitions.empty() || !stage_) return {};
    out_.training.optimizer = files_.tag.empty() ? files_.partitions[0] : files_.tag;
    if (!model_.has_shapes) return fail(cannot("no param_shapes are in it", files_.models[0]));
    if (world_ != files_.partitions.size()) return note_absent_partitions();
    index_ = index_entries(out_);
    SAMEBITS_TRY_VOID(find_flat_groups());
    add_buffers();
    SAMEBITS_TRY_VOID(*stage_ >= 3 ? add_third_stage() : add_lower_stages());
    add_shared();
    Candidate weights;
    weights.key = "fp32";
    drop_flat_entries();
    for (StoredTensor& tensor : made_) {
      weights.weights.push_back(static_cast<std::uint32_t>(out_.entries.size()));
      out_.entries.push_back(std::move(tensor));
    }
    if (!weights.weights.empty()) out_.candidates.push_back(std::move(weights));
    return {};
  }

  Result<void> note_absent_partitions() {
    Error error = cannot(
        "its optimizer's state, and in it the weights in float32, was written in "
        "other partitions than are there");
    error.expected = fmt::format("{} files *{}", world_, kPartitionEnd);
    error.found = std::to_string(files_.partitions.size());
    if (*stage_ >= 3) return fail(std::move(error));
    out_.unread.push_back(std::move(error));
    return {};
  }

  const StoredTensor* entry(const std::string& path) const {
    const auto found = index_.find(path);
    return found == index_.end() ? nullptr : &out_.entries[found->second];
  }

  Result<void> find_flat_groups() {
    const char* key = *stage_ >= 3 ? "fp32_flat_groups" : "single_partition_of_fp32_groups";
    for (const std::string& name : files_.partitions) {
      std::vector<const StoredTensor*> groups;
      for (std::size_t i = 0;; ++i) {
        const StoredTensor* flat =
            entry(fmt::format("{}:optimizer_state_dict.{}.{}", name, key, i));
        if (flat == nullptr) break;
        if (!flat->readable) return fail(cannot("a partition has no bytes", name));
        groups.push_back(flat);
      }
      if (groups.empty() || groups.size() != (flat_.empty() ? groups : flat_[0]).size())
        return fail(cannot(fmt::format("{} has {} groups", key, groups.size()), name));
      flat_.push_back(std::move(groups));
    }
    return {};
  }

  Result<void> add_lower_stages() {
    for (const auto& [name, shape] : model_.frozen)
      if (const StoredTensor* fragment = frozen_fragment(files_.models[0], name))
        add_view(name, *fragment);
    if (model_.groups.size() != flat_[0].size())
      return fail(cannot(fmt::format("{} groups of names, and {} of values", model_.groups.size(),
                                     flat_[0].size())));
    for (std::size_t group = 0; group < model_.groups.size(); ++group) {
      Strip strip;
      for (const auto& rank : flat_) strip.tensors.push_back(rank[group]);
      SAMEBITS_TRY(const std::uint64_t used, add_in_order(model_.groups[group], strip));
      const std::uint64_t align = 2 * world_;
      const auto aligned = [&](std::uint64_t count) { return (count + align - 1) / align; };
      if (aligned(used) != aligned(strip.numel()))
        return fail(cannot(fmt::format("the names of group {} stand for {} of its {} elements",
                                       group, used, strip.numel())));
    }
    return {};
  }

  /// Parameters that follow one another. How many elements they take.
  Result<std::uint64_t> add_in_order(const NamedShapes& shapes, const Strip& strip) {
    const std::uint64_t all = strip.numel();
    std::uint64_t at = 0;
    for (const auto& [name, shape] : shapes) {
      SAMEBITS_TRY(const std::uint64_t count, element_count(shape));
      if (count > all - at) return fail(cannot(name + " lies behind the end of its group"));
      std::vector<Fragment> fragments;
      add_fragments(strip, at, count, fragments);
      SAMEBITS_TRY_VOID(add_weight(name, shape, fragments));
      at += count;
    }
    return at;
  }

  /// Each parameter is cut into one slice for each rank, of equal length, the last one padded.
  Result<void> add_third_stage() {
    SAMEBITS_TRY_VOID(add_frozen_slices());
    std::vector<Strip> ranks;
    for (const auto& groups : flat_) ranks.push_back({groups});
    const std::uint64_t most =
        std::ranges::min(ranks, {}, [](const Strip& strip) { return strip.numel(); }).numel();
    std::uint64_t at = 0;
    for (const NamedShapes& group : model_.groups) {
      for (const auto& [name, shape] : group) {
        SAMEBITS_TRY(const std::uint64_t count, element_count(shape));
        const std::uint64_t slice = count / world_ + (count % world_ == 0 ? 0 : 1);
        if (slice > most - at) return fail(cannot(name + " lies behind the end of its group"));
        std::vector<Fragment> fragments;
        for (std::uint64_t rank = 0; rank < world_; ++rank) {
          const std::uint64_t before = std::min(count, rank * slice);
          add_fragments(ranks[rank], at, std::min(slice, count - before), fragments);
        }
        SAMEBITS_TRY_VOID(add_weight(name, shape, fragments));
        at += slice;
      }
    }
    if (at != most || at != ranks[0].numel())
      return fail(cannot(fmt::format("its names stand for {} of {} elements of a rank", at, most)));
    return {};
  }

  Result<void> add_frozen_slices() {
    for (const auto& [name, shape] : model_.frozen) {
      SAMEBITS_TRY(const std::uint64_t count, element_count(shape));
      std::vector<Fragment> fragments;
      std::uint64_t found = 0;
      for (const std::string& file : files_.models) {
        const StoredTensor* fragment = frozen_fragment(file, name);
        if (fragment == nullptr || !fragment->readable) continue;
        const std::uint64_t taken = std::min(count - found, fragment->view.numel());
        add_fragments({{fragment}}, 0, taken, fragments);
        found += taken;
      }
      if (found != count) return fail(cannot("slices of the frozen " + name + " are absent"));
      SAMEBITS_TRY_VOID(add_weight(name, shape, fragments));
    }
    return {};
  }

  const StoredTensor* frozen_fragment(const std::string& file, const std::string& name) const {
    return entry(fmt::format("{}:frozen_param_fragments.{}", file, name));
  }

  void add_view(const std::string& name, const StoredTensor& of) {
    StoredTensor tensor = of;
    tensor.path = "fp32." + name;
    tensor.role = TensorRole::weight;
    made_.push_back(std::move(tensor));
  }

  Result<void> add_weight(const std::string& name, const Shape& shape,
                          const std::vector<Fragment>& fragments) {
    const StoredTensor& first = fragments.empty() ? *flat_[0][0] : *fragments[0].tensor;
    StoredTensor tensor = first;
    tensor.path = "fp32." + name;
    tensor.role = TensorRole::weight;
    const DType type = first.view.dtype();
    const std::uint64_t item = itemsize(type);
    if (fragments.size() == 1 && first.view.is_plain()) {
      const Bytes bytes =
          first.view.plain_bytes().subspan(fragments[0].begin * item, fragments[0].count * item);
      tensor.offset += fragments[0].begin * item;
      SAMEBITS_TRY(tensor.view, TensorView::make(type, shape, contiguous_strides(shape), 0, bytes));
      made_.push_back(std::move(tensor));
      return {};
    }
    auto owned = std::make_shared<std::vector<std::uint8_t>>();
    std::vector<std::uint8_t> buffer;
    for (const Fragment& fragment : fragments) {
      if (fragment.tensor->view.dtype() != type) return fail(cannot(name + " is of several types"));
      const Bytes bytes =
          fragment.tensor->view.row_major_range(fragment.begin, fragment.count, buffer);
      owned->insert(owned->end(), bytes.begin(), bytes.end());
    }
    return add_owned(std::move(tensor), type, shape, std::move(owned));
  }

  Result<void> add_owned(StoredTensor tensor, DType type, const Shape& shape,
                         std::shared_ptr<std::vector<std::uint8_t>> owned) {
    tensor.storage = next_storage_id(out_) + static_cast<std::uint32_t>(made_.size());
    tensor.offset = 0;
    tensor.storage_bytes = owned->size();
    SAMEBITS_TRY(tensor.view, TensorView::make(type, shape, contiguous_strides(shape), 0, *owned));
    out_.owned.push_back(std::move(owned));
    made_.push_back(std::move(tensor));
    return {};
  }

  /// zero_to_fp32 calls float() on each.
  void add_buffers() {
    for (const std::string& name : model_.buffers) {
      const StoredTensor* buffer = entry(files_.models[0] + ":module." + name);
      if (buffer == nullptr || !buffer->readable || !has_element_values(buffer->view.dtype()))
        continue;
      if (buffer->view.dtype() == DType::float32) {
        add_view(name, *buffer);
        continue;
      }
      auto owned = std::make_shared<std::vector<std::uint8_t>>();
      std::vector<std::uint8_t> scratch;
      const Bytes bytes = buffer->view.row_major_bytes(scratch);
      const std::uint64_t item = itemsize(buffer->view.dtype());
      for (std::uint64_t i = 0; i < buffer->view.numel(); ++i) {
        const auto value =
            static_cast<float>(element_as_double(buffer->view.dtype(), bytes.data() + i * item));
        const auto* raw = reinterpret_cast<const std::uint8_t*>(&value);
        owned->insert(owned->end(), raw, raw + sizeof value);
      }
      StoredTensor tensor = *buffer;
      tensor.path = "fp32." + name;
      tensor.role = TensorRole::weight;
      const Shape shape = tensor.view.shape();
      if (Result<void> added =
              add_owned(std::move(tensor), DType::float32, shape, std::move(owned));
          !added)
        out_.unread.push_back(std::move(added).error());
    }
  }

  void add_shared() {
    std::map<std::string, std::size_t> known;
    for (std::size_t i = 0; i < made_.size(); ++i) known[made_[i].path] = i;
    for (const auto& [name, source] : model_.shared)
      if (const auto found = known.find("fp32." + source); found != known.end()) {
        const StoredTensor copy = made_[found->second];
        add_view(name, copy);
      }
  }

  /// The flat groups: their elements are entries now under the names of the weights.
  void drop_flat_entries() {
    std::set<const StoredTensor*> flats;
    for (const auto& groups : flat_) flats.insert(groups.begin(), groups.end());
    std::vector<StoredTensor> kept;
    for (StoredTensor& tensor : out_.entries) {
      if (!flats.contains(&tensor)) {
        kept.push_back(std::move(tensor));
        continue;
      }
      const std::uint64_t end = tensor.offset + tensor.view.nbytes();
      use_bytes(out_, tensor.file, tensor.offset, end, ByteUse::weights);
    }
    out_.entries = std::move(kept);
  }

  /// The weights of stages 1 and 2 in the type that the model computes in. Stage 3 leaves places
  /// without elements.
  void add_module_candidate() {
    const std::string key = files_.models[0] + ":module";
    Candidate weights;
    weights.key = key;
    for (std::uint32_t i = 0; i < out_.entries.size(); ++i) {
      StoredTensor& tensor = out_.entries[i];
      if (!tensor.path.starts_with(key + ".")) continue;
      tensor.role = TensorRole::weight;
      weights.weights.push_back(i);
    }
    const bool is_third = stage_.value_or(0) >= 3;
    if (!is_third && !weights.weights.empty()) out_.candidates.push_back(std::move(weights));
  }

  Checkpoint& out_;
  const ZeroFiles& files_;
  ZeroModelState model_;
  std::optional<std::int64_t> stage_;
  std::uint64_t world_ = 0;
  EntryIndex index_;
  std::vector<std::vector<const StoredTensor*>> flat_;  // by rank, by group
  std::vector<StoredTensor> made_;
};

}  // namespace

std::optional<int> rank_of_zero_file(const std::string& name) {
  constexpr std::string_view kBefore = "zero_pp_rank_";
  constexpr std::size_t kDigits = 6;
  const std::size_t at = name.find(kBefore);
  if (at == std::string::npos) return std::nullopt;
  int rank = 0;
  std::size_t i = at + kBefore.size();
  const std::size_t begin = i;
  for (; i < name.size() && i - begin < kDigits && name[i] >= '0' && name[i] <= '9'; ++i)
    rank = 10 * rank + (name[i] - '0');
  return i == begin ? std::nullopt : std::optional(rank);
}

std::optional<ZeroFiles> find_zero(const std::string& directory) {
  ZeroFiles own = zero_files_in(directory);
  if (!own.models.empty() || !own.partitions.empty()) return own;
  const std::string tag = latest_folder(directory);
  if (tag.empty()) return std::nullopt;
  ZeroFiles tagged = zero_files_in(directory + "/" + tag);
  tagged.tag = tag;
  if (tagged.models.empty() && tagged.partitions.empty()) return std::nullopt;
  return tagged;
}

Result<void> read_zero_weights(Checkpoint& checkpoint, const ZeroFiles& files) {
  return ZeroReader(checkpoint, files).read();
}

}  // namespace samebits
