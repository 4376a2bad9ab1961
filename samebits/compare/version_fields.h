// Fields of configs that versions of transformers write otherwise, or not at all, and that mean the
// same.
//
// Source: configuration_utils.py, modeling_rope_utils.py and models/*/configuration_*.py of
// transformers 4.57.6 and 5.24.0. Held against both by tests/parity/versions_test.py.
#pragma once

#include "samebits/compare/field_map.h"

namespace samebits {

/// Brings the spellings of one config together: rotary embeddings become rope_parameters.
void unify_spellings(FieldMap& fields);

/// Takes out fields that one side alone states and that say what its other fields, or the class of
/// both, say anyway.
void drop_derived(FieldMap& a, FieldMap& b);

/// Why a difference in tie_word_embeddings moves nothing; nullptr where it may. `classes`: the
/// architectures of both, as text, with "?" where a side names none.
const char* unread_tie(const FieldMap& a, const FieldMap& b, const std::string& classes);

/// Whether transformers 5 makes the same of both sides' tie_word_embeddings, since it ties by the
/// values in the files, while 4 shares the embeddings, and scales logits, by the field.
bool is_tie_of_4_alone(const FieldMap& a, const FieldMap& b);

}  // namespace samebits
