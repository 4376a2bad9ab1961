// What a library's loader would do with a checkpoint: which tensors get a value, which stay at
// their random initial values, what is dropped, and whether anybody would be told.
//
// Sources as in loading_rules.h; torch 2.13.0 nn/modules/module.py (load_state_dict, strict=False);
// torchvision models/vision_transformer.py (MLPBlock's old names). Looks at names and shapes only.
// Does not do: key_mapping, device maps, quantized checkpoints, assignment of dtypes, classes with
// code of their own (auto_map).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "samebits/family/name_table.h"
#include "samebits/model/recognize.h"
#include "samebits/model/repair.h"

namespace samebits::model {

enum class Way : std::uint8_t {
  from_pretrained,  // transformers only: renames included
  state_dict,       // load_state_dict(strict=False): names as they stand
};
const char* way_name(Way way);  // "from_pretrained", "load_state_dict(strict=False)"

struct LoadTarget {
  Library library = Library::transformers4;
  const ModelClass* model_class = nullptr;
  Fields fields;                           // fitted to the class
  std::vector<TensorSpec> tensors;         // what its state_dict() holds
  std::optional<Recognition> recognition;  // what the checkpoint was taken for
  std::vector<std::string> architectures;  // the config's, for 4.57.6's choice to warn
  std::vector<std::string> assumed;        // what nothing says and was taken, in words
};

/// "timm", "transformers-4:ViTModel". Errors: usage, with the names that exist.
struct TargetName {
  Library library = Library::transformers4;
  std::string class_name;  // "" where the checkpoint decides
};
Result<TargetName> parse_target(std::string_view text);

/// The class (named, or the config's architecture, or the one that the tensors fit best) with the
/// sizes of `config` (an empty one: of the class's defaults), or of the tensors where it is null.
/// Errors: usage (no such class; nothing to infer sizes from), those of fields_from_config(),
/// limit.
Result<LoadTarget> make_target(const TargetName& name, const nlohmann::ordered_json* config,
                               const std::vector<StoredShape>& tensors);

enum class TargetState : std::uint8_t {
  loaded,
  missing,     // nothing in the checkpoint: stays at its random initial value
  mismatched,  // another shape: the loader raises, or skips it where told to ignore that
};

struct TargetTensor {
  TensorSpec spec;
  TargetState state = TargetState::missing;
  std::string from;       // checkpoint tensor; "" where missing
  std::int64_t part = 0;  // of `parts` equal pieces of it along dimension 0
  std::int64_t parts = 1;
  Shape found;  // shape offered; loaded and mismatched
};

/// A tensor of the checkpoint that nothing uses.
struct Dropped {
  std::string name;
  std::vector<std::string> reported;  // as the loader lists it among the unexpected keys
};

enum class Notice : std::uint8_t { none, silent, warning };

struct LoadOutcome {
  Way way = Way::state_dict;
  std::vector<TargetTensor> targets;     // in the order of the target's tensors
  std::vector<Dropped> dropped;          // in the checkpoint's order
  std::string raises;                    // the error that ends the load; "" where it succeeds. What
                                         // else stands here is then as with ignore_mismatched_sizes
  Notice missing_notice = Notice::none;  // for the missing
  Notice dropped_notice = Notice::none;
  /// The file is as save_pretrained of transformers 5.24.0 writes this class, under names that
  /// only 5.x reads (ViTMAEForPreTraining).
  bool written_for_5_only = false;
  Repair repair;
  bool searched = false;               // a renaming was searched for
  std::vector<std::string> ambiguous;  // find_renaming.h

  std::size_t count(TargetState state) const;
};

/// For libraries without from_pretrained both ways are load_state_dict.
LoadOutcome predict_load(const LoadTarget& target, const std::vector<StoredShape>& tensors,
                         Way way);

}  // namespace samebits::model
