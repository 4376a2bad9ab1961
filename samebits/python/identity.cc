#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "samebits/base/atomic_write.h"
#include "samebits/container/little_endian.h"
#include "samebits/convert/convert_words.h"
#include "samebits/explain/verify.h"
#include "samebits/lock/lock_text.h"
#include "samebits/python/bindings.h"
#include "samebits/python/held_checkpoint.h"
#include "samebits/python/text.h"
#include "samebits/python/work.h"
#include "samebits/report/conversion.h"
#include "samebits/tensor/digest.h"
#include "samebits/tensor/float_summary.h"

namespace samebits::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;

using AnyBytes = nb::ndarray<const std::uint8_t, nb::c_contig, nb::device::cpu>;

/// The text of the lock's file, which reads back; and its digests.
struct MadeLock {
  std::string text, contents, named;
};

Result<MadeLock> make(const SubjectOptions& subject, LockAlgorithm algorithm, int threads) {
  SAMEBITS_TRY(const Lock lock, lock_of(subject, algorithm, threads));
  MadeLock made{lock_text(lock), contents_digest(lock), named_digest(lock)};
  // A name that is no UTF-8 would not read back as it stands.
  SAMEBITS_TRY_VOID(parse_lock(bytes_of_text(made.text), subject.path));
  return made;
}

MadeLock lock_subject(const nb::list& subjects, bool fast, int threads) {
  const SubjectOptions subject = subjects_options(subjects).front();
  const LockAlgorithm algorithm = fast ? LockAlgorithm::xxh3_128 : LockAlgorithm::sha256;
  return value_of(apart([&] { return make(subject, algorithm, thread_count(threads)); }));
}

void write_text(const nb::bytes& path, const nb::bytes& text) {
  if (const Result<void> written = atomic_write(string_of(path), string_of(text)); !written)
    raise(written.error());
}

std::string sha256_of_bytes(const AnyBytes& bytes) {
  const Bytes view(bytes.data(), bytes.size());
  return apart([&] { return sha256_hex(view); });
}

std::string hex_text(const Digest128& digest) {
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

/// Of a tensor that a recording sees: too short for a thread of its own.
std::string fast_digest_of_bytes(const AnyBytes& bytes) {
  const nb::gil_scoped_release released;
  return hex_text(fast_digest(Bytes(bytes.data(), bytes.size())));
}

/// (digest, elements, elements that are not finite, mean, norm, least, greatest)
nb::tuple summary_of_bytes(const AnyBytes& bytes) {
  if (bytes.size() % sizeof(float) != 0) throw nb::value_error("these are no elements of float32");
  static const int threads = thread_count(0);  // asked once: it reads files
  FloatSummary summary;
  {
    const nb::gil_scoped_release released;
    summary = summarize_float32(Bytes(bytes.data(), bytes.size()), threads);
  }
  return nb::make_tuple(hex_text(summary.digest), summary.elements, summary.not_finite,
                        summary.mean, summary.norm, summary.least, summary.greatest);
}

/// Of the only tensor of a checkpoint.
std::string tensor_digest(const HeldCheckpoint& held, bool fast) {
  const StoredTensor& tensor = held.checkpoint->entries.at(0);
  if (!tensor.readable)
    raise({.code = ErrorCode::unsupported,
           .what = "a tensor of the meta device has no values",
           .file = held.checkpoint->path});
  const LockAlgorithm algorithm = fast ? LockAlgorithm::xxh3_128 : LockAlgorithm::sha256;
  return apart([&] { return digest_text(algorithm, tensor.view); });
}

/// The terminal's text and the JSON's.
nb::tuple convert_path(const nb::dict& asked) {
  const auto text = [&](const char* key) { return nb::cast<std::string>(asked[key]); };
  const auto path = [&](const char* key) { return string_of(nb::cast<nb::bytes>(asked[key])); };
  ConvertRequest request{.input = path("input"),
                         .key = text("key"),
                         .output = path("output"),
                         .strip_prefix = text("strip_prefix"),
                         .config_path = path("config"),
                         .dequantize = nb::cast<bool>(asked["dequantize"]),
                         .adapter = path("adapter"),
                         .force = nb::cast<bool>(asked["force"]),
                         .threads = thread_count(nb::cast<int>(asked["threads"]))};
  const ConvertWords words{
      .format = text("to"), .dtype = text("dtype"), .shard_size = text("shard_size")};
  if (const Result<void> read = read_words(words, &request); !read) raise(read.error());
  const Converted done = value_of(apart([&] { return convert(request); }));
  return nb::make_tuple(text_of(conversion_text(done, request.input, false)),
                        text_of(conversion_text(done, request.input, true)));
}

}  // namespace

void bind_identity(nb::module_& module) {
  nb::class_<MadeLock>(module, "Lock")
      .def_prop_ro("text", [](const MadeLock& lock) { return text_of(lock.text); })
      .def_ro("contents", &MadeLock::contents)
      .def_ro("named", &MadeLock::named);
  module.def("lock", lock_subject, "subjects"_a, "fast"_a, "threads"_a);
  module.def("write_text", write_text, "path"_a, "text"_a);
  module.def("sha256_hex", sha256_of_bytes, "buffer"_a);
  module.def("xxh3_128_hex", fast_digest_of_bytes, "buffer"_a);
  module.def("summarize_float32", summary_of_bytes, "buffer"_a);
  module.def("tensor_digest", tensor_digest, "held"_a, "fast"_a);
  module.def("convert", convert_path, "asked"_a);
}

}  // namespace samebits::python
