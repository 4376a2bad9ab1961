// Small hand-made checkpoints and reports for the tests of this layer.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "samebits/explain/report.h"

namespace samebits {

/// Float tensors of the given names with two elements each, chosen as the weights.
inline Checkpoint sample_checkpoint(CheckpointKind kind, const std::vector<std::string>& names) {
  static const std::vector<std::uint8_t> zeros(1 << 16);  // a place of its own for each tensor
  Checkpoint made;
  made.kind = kind;
  made.files.push_back({.path = "model.pth", .container = "torch-zip", .map = nullptr});
  Candidate candidate;
  for (const std::string& name : names) {
    StoredTensor tensor;
    tensor.path = name;
    tensor.name = name;
    tensor.role = TensorRole::weight;
    tensor.view = *TensorView::make(DType::float32, {2}, {1}, 2 * made.entries.size(), zeros);
    tensor.offset = 64 * (made.entries.size() + 1);
    candidate.weights.push_back(static_cast<std::uint32_t>(made.entries.size()));
    made.entries.push_back(std::move(tensor));
  }
  made.candidates.push_back(std::move(candidate));
  return made;
}

inline Subject sample_subject(std::string label, std::string path, Checkpoint checkpoint) {
  Subject made;
  made.label = std::move(label);
  made.path = std::move(path);
  made.checkpoint = std::move(checkpoint);
  return made;
}

inline WeightPair sample_pair(std::string a, std::string b, WeightsVerdict verdict,
                              std::uint64_t matched) {
  WeightPair made;
  made.a = std::move(a);
  made.b = std::move(b);
  made.comparison.verdict = verdict;
  made.comparison.matched = matched;
  return made;
}

inline Finding sample_finding(std::string cause, Role role, Proof proof, std::string summary) {
  Finding made;
  made.cause = std::move(cause);
  made.role = role;
  made.proof = proof;
  made.summary = std::move(summary);
  return made;
}

/// The report with another first finding.
template <class Change>
void change_first_finding(Report* report, Change change) {
  std::vector<Finding> findings(report->findings.begin(), report->findings.end());
  change(findings.at(0));
  report->findings = findings;
}

}  // namespace samebits
