// What runs of the subjects showed. Readings of files become findings by it: a difference whose
// exchange gives the other side's bits is a proved cause, one that was not needed contributes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "samebits/explain/factor.h"
#include "samebits/explain/finding.h"
#include "samebits/explain/outputs.h"

namespace samebits {

/// What the runs of B against A showed (PairOutcome), in the names of the files.
struct PairRuns {
  std::string a, b;        // labels
  bool equal = false;      // with the same seeds on both sides
  bool explained = false;  // with A's factors in the place of its own, B gives A's bits
  /// Of what differs, a smallest part whose exchange is enough.
  std::vector<std::string> config;  // fields
  bool mode = false;
  std::vector<std::string> parts;                 // of the weights, as the engine names them
  std::vector<std::string> tensors_a, tensors_b;  // what these are made of in the files
  std::size_t differing_parts = 0;
  bool parts_are_used = true;                // by the pass, all of them
  bool is_minimal = true, by_group = false;  // as in PairOutcome
  std::string parting;                       // the first point where the two part; "" for none
  std::string parting_text;

  std::size_t needed() const { return config.size() + (mode ? 1 : 0) + parts.size(); }
  bool needs(Factor::Kind kind) const;
  /// Requires needed() > 0.
  Factor::Kind first_needed() const;
};

/// Outputs of a masked autoencoder that hold the same tokens in two orders.
struct TokenOrders {
  OutputPair outputs;
  double in_one_order = 0;  // largest difference with the tokens in the patches' order
};

/// A subject whose own processor makes another input of the images.
struct OtherImages {
  std::string a, b;  // labels
  std::string how;   // "12 of 3072 numbers differ, up to 0.8"
  /// A as it is against B on its own images: the first output that differs, or the last. Nothing
  /// where B could not be run on them.
  std::optional<OutputPair> outputs{};
  bool equal_on_one_input = false;
};

struct RunFacts {
  std::size_t subjects = 0;               // that were run
  bool shares_noise = false;              // the first draws noise; all were given the same
  std::optional<OutputPair> noise_twice;  // one that draws noise against itself
  std::vector<OutputPair> dropout_twice;  // each that draws dropout against itself
  std::vector<TokenOrders> token_orders;
  std::vector<OtherImages> other_images;
  std::vector<PairRuns> pairs;
  std::vector<Finding>
      by_torch;  // what PyTorch's runs showed beside exchanges of config and weights
};

/// "config (mask_ratio) and weights in 2 of the 30 tensors that differ and are used".
std::string exchanged_text(const PairRuns& pair);

}  // namespace samebits
