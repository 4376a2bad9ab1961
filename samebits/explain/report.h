// The one value that every reporting command makes, and that terminal and JSON only render.
//
// Source of names and meanings: schema "samebits.report/1" (docs/json.md). Strings are final text
// in plain English, without colour or layout.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "samebits/base/json.h"
#include "samebits/checkpoint/checkpoint.h"
#include "samebits/checkpoint/record_checksums.h"
#include "samebits/compare/alignment.h"
#include "samebits/compare/config.h"
#include "samebits/compare/name_filter.h"
#include "samebits/compare/tolerance.h"
#include "samebits/explain/finding.h"
#include "samebits/explain/outputs.h"
#include "samebits/explain/run_facts.h"
#include "samebits/explain/segments.h"

namespace samebits {

/// `close`: numbers differ, and all of them within a tolerance that was asked for.
enum class Verdict : std::uint8_t { same, different, unknown, clean, risk, close };
const char* verdict_name(Verdict verdict);
struct Subject {
  std::string label;  // "A"
  std::string path;
  std::optional<Checkpoint> checkpoint;  // nothing where it could not be opened
  /// Where this subject carries none: "A", or the file that was given; "" otherwise.
  std::string config_borrowed_from;
  /// SHA-256 of each of checkpoint->entries, in their order; "" where an entry has no bytes. Empty
  /// unless asked for.
  std::vector<std::string> digests;
};

/// The indexes in `comparison` count the chosen candidate's weights of each subject, in their
/// order, and after them its non-persistent buffers: see weight_name().
struct WeightPair {
  std::string a, b;  // labels
  WeightComparison comparison;
  std::vector<Segment> segments{};  // filled by diagnose() (diagnosis.h)
};

struct FieldsPair {
  std::string a, b;  // labels
  std::vector<FieldDifference> fields;
  bool of_audio = false;  // preprocessing only
};

/// Tensors to cut or stack along dimension 0 before they can be loaded; templates as in RenameRule.
struct LoadRefit {
  std::vector<std::string> from, to;  // one of them has one name
  std::uint32_t count = 0;
};

/// Shapes of one tensor on both sides of a load.
struct Mismatch {
  Shape found, wanted;
};

/// Two names of one tensor.
struct NamePairOfOne {
  std::string first, second;
};

/// What loading one checkpoint into a target would do; `check` only.
/// What a target wants and the checkpoint holds in another form than under another name.
struct HeldValues {
  std::vector<std::string> from, to;  // names in the checkpoint, in the target
  std::string how;                    // as TensorMatch::how
  std::vector<std::int64_t> sizes;    // the shape in the target; of a cut the rows of its pieces
};

/// Weights that a checkpoint stores as codes, with scales or tables for which a target has no
/// place.
struct CodesWithoutScales {
  std::vector<std::string> raw;     // taken as if the codes were the numbers
  std::vector<std::string> packed;  // of mismatched: another shape than that of the numbers
  std::vector<std::string> absent;  // of random: the codes stand under other names
  std::set<std::string> parts;      // of dropped: codes, scales and tables
  std::string form;                 // "bitsandbytes nf4, blocks of 64"; "" of several
  bool readable = true;             // all numbers are known to the last bit
};

/// Blocks of one list that a load drops, or leaves without values.
struct BlocksApart {
  std::string list;                  // "vit.encoder.layer."
  std::size_t held = 0, wanted = 0;  // blocks of the checkpoint and of the target
  std::size_t tensors = 0;           // of these blocks
};

struct LoadReport {
  std::string target;  // "transformers-4:ViTMAEForPreTraining"
  std::string way;     // "from_pretrained", "load_state_dict(strict=False)"
  std::string run_by;  // the library that was run, "transformers 5.24.0"; "" where it is predicted
  std::uint64_t target_tensors = 0, loaded = 0;
  std::vector<std::string> random, dropped,
      mismatched;                    // target names, checkpoint names, target names
  std::vector<Mismatch> mismatches;  // as mismatched
  bool silent = false;            // the loader says nothing: of what stays random, or else of what
                                  // it drops
  bool dropped_silently = false;  // of what it drops, whatever it says of the rest
  std::string raises;             // the error that ends the load; "" where it succeeds
  std::string remedy;             // for an error that files cause
  bool searched = false;          // a renaming was searched for
  std::vector<std::string> ambiguous;       // prefixes that would do as well as those of the repair
  bool written_for_5_only = false;          // names that only transformers 5.24.0 writes and reads
  std::vector<RenameRule> repair;           // what would make it load
  std::vector<LoadRefit> refits;            // the same, for tensors that must be cut or stacked
  std::set<std::string> restored;           // of random and mismatched, what these would fill
  std::vector<std::string> unplaced;        // of dropped, what has no place with these either
  std::vector<std::string> counters;        // absent, and so left at 0
  std::vector<std::string> tables;          // absent, and computed when the model is built
  std::vector<std::string> dropped_tables;  // not used, and computed when the model is built
  std::vector<std::string> changed;         // loaded, with other values than the files hold
  std::set<double> factors;                 // by which they were multiplied, where it was so
  /// A resumed Trainer: the version that wrote the optimizer, where it numbers parameters
  /// otherwise.
  std::string numbered_by;
  std::vector<NamePairOfOne> tied;      // of the target, two unlike tensors of the checkpoint
  std::vector<NamePairOfOne> copies;    // a tensor, and what of `random` it is too, by a tie
  std::vector<std::string> transposed;  // hold the target's values, transposed
  std::vector<HeldValues> held;         // of random and mismatched, what no renaming fills
  CodesWithoutScales codes;
  std::vector<BlocksApart> dropped_blocks, random_blocks;
  std::vector<std::string> dropped_biases;  // of layers whose weights are loaded
  std::vector<std::string> exchanged;  // loaded, with values that the target's file has elsewhere
  std::vector<std::string> exchanges;  // how, in sentences
  /// Keys of get_extra_state(), which are no tensors, on one side alone.
  std::vector<std::string> states_dropped, states_kept;
};

/// Weights of a directory that the library `by` packed; it builds their layers when it loads them.
struct PackedWeights {
  std::vector<std::string> names;
  std::string by;
};

/// What a gap in the comparison means for the verdict.
enum class Gap : std::uint8_t {
  aside,     // nothing: what is said stands without it
  open,      // unknown, unless a difference was found
  blocking,  // unknown
};

/// One thing that exact resumption needs, and what a file holds of it; `resume` only.
struct ResumePart {
  std::string subject{};  // its label
  std::string part{};     // "optimizer moments", "scheduler", "rng.torch", ...
  std::string state{};    // "present", "fresh", "in doubt", "missing", "not needed", "not read"
  std::string place{};    // where it stands; "" where it does not
  std::string detail{};   // what it says: "AdamW, step 30"
};

/// What the command line leaves out of a comparison, and what it overlooks.
struct Scope {
  std::optional<NameFilter> filter;
  std::optional<Tolerance> tolerance;
};

/// How many of a subject's tensors a filter takes.
struct LeftOut {
  std::string label;
  std::uint64_t taken = 0, total = 0;
};

/// What a person asks first of one file, each answered in a sentence; "" where there is no answer.
/// `inspect` only.
struct Answers {
  std::string load;     // can I load it
  std::string model;    // what is it
  std::string trained;  // how far was it trained
  std::string trust;    // may I trust it
};

struct Report {
  std::string command;  // "diff"
  Verdict verdict = Verdict::unknown;
  std::string diagnosis;  // the answer in one sentence, beside the verdict; see diagnosis.h
  std::vector<Subject> subjects;
  Scope scope;
  std::vector<LeftOut> left_out;    // of each subject, where there is a filter
  std::optional<Answers> answers;   // inspect, of what could be read
  Json given_config;                // for subjects that carry none; null: another subject's
  std::vector<WeightPair> weights;  // each pair has A on its left
  std::vector<FieldsPair> config, preprocessing;
  std::vector<OutputPair> outputs;
  std::vector<RunLine> runs;
  std::vector<Divergence> divergence;
  std::vector<TokenMap> token_maps;
  bool traces = false;              // outputs are all points of two traces, in execution order
  bool in_file_order = false;       // or, where that is not known, in A's file's
  std::vector<LoadReport> loads;    // check: first the way that fits the file, then the other
  PackedWeights packed;             // check
  std::vector<RecordFault> damage;  // check: records that do not hold what was saved
  bool for_transformers_4 = false;  // check: the library that is to load it
  /// check, of a Trainer's checkpoint: tensors that a resumed training would not find by name.
  std::vector<std::string> lost_on_resume;
  std::optional<RunFacts> ran;  // explain: what runs showed
  Findings findings;
  std::vector<std::string> assumed;
  std::vector<std::string> not_checked;  // with the error's whole text
  Gap gap = Gap::aside;                  // the worst of them
  std::string worst_gap;                 // its text, of several the first; "" for those aside

  std::vector<ResumePart> resume;  // resume: what is needed to go on, in the order of the table
};

/// The subject of that label. An unknown label is a mistake of the programmer.
const Subject& subject_of(const Report& report, const std::string& label);

/// The comparison of these two's weights, or nullptr.
const WeightPair* weights_of(const Report& report, const Subject& a, const Subject& b);

/// The config that the subject is run with: its own, the given one, or another subject's; null
/// where there is none.
const Json& config_used(const Report& report, const Subject& subject);

/// Whether it was read and holds weights.
bool has_weights(const Subject& subject);
/// The tensor that an index of a WeightPair stands for.
const StoredTensor& weight_entry(const Subject& subject, std::uint32_t index);
/// Its state_dict name.
const std::string& weight_name(const Subject& subject, std::uint32_t index);

/// Enters a finding. Where runs were made it is first judged by them (judged.h): what they prove,
/// or show not to be needed, is part of the finding from then on.
void add_finding(Report& report, Finding finding);

/// Says what was not compared or could not be read.
void add_gap(Report& report, std::string text, Gap gap);

/// Of a comparison: different where a finding is a cause or contributes, same where none does and
/// no gap is left open. A blocking gap makes it unknown.
Verdict verdict_of_comparison(const Report& report);
/// Of recorded runs, where one point that differs is enough.
Verdict verdict_of_traces(const Report& report, bool different);
/// Of one checkpoint by itself: clean where it has nothing but notes.
Verdict verdict_of_checkpoint(const Report& report);

/// 0 for same, close and clean, 1 for different and risk and for same and close with a risk found,
/// 2 for unknown.
int exit_status(const Report& report);

}  // namespace samebits
