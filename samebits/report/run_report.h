// What `samebits run` says: the outputs of a forward pass by their digests, and how long it took.
#pragma once

#include <string>
#include <vector>

#include "samebits/base/json.h"

namespace samebits {

struct RunOutput {
  std::string name;   // "logits"
  std::string dtype;  // "float32"
  std::vector<std::size_t> shape;
  std::string sha256;  // of the row-major little-endian bytes
  double mean = 0, smallest = 0, largest = 0;
  std::uint64_t not_finite = 0;  // NaN and infinities, which the numbers above leave out
};

struct RunClass {
  std::size_t image = 0, index = 0;
  std::string label;  // "" where the config has none
  double logit = 0;
};

struct RunReport {
  std::string model;
  std::vector<RunOutput> outputs;
  std::vector<RunClass> top;
  std::vector<std::string> assumed, notes;
  double load_s = 0;
  std::vector<double> forward_s;
  std::string isa;         // "avx512"
  std::string isa_reason;  // KernelChoice::reason, or "--isa"
  int threads = 1;
};

/// Schema "samebits.run/1".
std::string run_json_text(const RunReport& report);
/// The same of a run that ended before it had outputs: `not_checked` says why.
std::string run_failure_json(const std::string& model, const std::string& why);
/// `width` in columns.
std::string render_run(const RunReport& report, int width);

}  // namespace samebits
