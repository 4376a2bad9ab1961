#include "samebits/explain/damaged_findings.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "samebits/checkpoint/record_checksums.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// The weights of one side of a pair: entries of its checkpoint by the name that stands for them.
struct DamageSide {
  const Subject& subject;
  std::map<std::uint32_t, std::string> unlike, alike;
};

bool is_bit_equal(MatchKind kind) {
  return kind == MatchKind::same || kind == MatchKind::renamed || kind == MatchKind::rearranged;
}

void add_side(const Subject& subject, const std::vector<std::uint32_t>& indexes,
              const std::string& name, bool equal, DamageSide* side) {
  const auto& weights = subject.checkpoint->weights().weights;
  for (const std::uint32_t index : indexes)
    if (index < weights.size()) (equal ? side->alike : side->unlike)[weights[index]] = name;
}

DamageSide side_of(const Report& report, const WeightPair& pair, bool is_a) {
  const Subject& a = subject_of(report, pair.a);
  const Subject& b = subject_of(report, pair.b);
  DamageSide side{is_a ? a : b, {}, {}};
  for (const TensorMatch& match : pair.comparison.matches) {
    const std::string& name =
        match.a.empty() ? weight_name(b, match.b[0]) : weight_name(a, match.a[0]);
    add_side(side.subject, is_a ? match.a : match.b, name, is_bit_equal(match.kind), &side);
  }
  const auto& only = is_a ? pair.comparison.only_a : pair.comparison.only_b;
  const std::set<std::string> alone(only.begin(), only.end());
  const auto& weights = side.subject.checkpoint->weights().weights;
  for (std::uint32_t i = 0; i < weights.size(); ++i)
    if (alone.contains(weight_name(side.subject, i)))
      side.unlike[weights[i]] = weight_name(side.subject, i);
  return side;
}

std::vector<std::uint32_t> keys_of(const std::map<std::uint32_t, std::string>& names) {
  std::vector<std::uint32_t> keys;
  for (const auto& [key, name] : names) keys.push_back(key);
  return keys;
}

Json record_json(const Checkpoint& checkpoint, const RecordFault& fault) {
  return {
      {"record", fault.record},
      {"file", checkpoint.files[fault.file].path},
      {"offset", fault.offset},
      {"stored", fmt::format("{:08x}", fault.stored)},
      {"computed", fault.unwritten ? Json(nullptr) : Json(fmt::format("{:08x}", fault.computed))}};
}

std::string record_text(const DamageSide& side, const RecordFault& fault) {
  const std::string where =
      fmt::format("record {}{}", fault.record,
                  side.subject.checkpoint->files.size() > 1
                      ? " of " + side.subject.checkpoint->files[fault.file].path
                      : "");
  const std::string& name = side.unlike.at(fault.entries[0]);
  const std::string more =
      fault.entries.size() > 1 ? fmt::format(" and {} more", fault.entries.size() - 1) : "";
  if (fault.unwritten) return fmt::format("{}{}: {} holds zeros", name, more, where);
  return fmt::format("{}{}: {}, whose checksum is stored as {:08x} and computed as {:08x}", name,
                     more, where, fault.stored, fault.computed);
}

std::string damage_summary(const DamageSide& side, std::size_t count, bool unwritten) {
  const std::size_t all = side.subject.checkpoint->weights().weights.size();
  const std::string& label = side.subject.label;
  if (unwritten)
    return fmt::format(
        "{} holds no values of {} of {}: they were never written (zeros without a checksum, as "
        "torch.serialization.skip_data leaves them)",
        label, count, counted(all, "tensor"));
  return fmt::format("{} is damaged: {} in records whose checksum does not hold", label,
                     counted_of(count, all, "tensor", "lies", "lie"));
}

/// `alike`: tensors without values that are equal on both sides all the same.
Finding damage_finding(const DamageSide& side, const std::vector<RecordFault>& faults,
                       bool unwritten, std::size_t alike) {
  constexpr std::size_t kShown = 5;
  constexpr std::size_t kMostRecords = 100;
  Finding finding{.cause = "weights.invalid",
                  .role = Role::cause,
                  .proof = Proof::observed,
                  .subjects = {side.subject.label}};
  std::set<std::string> names;
  Json records = Json::array();
  for (const RecordFault& fault : faults) {
    if (fault.unwritten != unwritten) continue;
    for (const std::uint32_t entry : fault.entries) names.insert(side.unlike.at(entry));
    if (finding.details.size() < kShown) finding.details.push_back(record_text(side, fault));
    if (records.size() < kMostRecords)
      records.push_back(record_json(*side.subject.checkpoint, fault));
  }
  finding.summary = damage_summary(side, names.size() + (unwritten ? alike : 0), unwritten);
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list({names.begin(), names.end()})},
                      {"side", side.subject.label},
                      {"records", std::move(records)}};
  finding.remedy = unwritten
                       ? "Write the values into these records, or save again without skip_data"
                       : "Get the file again from its source, or from an earlier save: "
                         "torch.load takes the damaged values and says nothing";
  return finding;
}

bool has_faults(const std::vector<RecordFault>& faults, bool unwritten) {
  return std::ranges::any_of(
      faults, [&](const RecordFault& fault) { return fault.unwritten == unwritten; });
}

/// What was read of the tensors of one side that differ.
struct DamageRead {
  std::vector<RecordFault> faults;
  std::size_t whole = 0;  // records whose checksum holds
};
DamageRead read_unlike(const DamageSide& side, int threads) {
  DamageRead read;
  read.faults = faults_of_records(*side.subject.checkpoint, keys_of(side.unlike),
                                  RecordCheck::checksums, threads, &read.whole);
  return read;
}

/// Where every record that was read has the checksum that was stored with it; else "".
std::string whole_text(const DamageSide& side, const DamageRead& read) {
  if (read.whole == 0 || !read.faults.empty()) return "";
  return fmt::format("in {} every record of a tensor that differs has its stored checksum",
                     side.subject.label);
}

/// `other_is_whole`: what was found of the side that this one is compared with, or "".
void find_on_side(Report& report, const WeightPair& pair, const DamageSide& side,
                  const std::vector<RecordFault>& faults, std::size_t alike,
                  const std::string& other_is_whole, std::set<std::string>* explained) {
  for (const bool unwritten : {false, true}) {
    if (!has_faults(faults, unwritten)) continue;
    Finding finding = damage_finding(side, faults, unwritten, alike);
    finding.subjects = {pair.a, pair.b};
    if (!other_is_whole.empty()) finding.details.push_back(other_is_whole);
    add_finding(report, std::move(finding));
  }
  for (const RecordFault& fault : faults)
    for (const std::uint32_t entry : fault.entries) explained->insert(side.unlike.at(entry));
}

std::set<std::string> equal_without_values(const DamageSide& side, int threads) {
  std::set<std::string> names;
  for (const RecordFault& fault : faults_of_records(*side.subject.checkpoint, keys_of(side.alike),
                                                    RecordCheck::zeros, threads))
    for (const std::uint32_t entry : fault.entries) names.insert(side.alike.at(entry));
  return names;
}

/// Zeros that are equal because nobody wrote the values were not compared.
void require_values(Report& report, const DamageSide& side, const std::set<std::string>& names) {
  if (names.empty()) return;
  add_gap(report,
          fmt::format("{}: the values of {} were never written (zeros without a checksum, as "
                      "torch.serialization.skip_data leaves them): {}",
                      side.subject.label, counted(names.size(), "tensor"),
                      some_of({names.begin(), names.end()})),
          Gap::blocking);
}

}  // namespace

void find_damaged_load(Report& report) {
  if (report.damage.empty()) return;
  const Subject& subject = report.subjects[0];
  DamageSide side{subject, {}, {}};
  for (const std::uint32_t index : subject.checkpoint->weights().weights)
    side.unlike[index] = subject.checkpoint->entries[index].name;
  for (const bool unwritten : {false, true}) {
    if (!has_faults(report.damage, unwritten)) continue;
    Finding finding = damage_finding(side, report.damage, unwritten, 0);
    finding.role = Role::risk;
    add_finding(report, std::move(finding));
  }
}

std::set<std::string> find_damaged(Report& report, const WeightPair& pair, int threads) {
  std::set<std::string> explained;
  const std::array<DamageSide, 2> sides = {side_of(report, pair, true),
                                           side_of(report, pair, false)};
  const std::array<DamageRead, 2> reads = {read_unlike(sides[0], threads),
                                           read_unlike(sides[1], threads)};
  for (const std::size_t i : {0, 1}) {
    const std::set<std::string> alike = equal_without_values(sides[i], threads);
    find_on_side(report, pair, sides[i], reads[i].faults, alike.size(),
                 whole_text(sides[1 - i], reads[1 - i]), &explained);
    require_values(report, sides[i], alike);
  }
  return explained;
}

bool is_said_of_pair(const Report& report, const Subject& subject, const Oddity& oddity) {
  const std::string& path = subject.checkpoint->files.at(oddity.file).path;
  for (const Finding& finding : report.findings) {
    if (finding.cause != "weights.invalid" || !finding.evidence.contains("records")) continue;
    if (finding.evidence.value("side", "") != subject.label) continue;
    for (const Json& record : finding.evidence["records"])
      if (record["file"] == path && oddity.offset && record["offset"] == *oddity.offset)
        return true;
  }
  return false;
}

}  // namespace samebits
