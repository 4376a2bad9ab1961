#include "samebits/checkpoint/torch_refusals.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "samebits/container/zip_loaders.h"
#include "samebits/container/zip_order.h"
#include "samebits/tensor/dtype.h"

namespace samebits {
namespace {

constexpr std::string_view kSpace = " \t\n\r\v\f";
constexpr std::uint64_t kNewestFormat = 10;
constexpr std::uint64_t kLongestSmallRecord = 4096;

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

/// As std::stoull takes it: white space, a sign, digits, and whatever follows them.
std::optional<std::uint64_t> leading_number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  if (text.starts_with('+')) text.remove_prefix(1);
  std::uint64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

/// As Python's int() takes bytes: digits, single underscores between them, a sign, white space.
bool is_python_integer(std::string_view text) {
  text = trimmed(text);
  if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
  bool digit = false;
  for (const char c : text) {
    if (c == '_' ? !digit : c < '0' || c > '9') return false;
    digit = c != '_';
  }
  return digit;
}

class ZipRefusals {
 public:
  ZipRefusals(Checkpoint& checkpoint, const ZipArchive& zip, std::uint32_t file)
      : out_(checkpoint), zip_(zip), file_(file) {}

  void find(const std::string& prefix) {
    if (as_text(zip_.file()).substr(0, 4) != "PK\3\4")
      refuse("the file does not begin with a record, and is read as a legacy stream", 0);
    if (const auto why = zip::miniz_refuses(zip_)) refuse(why->what, why->offset);
    const std::string& first = zip_.entries().front().name;
    const std::size_t slash = first.find('/');
    if (slash == std::string::npos)
      return refuse("the first record, " + first + ", stands in no folder",
                    zip_.entries().front().header_offset);
    folder_ = first.substr(0, slash + 1);
    script_ = std::ranges::any_of(zip_.entries(), [&](const ZipEntry& entry) {
      return entry.name.starts_with(prefix + "code/");
    });
    if (zip_.find(folder_ + "data.pkl") == nullptr)
      refuse("it looks for " + folder_ + "data.pkl, since the first record is " + first,
             zip_.entries().front().header_offset);
    check_version();
    script_ ? check_script() : check_names();
    check_flags();
    if (!script_) check_small_records();
  }

 private:
  void refuse(const std::string& why, std::uint64_t offset) {
    add_refusal(out_, (script_ ? "torch.jit.load" : "torch.load") + (" refuses this file: " + why),
                file_, offset);
  }

  /// torch.load lists all records before it reads one.
  void check_names() {
    for (const ZipEntry& entry : zip_.entries()) {
      if (!entry.name.starts_with(folder_))
        return refuse("the record " + entry.name + " is not in the folder " + folder_,
                      entry.header_offset);
      if (!zip::is_utf8(entry.name))
        return refuse("the name of a record is no UTF-8", entry.central_offset);
    }
  }

  std::optional<std::string> text_of(const std::string& name) {
    const ZipEntry* entry = zip_.find(folder_ + name);
    if (entry == nullptr || entry->size > kLongestSmallRecord) return std::nullopt;
    std::vector<std::uint8_t> buffer;
    const Result<Bytes> bytes = zip_.read(*entry, buffer);
    if (!bytes) return std::nullopt;
    return std::string(as_text(*bytes));
  }
  std::uint64_t place_of(const std::string& name) {
    const ZipEntry* entry = zip_.find(folder_ + name);
    return entry == nullptr ? 0 : entry->data_offset;
  }

  void check_version() {
    const bool hidden = zip_.find(folder_ + ".data/version") != nullptr;
    const std::string name = hidden ? ".data/version" : "version";
    if (zip_.find(folder_ + name) == nullptr)
      return refuse("the record " + folder_ + "version is missing", zip_.directory_begin());
    const std::optional<std::string> text = text_of(name);
    const auto version = text ? leading_number(*text) : std::nullopt;
    if (!version)
      refuse("the record version holds no number", place_of(name));
    else if (*version < 1 || *version > kNewestFormat)
      refuse("it knows no version " + std::to_string(*version) + " of the format", place_of(name));
  }

  void check_small_records() {
    const auto order = text_of("byteorder");
    if (order && *order != "little" && *order != "big")
      refuse("the record byteorder holds neither little nor big", place_of("byteorder"));
    const auto alignment = text_of(".storage_alignment");
    if (alignment && !is_python_integer(*alignment))
      refuse("the record .storage_alignment holds no number", place_of(".storage_alignment"));
    const auto id = text_of(".data/serialization_id");
    if (id && !zip::is_utf8(*id))
      refuse("the record .data/serialization_id is no UTF-8", place_of(".data/serialization_id"));
  }

  /// Of the records that it reads.
  void check_flags() {
    constexpr std::array kRead = std::to_array<std::string_view>(
        {"data.pkl", "constants.pkl", "version", ".data/version", "byteorder", ".format_version",
         ".storage_alignment", ".data/serialization_id"});
    for (const ZipEntry& entry : zip_.entries()) {
      if (!entry.name.starts_with(folder_)) continue;
      const std::string_view own = std::string_view(entry.name).substr(folder_.size());
      const bool read = std::ranges::count(kRead, own) > 0 || own.starts_with("data/") ||
                        (script_ && (own.starts_with("code/") || own.starts_with("constants/")));
      if (!read || zip_.find(entry.name) != &entry) continue;
      if (const auto why = zip::miniz_refuses(entry)) return refuse(why->what, why->offset);
      // Of a storage torch takes whatever its memory held, which is an error of its own.
      if (zip::miniz_fills_nothing(entry) && !own.starts_with("data/"))
        return add_refusal(out_,
                           "torch.load takes what its memory held for the record " + entry.name +
                               ", which the directory marks as a folder",
                           file_, entry.central_offset);
    }
  }

  /// The code of every class that data.pkl names.
  void check_script() {
    if (zip_.find(folder_ + "constants.pkl") == nullptr)
      refuse("the record " + folder_ + "constants.pkl is missing", zip_.directory_begin());
    for (const std::string& name : out_.imports) {
      if (!name.starts_with("__torch__.")) continue;
      std::string path = name.substr(0, name.rfind('.'));
      std::ranges::replace(path, '.', '/');
      path = folder_ + "code/" + path + ".py";
      if (zip_.find(path) == nullptr)
        return refuse("the record " + path + " is missing, which defines " + name,
                      zip_.directory_begin());
    }
  }

  Checkpoint& out_;
  const ZipArchive& zip_;
  std::uint32_t file_;
  std::string folder_;  // with its slash
  bool script_ = false;
};

/// A device of torch without plug-ins, as a storage names it.
bool is_known_device(std::string_view device) {
  constexpr std::array kIndexed =
      std::to_array<std::string_view>({"cuda", "privateuseone", "hpu", "xpu", "mtia"});
  if (device == "cpu" || device == "meta" || device.starts_with("mps")) return true;
  return std::ranges::any_of(kIndexed, [&](std::string_view name) {
    if (!device.starts_with(name)) return false;
    const std::string_view rest = device.substr(name.size());
    return rest.empty() || rest[0] == ':' || (rest[0] >= '0' && rest[0] <= '9');
  });
}

}  // namespace

void add_refusal(Checkpoint& checkpoint, std::string summary, std::uint32_t file,
                 std::uint64_t offset) {
  checkpoint.oddities.push_back({.kind = Oddity::Kind::refused,
                                 .summary = std::move(summary),
                                 .file = file,
                                 .offset = offset});
}

void find_zip_refusals(Checkpoint& checkpoint, const ZipArchive& zip, const std::string& prefix,
                       std::uint32_t file) {
  if (!zip.entries().empty()) ZipRefusals(checkpoint, zip, file).find(prefix);
}

void find_pickle_refusals(Checkpoint& checkpoint, const pickle::Pickle& pickle,
                          std::uint32_t file) {
  const pickle::Tree& tree = pickle.tree;
  for (pickle::NodeId node = 0; node < tree.size(); ++node) {
    const bool bad =
        (tree.kind(node) == pickle::Kind::text && !zip::is_utf8(tree.text(node), true)) ||
        (tree.kind(node) == pickle::Kind::global &&
         !(zip::is_utf8(tree.module(node)) && zip::is_utf8(tree.name(node))));
    if (!bad) continue;
    return add_refusal(checkpoint, "torch.load refuses this file: a text of its pickle is no UTF-8",
                       file, tree.offset(node));
  }
}

void find_tensor_refusals(Checkpoint& checkpoint) {
  for (const StoredTensor& tensor : checkpoint.entries) {
    const std::string& container = checkpoint.files[tensor.file].container;
    if (!container.starts_with("torch-")) continue;
    std::string why;
    if (!tensor.device.empty() && !is_known_device(tensor.device))
      why = "without map_location: it knows no device " + tensor.device;
    const DTypeFamily family = info(tensor.view.dtype()).family;
    if (tensor.requires_grad && tensor.readable && family != DTypeFamily::floating &&
        family != DTypeFamily::complex)
      why = "no tensor of integers can require gradients";
    if (why.empty()) continue;
    add_refusal(checkpoint,
                "torch.load refuses this file" +
                    (why.starts_with("without") ? " " + why : ": " + tensor.path + ": " + why),
                tensor.file, tensor.offset);
    checkpoint.oddities.back().tensors = {tensor.path};
    return;
  }
}

}  // namespace samebits
