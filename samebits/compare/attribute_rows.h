// What attributes of modules are known to do, as data.
#pragma once

#include <string>
#include <string_view>

namespace samebits {

enum class AttributeEffect {
  outputs,   // the forward pass computes differently
  training,  // it acts in training mode only
  learning,  // it moves gradients or running statistics, and the output of no pass, in any mode
  nothing,   // no forward pass reads it
  unknown,   // whoever wrote the class knows
};

struct AttributeRow {
  std::string_view classes;    // the class path begins so; "" for all
  std::string_view attribute;  // "*" for all
  AttributeEffect effect;
  std::string_view why;  // one clause
};

/// The row that decides about an attribute of a class: of those for its name the one with the
/// longest beginning of the class path, else of those for all names; `unknown` where there is
/// none. Private attributes of libraries are bookkeeping.
AttributeRow attribute_row(std::string_view class_path, std::string_view attribute);

/// Whether the row is the rule for private attributes of libraries, and none of that name.
bool is_unlisted_private(const AttributeRow& row, std::string_view attribute);

/// Whether versions 4.57.6 and 5.24.0 of a class of transformers set the attribute otherwise in one
/// and the same model.
bool is_other_in_versions(std::string_view class_path, std::string_view attribute);

/// Whether torch sets the attribute on modules that it scripts, compiles or wraps.
bool is_left_by_torch(const AttributeRow& row);

/// Of a field of a hook that is an object; `unknown` where nothing is known of it.
AttributeRow hook_row(std::string_view hook_class, std::string_view field);

/// Whether the row says that the attribute names a run or a place.
bool names_a_run(const AttributeRow& row);

/// True for classes of libraries, whose code can be looked up; false for a user's own.
bool is_library_class(std::string_view class_path);

/// Classes that a model may be put into, or do without, in evaluation mode: containers, wrappers
/// of parallel training, losses, metrics, dropout.
bool changes_nothing_in_evaluation(std::string_view class_path);

/// Classes of one function under two names. A user's class by the name of a library's is another.
bool is_same_function(std::string_view class_a, std::string_view class_b);

}  // namespace samebits
