// The one value that every reporting command makes, and that terminal and JSON only render.
//
// Source of names and meanings: schema "samebits.report/1" (docs/json.md). Strings are final text
// in plain English, without colour or layout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "samebits/base/json.h"
#include "samebits/checkpoint/checkpoint.h"
#include "samebits/compare/alignment.h"
#include "samebits/compare/config.h"
#include "samebits/compare/dropout_pattern.h"

namespace samebits {

enum class Verdict : std::uint8_t { same, different, unknown, clean, risk };
const char* verdict_name(Verdict verdict);
enum class Role : std::uint8_t { cause, contributes, risk, note };
const char* role_name(Role role);
enum class Proof : std::uint8_t { proved, observed, suspected };
const char* proof_name(Proof proof);

struct Finding {
  std::string cause;  // an id of causes.h
  Role role = Role::note;
  Proof proof = Proof::observed;
  std::vector<std::string> subjects;  // labels
  std::string summary;  // one sentence without a full stop; that of the first finding which is not
                        // a note stands beside the verdict
  std::vector<std::string> details;  // further lines under it, each true on its own
  Json evidence = Json::object();    // as product requires for the cause
  std::string remedy;                // what to do; "" where nothing is to be done
  std::string settle;                // suspected only: what would prove it
};

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
};

/// Outputs at a point of two runs.
struct OutputPair {
  std::string a, b, point;
  std::string verdict;  // "identical", "permuted", "rounding", "different"
  std::uint64_t elements = 0, differing = 0;
  double max_abs = 0;
  std::optional<std::uint64_t> max_ulp;  // same float type only
  double cosine = 1;
  /// What the differences are confined to: "token 2", "columns 16 to 31 of 48"; else "".
  std::string where{};
  /// Where double precision and other orders of additions were computed as well: B's error in units
  /// of the largest of A's (root mean squares), and how far these orders are from one another.
  std::optional<double> floor_units{}, floor_max_abs{};
  std::string looks_like{};  // "all elements", "rows permuted", "rounded to bfloat16", ...; "" for
                             // nothing in particular
  std::optional<DropoutPattern> dropout{};  // where one side is the other behind dropout
  std::optional<DType> narrower{};          // to which one side is the other rounded
};

/// A run that was made, and what it showed.
struct RunLine {
  std::string run;      // "B with the config (mask_ratio) of A"
  std::string outcome;  // "A's outputs, bit for bit"
};

/// Every point of two runs with the same randomness, in execution order.
struct Divergence {
  std::string a, b;  // labels
  std::vector<OutputPair> points;
};

/// Where each patch of the first image stands among the tokens of two runs.
struct TokenMap {
  std::string a, b;  // labels
  std::vector<std::uint32_t> places_a, places_b;
};

struct FieldsPair {
  std::string a, b;  // labels
  std::vector<FieldDifference> fields;
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

/// What loading one checkpoint into a target would do; `check` only.
struct LoadReport {
  std::string target;  // "transformers-4:ViTMAEForPreTraining"
  std::string way;     // "from_pretrained", "load_state_dict(strict=False)"
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
  std::vector<std::string> ambiguous;  // prefixes that would do as well as those of the repair
  bool written_for_5_only = false;     // names that only transformers 5.24.0 writes and reads
  std::vector<RenameRule> repair;      // what would make it load
  std::vector<LoadRefit> refits;       // the same, for tensors that must be cut or stacked
  std::uint64_t restored = 0;          // of random and mismatched, how many these would fill
};

struct Report {
  std::string command;  // "diff"
  Verdict verdict = Verdict::unknown;
  std::vector<Subject> subjects;
  Json given_config;                // for subjects that carry none; null: another subject's
  std::vector<WeightPair> weights;  // each pair has A on its left
  std::vector<FieldsPair> config, preprocessing;
  std::vector<OutputPair> outputs;
  std::vector<RunLine> runs;
  std::vector<Divergence> divergence;
  std::vector<TokenMap> token_maps;
  bool traces = false;            // outputs are all points of two traces, in execution order
  bool in_file_order = false;     // or, where that is not known, in A's file's
  std::vector<LoadReport> loads;  // check: first the way that fits the file, then the other
  std::vector<Finding> findings;  // causes first, then contributes, risks, notes
  std::vector<std::string> assumed;
  std::vector<std::string> not_checked;  // with the error's whole text
  bool incomplete = false;               // something in not_checked makes the verdict unknown
  bool undecided = false;                // the same, unless a difference was found
};

/// The subject of that label. An unknown label is a mistake of the programmer.
const Subject& subject_of(const Report& report, const std::string& label);

/// The config that the subject is run with: its own, the given one, or another subject's; null
/// where there is none.
const Json& config_used(const Report& report, const Subject& subject);

/// The state_dict name that an index of a WeightPair stands for.
const std::string& weight_name(const Subject& subject, std::uint32_t index);

/// Causes first, then contributes, risks, notes; within a role the proved before the observed
/// before the suspected. What is equal in both keeps its order.
void sort_findings(std::vector<Finding>* findings);

/// 0 for same and clean, 1 for different and risk and for same with a risk found, 2 for unknown.
int exit_status(const Report& report);

}  // namespace samebits
