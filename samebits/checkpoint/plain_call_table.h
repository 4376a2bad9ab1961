// The functions and classes that only put data together when they are called with what they are
// meant for, each with the kinds of arguments for which that holds.
//
// Source: torch/_weights_only_unpickler.py, torch/_utils.py, torch/_tensor.py, torch/jit/_pickle.py
// of torch 2.13; numpy/random/_pickle.py, numpy/_core of numpy 2.4; CPython 3.11.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace samebits {

/// What may stand in one place of a call so that it stays plain.
enum class Arg : std::uint8_t {
  none,               // nothing more
  data,               // numbers, text, containers and tensors, all the way down
  many,               // any number of data
  items,              // data, or a list, tuple, set or dict of anything: only iterated
  pairs,              // data, or a dict, or a sequence of (data, anything)
  kept,               // anything: it is stored and nothing else
  tensor,             // a tensor: its methods are called
  storage,            // a storage
  hooks,              // None or an empty OrderedDict, as torch writes it
  state,              // attributes: a dict, or a pair of dicts, without special names
  type,               // a class of tensors or arrays
  factory,            // what defaultdict calls for a missing key
  rebuild,            // a function of this table that makes tensors
  rebuild_arguments,  // its arguments
  bit_generator,      // numpy: its name, its class, or one that the pickle makes
  bit_generator_maker,
};

/// What a class's new object takes from the unpickler besides attributes.
enum class Takes : std::uint8_t { nothing, items, elements, members };  // SETITEM, APPEND, ADDITEMS

struct PlainCall {
  std::string_view name;
  std::array<Arg, 8> args{};
  Takes takes = Takes::nothing;
  bool makes_tensor = false;
};

/// Null where `global` ("module.name") is not known to be plain.
const PlainCall* find_plain_call(std::string_view global);

/// Globals that stand for a value: dtypes, layouts, storage classes.
bool is_data_global(std::string_view global);

/// Classes of tensors and arrays that run no code of the file's choice.
bool is_plain_type(std::string_view global);

/// What may be a defaultdict's factory.
bool is_plain_factory(std::string_view global);

bool is_bit_generator(std::string_view global);

}  // namespace samebits
