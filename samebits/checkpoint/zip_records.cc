#include "samebits/checkpoint/zip_records.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "samebits/checkpoint/torch_refusals.h"
#include "samebits/container/zip_loaders.h"
#include "samebits/container/zip_order.h"

namespace samebits {
namespace {

bool have_equal_bytes(const ZipArchive& zip, const ZipEntry& a, const ZipEntry& b) {
  if (a.size != b.size) return false;
  std::vector<std::uint8_t> first;
  std::vector<std::uint8_t> second;
  const Result<Bytes> one = zip.read(a, first);
  const Result<Bytes> other = zip.read(b, second);
  return one && other && std::ranges::equal(*one, *other);
}

/// Entries in the order of their names without case, and of the directory among equal ones.
std::vector<const ZipEntry*> by_name(const ZipArchive& zip) {
  std::vector<const ZipEntry*> order;
  for (const ZipEntry& entry : zip.entries()) order.push_back(&entry);
  std::ranges::sort(order, [](const ZipEntry* a, const ZipEntry* b) {
    const int difference = zip::compare_names(a->name, b->name);
    return difference != 0 ? difference < 0 : a < b;
  });
  return order;
}

std::string_view without_npy(std::string_view name) {
  if (name.ends_with(".npy")) name.remove_suffix(4);
  return name;
}

}  // namespace

void find_doubled_records(Checkpoint& checkpoint, const ZipArchive& zip, std::uint32_t file) {
  const std::vector<const ZipEntry*> order = by_name(zip);
  for (auto begin = order.begin(); begin != order.end();) {
    const auto end = std::find_if(begin, order.end(), [&](const ZipEntry* entry) {
      return zip::compare_names(entry->name, (*begin)->name) != 0;
    });
    const auto unlike = std::find_if(begin + 1, end, [&](const ZipEntry* entry) {
      return !have_equal_bytes(zip, **begin, *entry);
    });
    if (unlike != end) {
      const ZipEntry* taken = zip.find((*begin)->name);
      const auto last =
          std::find_if(std::make_reverse_iterator(end), std::make_reverse_iterator(begin),
                       [&](const ZipEntry* e) { return e->name == taken->name; });
      checkpoint.oddities.push_back(
          {.kind = Oddity::Kind::incomplete,
           .summary =
               fmt::format("{} records stand under the name {}, of unlike content: torch "
                           "takes the one at byte {}, Python's zipfile the one at byte {}",
                           end - begin, taken->name, taken->header_offset, (*last)->header_offset),
           .file = file,
           .offset = (*unlike)->header_offset});
    }
    begin = end;
  }
}

std::vector<bool> numpys_choices(const ZipArchive& zip) {
  const std::vector<ZipEntry>& entries = zip.entries();
  std::map<std::string_view, std::size_t> taken;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string_view key = without_npy(entries[i].name);
    const auto [place, is_new] = taken.try_emplace(key, i);
    const bool plain_stays = entries[place->second].name == key && entries[i].name != key;
    if (!is_new && !plain_stays) place->second = i;
  }
  std::vector<bool> choices(entries.size(), false);
  for (const auto& [key, index] : taken) choices[index] = true;
  return choices;
}

void find_npz_refusals(Checkpoint& checkpoint, const ZipArchive& zip, std::uint32_t file) {
  const std::string begin = "numpy.load refuses this file: ";
  if (as_text(zip.file()).substr(0, 4) != "PK\3\4")
    return add_refusal(checkpoint, begin + "it does not begin with a record", file, 0);
  if (const auto why = zip::zipfile_refuses(zip))
    return add_refusal(checkpoint, begin + why->what, file, why->offset);
  const std::vector<bool> choices = numpys_choices(zip);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (!choices[i]) continue;
    if (const auto why = zip::zipfile_refuses(zip, zip.entries()[i]))
      return add_refusal(checkpoint, begin + why->what, file, why->offset);
  }
}

}  // namespace samebits
