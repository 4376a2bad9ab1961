// How transformers 5.24.0 fills the weights of a new model, as data: what each class draws from
// torch's generator, and what it keeps of that.
//
// A constructor draws first, as torch's layers do; then post_init() of the base model, and in the
// end that of the whole model, fill layers and tokens once more. Sources: models/{vit,vit_mae,deit,
// dinov2,dinov2_with_registers}/modeling_*.py (__init__, _init_weights), modeling_utils.py
// (_init_weights, initialize_weights). Held against the library in
// tests/parity/train_initial_test.py.
#pragma once

#include <string_view>

namespace samebits::model {

struct InitialValues {
  std::string_view model_type;
  bool random_class_token = false;  // the constructor draws torch.randn for it
  bool random_positions = false;    // and for the positions
  bool tokens_drawn = false;        // positions, then the class token: trunc_normal_
  bool tokens_kept = false;         // false: zeros replace what was drawn
  bool blocks_first = false;        // the encoder is filled before the embeddings
  bool layers_twice = false;        // layers: normal_, and then trunc_normal_ in its place
  bool decoder_drawn = false;       // the mask token in the constructor, which zeros replace
};

/// nullptr for a type that is not of the family.
const InitialValues* initial_values_of(std::string_view model_type);

}  // namespace samebits::model
