#include "samebits/explain/resume_generators.h"

#include <algorithm>
#include <cstring>
#include <set>

#include <fmt/format.h>

#include "samebits/checkpoint/torch_load.h"
#include "samebits/explain/subjects.h"
#include "samebits/rng/cpu_generator.h"

namespace samebits {
namespace {

constexpr std::int64_t kUsedUp = 624;    // the position that a seed leaves
constexpr std::int64_t kUnseeded = 623;  // where numpy 2.4 starts without one

struct GeneratorReading {
  std::string detail;
  bool seeded = false;   // stands as a seed leaves it
  bool refused = false;  // no state that its library takes
};

std::vector<std::uint8_t> bytes_of_entry(const Checkpoint& source, std::uint32_t entry) {
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = source.entries[entry].view.row_major_bytes(buffer);
  return {bytes.begin(), bytes.end()};
}

GeneratorReading read_torch(const std::vector<std::uint8_t>& bytes) {
  CpuGenerator generator;
  if (Result<void> set = generator.set_state(bytes); !set)
    return {.detail = set.error().what, .refused = true};
  const CpuGenerator fresh(generator.initial_seed());
  const bool seeded = fresh.state() == generator.state();
  const std::uint64_t seed = generator.initial_seed();
  return {.detail = seeded ? fmt::format("as manual_seed({}) leaves it", seed)
                           : fmt::format("advanced, seed {}", seed),
          .seeded = seeded};
}

/// 16 bytes of CUDA: seed and offset. Other devices' states are not read.
GeneratorReading read_device(const GeneratorState& state, const std::vector<std::uint8_t>& bytes) {
  if (state.device != "cuda") return {.detail = fmt::format("{} bytes, not read", bytes.size())};
  constexpr std::size_t kCudaBytes = 16;
  if (bytes.size() != kCudaBytes)
    return {.detail = fmt::format("{} bytes, no state of CUDA's generator (16)", bytes.size()),
            .refused = true};
  std::uint64_t seed = 0;
  std::uint64_t offset = 0;
  std::memcpy(&seed, bytes.data(), sizeof seed);
  std::memcpy(&offset, bytes.data() + sizeof seed, sizeof offset);
  return {.detail = offset == 0 ? fmt::format("as manual_seed({}) leaves it", seed)
                                : fmt::format("advanced to {}, seed {}", offset, seed),
          .seeded = offset == 0};
}

GeneratorReading read_generator(const ResumeFacts& facts, const GeneratorState& state) {
  if (state.entry) {
    const std::vector<std::uint8_t> bytes = bytes_of_entry(facts.state.source, *state.entry);
    return state.kind == GeneratorKind::torch ? read_torch(bytes) : read_device(state, bytes);
  }
  if (!state.position) return {.detail = "there, not read"};
  if (*state.position < 0 || *state.position > kUsedUp)
    return {.detail = fmt::format("position {} of 624", *state.position), .refused = true};
  if (state.kind == GeneratorKind::numpy && *state.position == kUnseeded)
    return {.detail = "as numpy starts without a seed, or advanced to position 623 of 624"};
  const bool seeded = *state.position == kUsedUp;
  return {.detail = seeded ? "as a seed leaves it, or after a multiple of 624 draws"
                           : fmt::format("advanced, position {} of 624", *state.position),
          .seeded = seeded};
}

/// The first state of a kind that belongs to the process, then one of a loader.
const GeneratorState* find_state(const ResumeFacts& facts, GeneratorKind kind,
                                 const std::string& device) {
  for (const GeneratorState& state : facts.state.generators) {
    if (state.kind == kind && state.device == device && !state.is_own) return &state;
  }
  return nullptr;
}

ResumeIssue seeded_issue(const ResumeFacts& facts, const std::string& part,
                         const GeneratorState& state, const GeneratorReading& reading) {
  ResumeIssue issue{.missing = {part}};
  issue.summary = fmt::format("torch's generator ({}) stands {}, although the file says {}",
                              state.place, reading.detail, facts.progress());
  issue.details.emplace_back(
      "every pass over a DataLoader draws from it, unless the loader has a generator of its own");
  issue.evidence["generator"] = state.place;
  issue.remedy = "Save its state at the moment of the checkpoint: torch.get_rng_state()";
  return issue;
}

ResumeRow judge_state(const ResumeFacts& facts, const std::string& part,
                      const GeneratorState& state, bool needed) {
  const GeneratorReading reading = read_generator(facts, state);
  ResumeRow row = resume_row(part, "present", state.place, reading.detail);
  if (reading.refused) {
    row.part.state = needed ? "in doubt" : "not needed";
    if (!needed) return row;
    ResumeIssue issue{.missing = {part}};
    issue.summary =
        fmt::format("the generator's state at {} is none: {}", state.place, reading.detail);
    issue.evidence["generator"] = state.place;
    row.issues.push_back(std::move(issue));
  } else if (reading.seeded && state.kind == GeneratorKind::torch && facts.has_gone_on()) {
    row.part.state = "in doubt";
    row.issues.push_back(seeded_issue(facts, part, state, reading));
  }
  return row;
}

/// "cuda" of "cuda:0".
std::set<std::string> device_kinds(const ResumeFacts& facts) {
  std::set<std::string> kinds;
  for (const Checkpoint* checkpoint : {facts.checkpoint, &facts.state.source}) {
    for (const std::string& device : devices(*checkpoint)) {
      const std::string kind = device.substr(0, device.find(':'));
      if (kind != "cpu" && kind != "meta") kinds.insert(kind);
    }
  }
  return kinds;
}

/// Files of several processes: a number that is left out is a process without its state.
void judge_ranks(const ResumeFacts& facts, ResumeRows& rows) {
  std::set<int> ranks;
  for (const GeneratorState& state : facts.state.generators) {
    const std::size_t end = state.place.find_first_of('.');
    const std::size_t begin = state.place.substr(0, end).find_last_of('_');
    const bool numbered =
        state.place.starts_with("rng_state_") || state.place.starts_with("random_states_");
    if (numbered && begin != std::string::npos && end != std::string::npos)
      ranks.insert(std::stoi(state.place.substr(begin + 1, std::min<std::size_t>(end - begin, 8))));
  }
  if (ranks.empty()) return;
  std::vector<std::string> absent;
  for (int rank = 0; rank < *ranks.rbegin(); ++rank) {
    if (!ranks.contains(rank)) absent.push_back(std::to_string(rank));
  }
  if (absent.empty()) return;
  ResumeRow row = resume_row("rng of all processes", "missing");
  row.issues.push_back({.missing = {"rng of processes " + some_of(absent)},
                        .summary = fmt::format("the generators of {} of {} processes are not there",
                                               absent.size(), *ranks.rbegin() + 1)});
  row.issues[0].details.push_back("processes without: " + some_of(absent));
  rows.push_back(std::move(row));
}

struct NeededGenerator {
  GeneratorKind kind;
  std::string name, device;
};

std::string absent_summary(const std::vector<std::string>& absent, bool all) {
  if (all) return "no state of a random generator is in it";
  return fmt::format("the state of {} is not in it", absent.size() == 1
                                                         ? "one generator: " + absent[0]
                                                         : "generators: " + some_of(absent));
}

}  // namespace

ResumeRows judge_generators(const ResumeFacts& facts) {
  std::vector<NeededGenerator> needed = {{GeneratorKind::torch, "torch", ""},
                                         {GeneratorKind::numpy, "numpy", ""},
                                         {GeneratorKind::python, "python", ""}};
  const std::set<std::string> kinds = device_kinds(facts);
  for (const std::string& kind : kinds) needed.push_back({GeneratorKind::device, kind, kind});
  ResumeRows rows;
  std::vector<std::string> absent;
  for (const NeededGenerator& each : needed) {
    const GeneratorState* state = find_state(facts, each.kind, each.device);
    const std::string part = "rng." + each.name;
    if (state == nullptr) absent.push_back(part);
    rows.push_back(state == nullptr ? resume_row(part, "missing")
                                    : judge_state(facts, part, *state, true));
  }
  for (const GeneratorState& state : facts.state.generators) {
    const bool extra = state.kind == GeneratorKind::device && !kinds.contains(state.device);
    if (extra && find_state(facts, state.kind, state.device) == &state)
      rows.push_back(judge_state(facts, "rng." + state.device, state, false));
  }
  if (!absent.empty()) {
    const auto first = std::ranges::find_if(
        rows, [](const ResumeRow& row) { return row.part.state == "missing"; });
    first->issues.push_back(
        {.missing = absent, .summary = absent_summary(absent, absent.size() == needed.size())});
  }
  judge_ranks(facts, rows);
  return rows;
}

}  // namespace samebits
