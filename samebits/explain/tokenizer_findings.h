// What two tokenizers make of one text, as far as their files say it.
//
// Source: tokenizers 0.22 (tokenizer.json: model.vocab, added_tokens, normalizer, pre_tokenizer,
// post_processor), transformers 5.24.0 tokenization_utils_base.py for the names of the older files.
// Runs no tokenizer.
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// input.preprocessing: tokens with other ids, other rules. Silent where a side has no tokenizer.
void find_tokenizer_changes(Report& report, const Subject& a, const Subject& b, Role role);

}  // namespace samebits
