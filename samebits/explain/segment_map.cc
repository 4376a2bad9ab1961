#include "samebits/explain/segment_map.h"

#include <algorithm>
#include <utility>

#include "samebits/family/segment_words.h"

namespace samebits {
namespace {

constexpr std::size_t kMostModules = 256;  // beside the blocks; more are one segment
constexpr std::size_t kLongestNumber = 9;  // digits of a block's number

bool counts_blocks(std::string_view piece) {
  return is_number(piece) && without_dot(piece).size() <= kLongestNumber;
}

std::string joined(const Pieces& pieces, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += pieces[i];
  return text;
}

/// By its words alone: a head or embeddings, or the first number behind none of these.
SegmentPlace place_by_words(const Pieces& pieces) {
  SegmentPlace place;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const std::string_view part = without_dot(pieces[i]);
    place.decoder = place.decoder || model::names_decoder(part);
    if (counts_blocks(pieces[i])) {
      while (i + 1 < pieces.size() && counts_blocks(pieces[i + 1])) ++i;  // blocks in chunks
      place.kind = SegmentKind::block;
      place.path = joined(pieces, i);
      place.number = std::stoll(std::string(without_dot(pieces[i])));
      return place;
    }
    if (model::names_head(part, i == 0)) {
      place.kind = SegmentKind::head;
      place.path = joined(pieces, i + 1);
      return place;
    }
    if (model::names_embeddings(part)) {
      place.kind = SegmentKind::embeddings;
      place.path = joined(pieces, i);  // whose embeddings: "vit."
      return place;
    }
  }
  if (pieces.empty()) return place;
  if (const auto layer = model::recurrent_layer(pieces.back())) {
    place.kind = SegmentKind::block;
    place.path = joined(pieces, pieces.size() - 1);
    place.number = *layer;
    place.recurrent = true;
  }
  return place;
}

/// "layernorm" of "vit.layernorm."
std::string_view end_of_path(std::string_view path) {
  path = without_dot(path);
  return path.substr(path.rfind('.') + 1);
}

}  // namespace

std::string SegmentPlace::name() const {
  return number < 0 ? path : path + (recurrent ? "l" : "") + std::to_string(number);
}

SegmentMap::SegmentMap(const std::vector<std::string>& names_as_written) {
  std::vector<std::string> names = names_as_written;
  for (std::string& name : names) std::ranges::replace(name, '/', '.');
  std::vector<SegmentPlace> found;
  found.reserve(names.size());
  for (const std::string& name : names) found.push_back(place_by_words(split_name(name)));
  note_containers(names, found);
  std::set<std::string> modules;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (found[i].kind != SegmentKind::other) continue;
    found[i].path = module_of(split_name(names[i]));
    found[i].end = model::names_end(end_of_path(found[i].path));
    modules.insert(found[i].path);
  }
  for (SegmentPlace& place : found) {
    if (place.kind == SegmentKind::other && modules.size() > kMostModules) place.path = "";
    add(std::move(place));
  }
  name_embeddings(names);
}

// What holds blocks, and what all names begin with: modules are told apart below it.
void SegmentMap::note_containers(const std::vector<std::string>& names,
                                 const std::vector<SegmentPlace>& found) {
  std::set<std::string> stacks;
  for (const SegmentPlace& place : found) {
    if (place.kind == SegmentKind::block && stacks.insert(place.path).second)
      note_prefixes(place.path);
  }
  if (names.size() < 2) return;
  std::string shared = names[0].substr(0, names[0].rfind('.') + 1);
  for (const std::string& name : names) {
    while (!shared.empty() && !name.starts_with(shared))
      shared = shared.substr(0, shared.substr(0, shared.size() - 1).rfind('.') + 1);
  }
  note_prefixes(shared);
}

void SegmentMap::note_prefixes(const std::string& path) {
  const Pieces pieces = split_name(path);
  for (std::size_t count = 1; count <= pieces.size(); ++count)
    containers_.insert(joined(pieces, count));
}

std::string SegmentMap::module_of(const Pieces& pieces) const {
  if (pieces.empty()) return "";  // a bare tensor
  std::size_t depth = 0;
  std::string path;
  while (depth + 1 < pieces.size() && containers_.contains(path + std::string(pieces[depth])))
    path += pieces[depth++];
  return path + std::string(pieces[depth]);
}

void SegmentMap::add(SegmentPlace place) {
  const std::string key = place.path + '\n' + std::to_string(place.number) +
                          static_cast<char>('a' + static_cast<int>(place.kind));
  const auto [at, is_new] = index_.try_emplace(key, places_.size());
  segment_of_.push_back(at->second);
  if (is_new) {
    shown_.push_back(place.name());
    places_.push_back(std::move(place));
  }
}

// One module's name where there is one, "vit.embeddings"; else one word for several.
void SegmentMap::name_embeddings(const std::vector<std::string>& names) {
  std::vector<std::string> modules(places_.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const SegmentPlace& place = places_[segment_of_[i]];
    if (place.kind != SegmentKind::embeddings) continue;
    const std::string& name = names[i];
    std::string module = name.substr(0, name.find('.', place.path.size()));
    std::string& known = modules[segment_of_[i]];
    known = known.empty() || known == module ? module : place.path + "embeddings";
  }
  for (std::size_t i = 0; i < places_.size(); ++i) {
    if (!modules[i].empty()) shown_[i] = modules[i];
    if (shown_[i].empty() && names.size() > 1) shown_[i] = "other modules";
    if (shown_[i].ends_with('.')) shown_[i].pop_back();
  }
}

}  // namespace samebits
