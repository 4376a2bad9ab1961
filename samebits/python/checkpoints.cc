#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "samebits/checkpoint/hub_cache.h"
#include "samebits/checkpoint/memory.h"
#include "samebits/checkpoint/open.h"
#include "samebits/python/bindings.h"
#include "samebits/python/held_checkpoint.h"
#include "samebits/python/text.h"
#include "samebits/python/work.h"
#include "samebits/report/json.h"
#include "samebits/report/json_subject.h"

namespace samebits::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;

using RawBytes = nb::ndarray<nb::numpy, const std::uint8_t, nb::ndim<1>>;

HeldCheckpoint open_path(const nb::bytes& path, const std::string& key, bool deep, int threads) {
  const OpenOptions options{.key = key, .deep = deep, .threads = thread_count(threads)};
  Checkpoint opened =
      value_of(apart([&, name = string_of(path)] { return open_checkpoint(name, options); }));
  return {std::make_shared<const Checkpoint>(std::move(opened)), nb::none()};
}

const StoredTensor& entry_at(const HeldCheckpoint& held, std::size_t index) {
  const std::vector<StoredTensor>& entries = held.checkpoint->entries;
  if (index >= entries.size()) throw nb::index_error("there is no such tensor");
  return entries[index];
}

nb::tuple entry_facts(const HeldCheckpoint& held, std::size_t index) {
  const StoredTensor& entry = entry_at(held, index);
  const TensorView& view = entry.view;
  const std::string& file = held.checkpoint->files.at(entry.file).path;
  return nb::make_tuple(
      text_of(entry.path), std::string(info(view.dtype()).torch), nb::tuple(nb::cast(view.shape())),
      nb::tuple(nb::cast(view.strides())), role_name(entry.role), text_of(file),
      entry.readable ? nb::object(nb::cast(entry.offset)) : nb::none(), view.nbytes(),
      itemsize(view.dtype()), view.big_endian(), text_or_none(entry.note),
      text_or_none(entry.identity), view.conjugated(), view.negated());
}

/// The bytes from a view's first element to its last.
Bytes bytes_of(const TensorView& view) {
  if (view.numel() == 0) return {};
  std::uint64_t last = 0;
  for (std::size_t d = 0; d < view.shape().size(); ++d)
    last += static_cast<std::uint64_t>(view.shape()[d] - 1) *
            static_cast<std::uint64_t>(view.strides()[d]);
  return view.storage().subspan(view.byte_offset(), (last + 1) * itemsize(view.dtype()));
}

/// Without a copy: the array keeps the checkpoint, and so the mapped file.
RawBytes raw_bytes(const HeldCheckpoint& held, std::size_t index) {
  const StoredTensor& entry = entry_at(held, index);
  if (!entry.readable)
    raise({.code = ErrorCode::unsupported,
           .what = "the file holds no values of " + entry.path,
           .file = held.checkpoint->path});
  const Bytes bytes = bytes_of(entry.view);
  auto* kept = new HeldCheckpoint(held);
  const nb::capsule owner(kept, [](void* p) noexcept { delete static_cast<HeldCheckpoint*>(p); });
  return RawBytes(bytes.data(), {bytes.size()}, owner);
}

/// (path, byte, device, inode, size) where the elements lie in a mapped file as they are; or None.
nb::object place_in_file(const HeldCheckpoint& held, std::size_t index) {
  const StoredTensor& entry = entry_at(held, index);
  const SourceFile& file = held.checkpoint->files.at(entry.file);
  if (!entry.readable || !file.map) return nb::none();
  const Bytes elements = bytes_of(entry.view);
  const Bytes all = file.map->bytes();
  if (elements.empty() || elements.data() < all.data() ||
      elements.data() + elements.size() > all.data() + all.size())
    return nb::none();
  return nb::make_tuple(text_of(file.path), elements.data() - all.data(), file.map->device(),
                        file.map->inode(), file.map->size());
}

std::string sha256_of_entry(const HeldCheckpoint& held, std::size_t index) {
  const StoredTensor& entry = entry_at(held, index);
  return apart([&] { return sha256_hex(entry.view); });
}

nb::list indexes_of(const HeldCheckpoint& held, bool buffers) {
  nb::list indexes;
  if (!held.checkpoint->has_weights()) return indexes;
  const Candidate& weights = held.checkpoint->weights();
  for (const std::uint32_t index : buffers ? weights.buffers : weights.weights)
    indexes.append(nb::make_tuple(text_of(held.checkpoint->entries.at(index).name), index));
  return indexes;
}

nb::str facts_json(const HeldCheckpoint& held, bool contents) {
  Report report;
  report.command = "inspect";
  Subject subject{.label = "A", .path = held.checkpoint->path, .checkpoint = *held.checkpoint};
  Json json = subject_json(subject);
  if (contents) add_contents(report, subject, &json);
  return text_of(json_lines(json));
}

nb::list candidate_keys(const HeldCheckpoint& held) {
  nb::list keys;
  for (const Candidate& candidate : held.checkpoint->candidates)
    keys.append(text_of(candidate.key));
  return keys;
}

MemoryTensor memory_tensor(nb::handle item) {
  const auto fields = nb::cast<nb::tuple>(item);
  const auto dtype_name = nb::cast<std::string>(fields[1]);
  const std::optional<DType> dtype = dtype_from_torch(dtype_name);
  MemoryTensor tensor{.name = nb::cast<std::string>(fields[0]),
                      .shape = nb::cast<Shape>(fields[2]),
                      .strides = nb::cast<Strides>(fields[3]),
                      .offset = nb::cast<std::uint64_t>(fields[4])};
  if (!dtype)
    raise({.code = ErrorCode::unsupported,
           .what = tensor.name + ": tensors of this type cannot be read",
           .found = dtype_name});
  tensor.dtype = *dtype;
  const auto address = nb::cast<std::uintptr_t>(fields[5]);
  tensor.storage = {reinterpret_cast<const std::uint8_t*>(address),  // NOLINT: Python's own number
                    nb::cast<std::size_t>(fields[6])};
  const auto flags = nb::cast<std::string>(fields[7]);
  tensor.has_values = flags.find('m') == std::string::npos;
  tensor.conjugated = flags.find('c') != std::string::npos;
  tensor.negated = flags.find('n') != std::string::npos;
  tensor.transient = flags.find('t') != std::string::npos;
  return tensor;
}

/// `tensors`: tuples (name, dtype, shape, strides, offset in elements, address, bytes, flags), the
/// flags letters: m of the meta device, c conjugated, n negated, t left out by state_dict().
HeldCheckpoint hold_tensors(const nb::bytes& name, const nb::list& tensors,
                            const nb::object& owners) {
  std::vector<MemoryTensor> held;
  held.reserve(tensors.size());
  for (const nb::handle item : tensors) held.push_back(memory_tensor(item));
  return {
      std::make_shared<const Checkpoint>(value_of(checkpoint_of_tensors(string_of(name), held))),
      owners, true};
}

/// `storages`: tuples (key, address, bytes).
HeldCheckpoint hold_pickle(const nb::bytes& name, const nb::bytes& pickle, const nb::list& storages,
                           const nb::object& owners) {
  std::vector<MemoryStorage> held;
  for (const nb::handle item : storages) {
    const auto fields = nb::cast<nb::tuple>(item);
    const auto address = nb::cast<std::uintptr_t>(fields[1]);
    held.push_back({nb::cast<std::string>(fields[0]),
                    {reinterpret_cast<const std::uint8_t*>(address),  // NOLINT: as above
                     nb::cast<std::size_t>(fields[2])}});
  }
  const auto* begin = static_cast<const std::uint8_t*>(pickle.data());
  std::vector<std::uint8_t> bytes(begin, begin + pickle.size());
  const std::string path = string_of(name);
  Checkpoint read =
      value_of(apart([&] { return checkpoint_of_pickle(path, std::move(bytes), held); }));
  return {std::make_shared<const Checkpoint>(std::move(read)), owners, true};
}

nb::object snapshot(const nb::bytes& cache, const nb::bytes& name) {
  const std::optional<std::string> found =
      value_of(find_snapshot(string_of(cache), string_of(name)));
  return found ? nb::object(nb::bytes(found->data(), found->size())) : nb::none();
}

}  // namespace

SubjectOptions subject_options(nb::handle tuple) {
  const auto fields = nb::cast<nb::tuple>(tuple);
  SubjectOptions options{.key = nb::cast<std::string>(fields[1]),
                         .key_is_shared = nb::cast<bool>(fields[2]),
                         .left_out = nb::cast<std::string>(fields[3])};
  const nb::object source = fields[0];
  if (nb::isinstance<nb::bytes>(source)) {
    options.path = string_of(nb::cast<nb::bytes>(source));
    return options;
  }
  const auto& held = nb::cast<const HeldCheckpoint&>(source);
  options.path = held.checkpoint->path;
  options.in_memory = held.checkpoint;
  return options;
}

std::vector<SubjectOptions> subjects_options(const nb::list& tuples) {
  std::vector<SubjectOptions> subjects;
  for (const nb::handle tuple : tuples) subjects.push_back(subject_options(tuple));
  return subjects;
}

void bind_checkpoints(nb::module_& module) {
  nb::class_<HeldCheckpoint>(module, "Checkpoint")
      .def_prop_ro("path", [](const HeldCheckpoint& h) { return text_of(h.checkpoint->path); })
      .def_prop_ro("kind", [](const HeldCheckpoint& h) { return kind_name(h.checkpoint->kind); })
      .def("weights", [](const HeldCheckpoint& h) { return indexes_of(h, false); })
      .def("buffers", [](const HeldCheckpoint& h) { return indexes_of(h, true); })
      .def("candidates", candidate_keys)
      .def("entry_count", [](const HeldCheckpoint& h) { return h.checkpoint->entries.size(); })
      .def("entry", entry_facts, "index"_a)
      .def("raw_bytes", raw_bytes, "index"_a)
      .def("place_in_file", place_in_file, "index"_a)
      .def("sha256", sha256_of_entry, "index"_a)
      .def("json", facts_json, "contents"_a);
  module.def("open", open_path, "path"_a, "key"_a, "deep"_a, "threads"_a);
  module.def("hold_tensors", hold_tensors, "name"_a, "tensors"_a, "owners"_a);
  module.def("hold_pickle", hold_pickle, "name"_a, "pickle"_a, "storages"_a, "owners"_a);
  module.def("snapshot", snapshot, "cache"_a, "name"_a);
}

}  // namespace samebits::python
