#include "samebits/checkpoint/foreign_files.h"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>

#include "samebits/checkpoint/foreign_signatures.h"
#include "samebits/container/zip_loaders.h"
#include "samebits/container/zip_order.h"

namespace samebits {
namespace {

constexpr std::size_t kLongestHead = 4096;

std::string_view head_of(Bytes bytes) {
  return as_text(bytes.first(std::min(bytes.size(), kLongestHead)));
}

std::string_view without_space(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t\r\n")));
  return text;
}

bool begins_without_case(std::string_view text, std::string_view begin) {
  return text.size() >= begin.size() &&
         zip::compare_names(text.substr(0, begin.size()), begin) == 0;
}

/// "AccessDenied" of <Code>AccessDenied</Code>.
std::string between(std::string_view text, std::string_view open, std::string_view close) {
  const std::size_t begin = text.find(open);
  if (begin == std::string_view::npos) return "";
  const std::size_t end = text.find(close, begin + open.size());
  if (end == std::string_view::npos || end - begin > 200) return "";
  std::string found(text.substr(begin + open.size(), end - begin - open.size()));
  for (char& c : found) c = c < ' ' || c == '\x7f' ? ' ' : c;
  return found;
}

std::optional<ForeignFile> find_markup(std::string_view head) {
  const std::string_view text = without_space(head);
  const bool xml = text.starts_with("<?xml") || text.starts_with("<Error>");
  if (xml && text.find("<Error>") != std::string_view::npos) {
    const std::string code = between(text, "<Code>", "</Code>");
    return ForeignFile{"the XML error page of a storage service" +
                           (code.empty() ? std::string() : " (" + code + ")"),
                       std::string(kDownloadAgain)};
  }
  if (begins_without_case(text, "<!doctype html") || begins_without_case(text, "<html")) {
    const std::string title = between(text, "<title>", "</title>");
    return ForeignFile{"a web page (HTML)" + (title.empty() ? "" : " with the title " + title) +
                           ", as a failed download leaves it",
                       std::string(kDownloadAgain)};
  }
  if (xml && text.find("<net ") != std::string_view::npos)
    return ForeignFile{"an OpenVINO model (XML)", "Name the model that it was converted from"};
  if (xml) return ForeignFile{"an XML file", std::string(kNameCheckpoint)};
  return std::nullopt;
}

bool is_text(std::string_view head) {
  const std::size_t whole = head.size() < kLongestHead ? head.size() : head.rfind('\n') + 1;
  head = head.substr(0, whole);
  return !head.empty() && zip::is_utf8(head, false) && std::ranges::none_of(head, [](char c) {
    const auto byte = static_cast<unsigned char>(c);  // char has no sign on some processors
    return (byte < ' ' && c != '\n' && c != '\r' && c != '\t') || byte == 0x7f;
  });
}

ForeignFile foreign_json(std::string_view head) {
  if (head.find("\"weight_map\"") != std::string_view::npos)
    return {"the JSON index of a sharded model", "Name the directory that it lies in"};
  if (head.find("\"model_type\"") != std::string_view::npos ||
      head.find("\"architectures\"") != std::string_view::npos)
    return {"JSON text, the config of a model", "Name the directory that it lies in"};
  if (head.find("\"error\"") != std::string_view::npos ||
      head.find("\"message\"") != std::string_view::npos)
    return {"JSON text, perhaps the error of a server", std::string(kDownloadAgain)};
  return {"JSON text", std::string(kNameCheckpoint)};
}

std::optional<ForeignFile> find_text(std::string_view head) {
  if (!is_text(head)) return std::nullopt;
  const std::string_view text = without_space(head);
  if (text.starts_with('{') || text.starts_with('[')) {
    const std::size_t next = text.find_first_not_of(" \t\r\n", 1);
    constexpr std::string_view kJsonNext = "\"{}[]-0123456789";
    if (next != std::string_view::npos && kJsonNext.find(text[next]) != std::string_view::npos)
      return foreign_json(text);
  }
  std::string line(text.substr(0, std::min<std::size_t>(text.find_first_of("\r\n"), 60)));
  while (!zip::is_utf8(line)) line.pop_back();
  if (line.find("/annex/objects/") != std::string::npos)
    return ForeignFile{"a git-annex pointer, not the file itself",
                       "Run git annex get in its repository"};
  return ForeignFile{
      "text, which begins with \"" + line + "\"",
      "If a server wrote it, download the file again; else name the file of weights"};
}

bool is_zeros(Bytes bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

/// A map with a name as its first key, as flax.serialization writes a tree of parameters.
bool is_msgpack(Bytes bytes) {
  if (bytes.size() < 4) return false;
  std::size_t at = 0;
  if (bytes[0] >= 0x81 && bytes[0] <= 0x8f)
    at = 1;
  else if (bytes[0] == 0xde)
    at = 3;
  else
    return false;
  std::size_t length = 0;
  if (bytes[at] > 0xa0 && bytes[at] <= 0xbf)
    length = bytes[at++] & 0x1f;
  else if (bytes[at] == 0xd9 && bytes.size() > at + 1)
    length = bytes[at + 1], at += 2;
  if (length == 0 || at + length >= bytes.size()) return false;
  return std::ranges::all_of(bytes.subspan(at, length),
                             [](std::uint8_t c) { return c >= ' ' && c < 0x7f; });
}

ForeignFile msgpack_file() {
  return {"a msgpack file (Flax)",
          "Load it with flax.serialization.msgpack_restore, and save the arrays with "
          "numpy.savez or safetensors.flax"};
}

/// RFC 1950: deflate with a window of 32 KiB, and two bytes that are a multiple of 31.
bool is_zlib(Bytes bytes) {
  return bytes.size() > 8 && bytes[0] == 0x78 && (bytes[0] * 256 + bytes[1]) % 31 == 0;
}

std::optional<std::uint64_t> take_varint(Bytes bytes, std::size_t* at) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 63 && *at < bytes.size(); shift += 7) {
    const std::uint8_t byte = bytes[(*at)++];
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

/// The numbers of the fields of a protobuf message, with their wire types; empty where the bytes
/// are no whole message. Fields of a length are passed over, so this is quick.
std::set<std::pair<std::uint64_t, int>> protobuf_fields(Bytes bytes) {
  constexpr std::size_t kMostFields = 100'000;
  std::set<std::pair<std::uint64_t, int>> fields;
  std::size_t at = 0;
  for (std::size_t count = 0; at < bytes.size(); ++count) {
    const auto tag = take_varint(bytes, &at);
    if (!tag || *tag < 8 || count > kMostFields) return {};
    const int type = static_cast<int>(*tag & 7);
    const auto value = type == 0 || type == 2 ? take_varint(bytes, &at) : 0;
    const std::uint64_t skip = type == 2 ? value.value_or(0) : type == 5 ? 4 : type == 1 ? 8 : 0;
    if (!value || type == 3 || type == 4 || type > 5 || skip > bytes.size() - at) return {};
    at += skip;
    fields.emplace(*tag >> 3, type);
  }
  return fields;
}

std::optional<ForeignFile> find_protobuf(Bytes bytes) {
  // ModelProto: ir_version, then producer and graph; SavedModel: schema version, meta graphs;
  // GraphDef: nodes and versions; CoreML's Model: version, description, one kind of network.
  const bool begins = bytes.size() > 3 && (bytes[0] == 0x08 || bytes[0] == 0x0a);
  if (!begins) return std::nullopt;
  const auto fields = protobuf_fields(bytes);
  const auto has = [&](std::uint64_t number, int type) { return fields.contains({number, type}); };
  if (has(1, 0) && has(7, 2) && has(8, 2))
    return ForeignFile{"an ONNX model",
                       "Name the model that it was exported from, or read its initializers with "
                       "the onnx package"};
  const bool coreml = std::ranges::any_of(
      fields, [](const auto& field) { return field.first >= 200 && field.second == 2; });
  if (has(1, 0) && has(2, 2) && coreml)
    return ForeignFile{"a Core ML model", "Name the model that it was converted from"};
  if (has(1, 0) && has(2, 2) && fields.size() == 2)
    return ForeignFile{"a TensorFlow SavedModel",
                       "Load it with TensorFlow, and save its variables with numpy.savez"};
  if (has(1, 2) && has(4, 2))
    return ForeignFile{"a TensorFlow graph (GraphDef)",
                       "Load it with TensorFlow, and save its variables with numpy.savez"};
  return std::nullopt;
}

/// The footer of a LevelDB table, as TensorFlow's checkpoint.index has it.
bool is_tensorflow_index(Bytes bytes) {
  constexpr std::string_view kFooter("\x57\xfb\x80\x8b\x24\x75\x47\xdb", 8);
  return as_text(bytes).ends_with(kFooter);
}

std::string quoted_zip_names(const ZipArchive& zip) {
  constexpr std::size_t kMost = 3;
  std::string names;
  std::size_t files = 0;
  for (const ZipEntry& entry : zip.entries()) {
    if (entry.name.ends_with('/')) continue;
    if (++files <= kMost) names += (names.empty() ? "" : ", ") + entry.name;
  }
  if (files > kMost) names += fmt::format(" and {} more", files - kMost);
  return names;
}

/// torch archives one behind the other: offsets count from the begin of each, and only the last one
/// has its directory at the end. How many, or 0.
std::size_t count_stacked(const ZipArchive& zip) {
  constexpr std::uint64_t kEndRecord = 22;
  const std::string_view file = as_text(zip.file());
  if (!file.starts_with("PK\3\4") || zip.entries().empty()) return 0;
  std::uint64_t begin = file.size();
  for (const ZipEntry& entry : zip.entries()) begin = std::min(begin, entry.header_offset);
  if (begin < kEndRecord || file.substr(begin - kEndRecord, 4) != "PK\5\6") return 0;
  const ZipEntry& entry = zip.entries().front();
  constexpr std::uint64_t kStatedOffset = 42;
  if (load_u32le(zip.file().data() + entry.central_offset + kStatedOffset) == entry.header_offset)
    return 0;  // one archive after bytes of another kind
  std::size_t count = 1;
  for (std::size_t at = file.find("PK\5\6"); at <= begin - kEndRecord;
       at = file.find("PK\5\6", at + 4))
    count += file.substr(at + kEndRecord, 4) == "PK\3\4" ? 1 : 0;
  return count;
}

}  // namespace

std::optional<ForeignFile> find_foreign(Bytes bytes) {
  for (const ForeignSignature& known : kForeignSignatures) {
    if (bytes.size() >= known.offset + known.bytes.size() &&
        as_text(bytes.subspan(known.offset, known.bytes.size())) == known.bytes)
      return ForeignFile{std::string(known.what), std::string(known.hint)};
  }
  const std::string_view head = head_of(bytes);
  if (is_zeros(bytes.first(head.size())) && is_zeros(bytes)) {
    return ForeignFile{fmt::format("nothing but zeros ({} bytes)", bytes.size()),
                       "Its space was reserved and never written; copy or download it again"};
  }
  if (auto markup = find_markup(head)) return markup;
  if (auto text = find_text(head)) return text;
  if (is_msgpack(bytes)) return msgpack_file();
  if (is_zlib(bytes))
    return ForeignFile{"a zlib stream (a compressed joblib file is one)",
                       "Load it with joblib, and save the arrays with numpy.savez"};
  if (is_tensorflow_index(bytes)) {
    return ForeignFile{"the index of a TensorFlow checkpoint",
                       "Load it with tf.train.load_checkpoint, and save its variables with "
                       "numpy.savez"};
  }
  return find_protobuf(bytes);
}

std::optional<ForeignFile> find_msgpack(Bytes bytes) {
  // NEWOBJ and EXT1 to EXT4 need something before them.
  const bool no_pickle = !bytes.empty() && bytes[0] >= 0x81 && bytes[0] <= 0x84;
  return no_pickle && is_msgpack(bytes) ? std::optional(msgpack_file()) : std::nullopt;
}

bool is_stack_of_archives(const ZipArchive& zip) { return count_stacked(zip) > 0; }

std::optional<ForeignFile> find_foreign_zip(const ZipArchive& zip) {
  if (const std::size_t count = count_stacked(zip); count > 0) {
    return ForeignFile{
        fmt::format("a shard of a distributed checkpoint (DCP): {} torch archives one behind the "
                    "other, one for each tensor, which torch.load cannot read",
                    count),
        "The .metadata beside it knows the names: put the weights of the directory together with "
        "python -m torch.distributed.checkpoint.format_utils dcp_to_torch"};
  }
  for (const ForeignEntry& known : kForeignEntries) {
    const bool found = std::ranges::any_of(zip.entries(), [&](const ZipEntry& entry) {
      return entry.name.ends_with(known.name_end) ||
             (known.name_end.starts_with('/') && entry.name == known.name_end.substr(1));
    });
    if (found) return ForeignFile{std::string(known.what), std::string(known.hint)};
  }
  return std::nullopt;
}

ForeignFile foreign_zip(const ZipArchive& zip) {
  if (auto known = find_foreign_zip(zip)) return *std::move(known);
  for (const ZipEntry& entry : zip.entries()) {
    if (!entry.name.ends_with("/data.pkl")) continue;
    return {"a zip archive of an unpacked torch file (" + entry.name + ")",
            "Pack the folder of data.pkl alone, as it was, or save the model again"};
  }
  const bool of_torch = std::ranges::any_of(zip.entries(), [](const ZipEntry& entry) {
    return entry.name.ends_with("/.data/serialization_id") || entry.name.ends_with("/byteorder");
  });
  if (of_torch)
    return {"a file of a torch.save that ended with an error: it has no data.pkl",
            "Save again and read the error, which names what cannot be pickled; a state_dict() can "
            "always be"};
  const std::string names = quoted_zip_names(zip);
  if (names.empty()) return {"a zip archive without files", std::string(kNameCheckpoint)};
  return {"a zip archive of other files: " + names, std::string(kUnpackFirst)};
}

Error foreign_error(const ForeignFile& foreign, const std::string& path) {
  return {.code = ErrorCode::unsupported,
          .what = "this is " + foreign.what + ", and not a checkpoint that samebits reads",
          .file = path,
          .expected = "a file written by torch.save, torch.jit.save, safetensors or numpy",
          .hint = foreign.hint};
}

}  // namespace samebits
