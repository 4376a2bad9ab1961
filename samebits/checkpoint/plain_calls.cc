#include "samebits/checkpoint/plain_calls.h"

#include <algorithm>
#include <array>

#include "samebits/checkpoint/import_names.h"

namespace samebits {
namespace {

using pickle::CallKind;
using pickle::Kind;
using pickle::kNone;
using pickle::Tree;

constexpr std::uint8_t kJudging = 255;

// Bases whose __new__ and __init__ only take a value over.
constexpr std::array kInertBases = std::to_array<std::string_view>({
    "__builtin__.bytes",
    "__builtin__.complex",
    "__builtin__.dict",
    "__builtin__.float",
    "__builtin__.frozenset",
    "__builtin__.int",
    "__builtin__.list",
    "__builtin__.object",
    "__builtin__.set",
    "__builtin__.str",
    "__builtin__.tuple",
    "__builtin__.unicode",
    "builtins.bytes",
    "builtins.complex",
    "builtins.dict",
    "builtins.float",
    "builtins.frozenset",
    "builtins.int",
    "builtins.list",
    "builtins.object",
    "builtins.set",
    "builtins.str",
    "builtins.tuple",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.deque",
});

// Modules of torch all of whose functions compute with tensors.
constexpr std::array kComputingModules = std::to_array<std::string_view>(
    {"torch.nn.functional", "torch._C._nn", "torch._C._fft", "torch._C._special"});

/// A function of tensors by its name, "relu" or "clamp_": torch.from_file() opens a file.
bool is_function_of_tensors(std::string_view name) {
  return !name.empty() && name[0] >= 'a' && name[0] <= 'z' && name != "from_file" &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == name.npos;
}

bool is_class_name(std::string_view name) {
  return !name.empty() && name[0] >= 'A' && name[0] <= 'Z';
}

bool is_container(Kind kind) {
  return kind == Kind::list || kind == Kind::tuple || kind == Kind::dict || kind == Kind::set ||
         kind == Kind::frozenset;
}

/// Names that the unpickler, or setattr() with a state's slots, takes from the object itself.
bool is_special_key(const Tree& tree, NodeId key) {
  const auto name = as_string(tree, key);
  if (!name) return pickle::is_opaque(tree.kind(key));  // a subclass of str, or worse
  return name == "__setstate__" || name == "__class__" || name == "__dict__";
}

}  // namespace

PlainCalls::PlainCalls(const Tree& tree)
    : tree_(tree),
      effects_(tree.size()),
      data_(tree.size()),
      pairs_(tree.size()),
      states_(tree.size()) {}

const Callee& PlainCalls::callee(NodeId callable) {
  const auto [entry, is_new] = callees_.try_emplace(callable);
  Callee& callee = entry->second;
  if (!is_new) return callee;
  const std::string name = class_of(tree_, callable);
  switch (tree_.kind(callable)) {
    case Kind::global:
    case Kind::persistent: callee.name = name.empty() ? "a computed name" : name; break;
    case Kind::object:
      callee.name = "the result of " + (name.empty() ? std::string("a call") : name);
      return callee;
    case Kind::extension:
      callee.name = "copyreg's extension " + std::to_string(tree_.integer(callable));
      return callee;
    default: callee.name = "a value that is not callable"; return callee;
  }
  if (tree_.kind(callable) == Kind::global && leads_elsewhere(tree_, callable)) return callee;
  callee.plain = find_plain_call(callee.name);
  // A persistent id without a name (protocol 0) is a class that the loader knows.
  const bool is_foreign = !is_standard_library(name) && !can_act(name);
  callee.is_foreign_class = name.empty() || is_foreign;
  return callee;
}

NodeId PlainCalls::maker(NodeId object) const {
  return constructed_class(tree_, object).value_or(tree_.callable(object));
}

CallEffect PlainCalls::effect(NodeId object, int depth) {
  if (tree_.kind(object) != Kind::object || effects_[object] == kJudging || depth > kDeepest)
    return CallEffect::acts;
  if (effects_[object] != 0) return static_cast<CallEffect>(effects_[object] - 1);
  effects_[object] = kJudging;
  const CallEffect found = judge(object, depth);
  effects_[object] = static_cast<std::uint8_t>(found) + 1;
  return found;
}

CallEffect PlainCalls::judge(NodeId object, int depth) {
  if (const auto made = constructed_class(tree_, object))
    return judge_construction(object, *made, depth);
  if (keeps_computation(object) || is_member(object)) return CallEffect::constructs;
  const PlainCall* plain = callee(tree_.callable(object)).plain;
  const Kind arguments = tree_.kind(tree_.args(object));
  const bool given = arguments == Kind::tuple || arguments == Kind::list;
  return plain != nullptr && given && fit(*plain, elements(tree_, tree_.args(object)), depth)
             ? CallEffect::plain
             : CallEffect::acts;
}

/// NEWOBJ, NEWOBJ_EX, or a call of copyreg's functions that do the same.
CallEffect PlainCalls::judge_construction(NodeId object, NodeId made, int depth) {
  const CallKind how = tree_.call_kind(object);
  const bool by_opcode = how == CallKind::newobj || how == CallKind::newobj_ex;
  const bool by_base = !by_opcode && !tree_.name(tree_.callable(object)).ends_with("__newobj__");
  const Callee& made_of = callee(made);
  if (by_base && !has_inert_base(object, depth)) return CallEffect::acts;
  if (made_of.plain == nullptr)
    return made_of.is_foreign_class ? CallEffect::constructs : CallEffect::acts;
  if (by_base) return CallEffect::plain;
  const auto given = elements(tree_, tree_.args(object));
  const bool words = tree_.kwargs(object) == kNone || is_data(tree_.kwargs(object), depth + 1);
  return words && fit(*made_of.plain, by_opcode ? given : given.subspan(1), depth)
             ? CallEffect::plain
             : CallEffect::acts;
}

/// copyreg._reconstructor(cls, base, state) calls base.__new__(cls, state) and, unless the base is
/// object, base.__init__.
bool PlainCalls::has_inert_base(NodeId object, int depth) {
  const auto args = elements(tree_, tree_.args(object));
  if (args.size() != 3 || tree_.kind(args[1]) != Kind::global) return false;
  const std::string base = tree_.qualified_name(args[1]);
  return std::find(kInertBases.begin(), kInertBases.end(), base) != kInertBases.end() &&
         fits(Arg::items, args[2], args, depth);
}

bool PlainCalls::fit(const PlainCall& call, std::span<const NodeId> arguments, int depth) {
  if (arguments.size() > kMostArguments) return false;
  Arg arg = Arg::none;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arg != Arg::many) arg = i < call.args.size() ? call.args[i] : Arg::none;
    if (!fits(arg, arguments[i], arguments, depth)) return false;
  }
  return true;
}

bool PlainCalls::fits(Arg arg, NodeId node, std::span<const NodeId> arguments, int depth) {
  const bool is_function = tree_.kind(node) == Kind::global;
  const Kind kind = tree_.kind(node);
  switch (arg) {
    case Arg::none: return false;
    case Arg::data:
    case Arg::many: return is_data(node, depth + 1);
    case Arg::items: return is_container(kind) || is_data(node, depth + 1);
    case Arg::pairs: return are_pairs(node, depth + 1);
    case Arg::kept: return true;
    case Arg::tensor: return is_stored(node) || is_listed_or(node, true, depth + 1);
    case Arg::storage: return is_stored(node) || is_listed_or(node, false, depth + 1);
    case Arg::hooks: return kind == Kind::none || is_empty_mapping(node);
    case Arg::state: return is_safe_state(node);
    case Arg::type: return is_type(node);
    case Arg::factory:
      return kind == Kind::none || (is_function && is_plain_factory(callee(node).name));
    case Arg::rebuild: {
      const PlainCall* plain = is_function ? callee(node).plain : nullptr;
      return plain != nullptr && plain->makes_tensor;
    }
    case Arg::rebuild_arguments: {
      const PlainCall* plain = callee(arguments[0]).plain;
      return plain != nullptr && (kind == Kind::tuple || kind == Kind::list) && depth < kDeepest &&
             fit(*plain, elements(tree_, node), depth + 1);
    }
    case Arg::bit_generator:
      return is_function ? is_bit_generator(callee(node).name) : is_data(node, depth + 1);
    case Arg::bit_generator_maker:
      return tree_.is_global(node, "numpy.random._pickle", "__bit_generator_ctor");
  }
  return false;
}

/// What such a call would make, or anything whose own call is listed already.
bool PlainCalls::is_listed_or(NodeId object, bool makes_tensor, int depth) {
  if (tree_.kind(object) != Kind::object || depth > kDeepest) return false;
  const CallEffect how = effect(object, depth);
  if (how == CallEffect::acts) return effects_[object] != kJudging;
  const PlainCall* plain = callee(maker(object)).plain;
  return how == CallEffect::plain && plain != nullptr &&
         (plain->makes_tensor == makes_tensor || !makes_tensor);
}

/// A persistent id that stands for a storage, or in torch's tar for a tensor, and not for a class.
bool PlainCalls::is_stored(NodeId node) const {
  if (tree_.kind(node) != Kind::persistent) return false;
  const std::string name = class_of(tree_, node);
  return name.empty() || is_data_global(name);
}

bool PlainCalls::is_type(NodeId node) {
  const Kind kind = tree_.kind(node);
  if (kind != Kind::global && kind != Kind::persistent) return false;
  const Callee& type = callee(node);
  return is_plain_type(type.name) || type.is_foreign_class;
}

std::vector<NodeId> PlainCalls::types_given(NodeId object) {
  std::vector<NodeId> types;
  const PlainCall* plain = callee(tree_.callable(object)).plain;
  if (plain == nullptr || constructed_class(tree_, object)) return types;
  const auto arguments = elements(tree_, tree_.args(object));
  for (std::size_t i = 0; i < std::min(arguments.size(), plain->args.size()); ++i) {
    if (plain->args[i] == Arg::type && !is_plain_type(callee(arguments[i]).name))
      types.push_back(arguments[i]);
  }
  return types;
}

bool PlainCalls::is_data(NodeId node, int depth) {
  Memo& memo = data_[node];
  if (memo == Memo::open || depth > kDeepest) return false;
  if (memo != Memo::unknown) return memo == Memo::yes;
  memo = Memo::open;
  const bool found = judge_data(node, depth);
  data_[node] = found ? Memo::yes : Memo::no;
  return found;
}

bool PlainCalls::judge_data(NodeId node, int depth) {
  switch (tree_.kind(node)) {
    case Kind::none:
    case Kind::boolean:
    case Kind::integer:
    case Kind::big_integer:
    case Kind::real:
    case Kind::text:
    case Kind::bytes:
    case Kind::buffer: return true;
    case Kind::list:
    case Kind::tuple:
    case Kind::set:
    case Kind::frozenset: return are_data(tree_.items(node), depth);
    case Kind::dict: return are_data(tree_.pairs(node), depth);
    case Kind::global: return is_data_global(callee(node).name);
    case Kind::persistent: return is_stored(node);
    case Kind::extension: return false;
    case Kind::object: return is_data_object(node, depth);
  }
  return false;
}

/// A plain call given data, whose result was given nothing but data. What is listed already spoils
/// nothing.
bool PlainCalls::is_data_object(NodeId object, int depth) {
  if (depth >= kDeepest) return false;
  const CallEffect how = effect(object, depth + 1);
  if (how == CallEffect::acts) return effects_[object] != kJudging;
  if (how == CallEffect::constructs) return false;
  const PlainCall* plain = callee(maker(object)).plain;
  if (plain == nullptr || !types_given(object).empty()) return false;
  if (plain->makes_tensor) return true;
  return are_data(tree_.states(object), depth) && are_data(tree_.items(object), depth) &&
         are_data(tree_.pairs(object), depth) &&
         (plain->args[0] == Arg::type || plain->args[0] == Arg::bit_generator ||
          plain->args[0] == Arg::factory || is_data(tree_.args(object), depth + 1));
}

bool PlainCalls::are_data(std::span<const NodeId> nodes, int depth) {
  return std::ranges::all_of(nodes, [&](NodeId node) { return is_data(node, depth + 1); });
}

bool PlainCalls::are_data(std::span<const std::pair<NodeId, NodeId>> pairs, int depth) {
  return std::ranges::all_of(pairs, [&](const auto& pair) {
    return is_data(pair.first, depth + 1) && is_data(pair.second, depth + 1);
  });
}

bool PlainCalls::are_pairs(NodeId node, int depth) {
  Memo& memo = pairs_[node];
  if (memo == Memo::unknown) memo = judge_pairs(node, depth) ? Memo::yes : Memo::no;
  return memo == Memo::yes;
}

/// Keys are hashed and compared, values only stored.
bool PlainCalls::judge_pairs(NodeId node, int depth) {
  const Kind kind = tree_.kind(node);
  if (kind == Kind::dict) return true;
  if (kind != Kind::list && kind != Kind::tuple) return is_data(node, depth + 1);
  return std::ranges::all_of(tree_.items(node), [&](NodeId item) {
    const auto parts = elements(tree_, item);
    return parts.size() == 2 || is_data(item, depth + 1);
  });
}

bool PlainCalls::is_empty_mapping(NodeId node) const {
  if (!is_mapping(tree_, node) || !tree_.pairs(node).empty()) return false;
  const auto given = elements(tree_, tree_.args(node));
  return std::ranges::all_of(given, [&](NodeId argument) {
    return is_container(tree_.kind(argument)) && tree_.items(argument).empty() &&
           tree_.pairs(argument).empty();
  });
}

/// functools.partial keeps a function for later, as activation modules do: of torch or of a model
/// of transformers, one that only computes. Its state may name another one than its argument.
bool PlainCalls::keeps_computation(NodeId object) {
  if (!tree_.is_global(tree_.callable(object), "functools", "partial")) return false;
  const auto computes = [&](NodeId arguments) {
    const auto kept = elements(tree_, arguments);
    if (!kept.empty() && is_torch_function(kept[0])) return true;
    if (kept.empty() || tree_.kind(kept[0]) != Kind::global) return false;
    const std::string_view module = tree_.module(kept[0]);
    const std::string_view name = tree_.name(kept[0]);
    if (name.find('.') != name.npos) return false;
    // What gradient_checkpointing_enable() of transformers keeps: it calls the model's own layers.
    if (module == "torch.utils.checkpoint" && name == "checkpoint") return true;
    return std::ranges::find(kComputingModules, module) != kComputingModules.end() ||
           (module.starts_with("torch.nn.modules.") && is_class_name(name)) ||
           (module.starts_with("transformers.models.") && callee(kept[0]).is_foreign_class);
  };
  return computes(tree_.args(object)) && std::ranges::all_of(tree_.states(object), computes);
}

bool PlainCalls::gets_by_name(NodeId object) const {
  const NodeId callable = tree_.callable(object);
  const auto given = elements(tree_, tree_.args(object));
  const bool gets = tree_.is_global(callable, "builtins", "getattr") ||
                    tree_.is_global(callable, "__builtin__", "getattr");
  return gets && given.size() == 2 && tree_.kind(given[1]) == Kind::text;
}

/// getattr(torch._C._VariableFunctionsClass, "relu"): so pickle writes torch.relu, which a module
/// keeps as its activation.
bool PlainCalls::is_torch_function(NodeId object) const {
  if (tree_.kind(object) != Kind::object || constructed_class(tree_, object)) return false;
  if (!gets_by_name(object)) return false;
  const auto given = elements(tree_, tree_.args(object));
  return tree_.is_global(given[0], "torch._C", "_VariableFunctionsClass") &&
         is_function_of_tensors(tree_.text(given[1]));
}

/// getattr(Class, "NAME"), as Python 3.11 writes members of enumerations, or getattr(object,
/// "name"), as pickle writes a method that is kept for later (a hook). What is called or changed
/// through it is listed on its own.
bool PlainCalls::is_member(NodeId object) {
  if (!gets_by_name(object)) return false;
  if (is_torch_function(object)) return true;
  const auto given = elements(tree_, tree_.args(object));
  const std::string_view name = tree_.text(given[1]);
  if (const auto owner = constructed_class(tree_, given[0]))
    return callee(*owner).is_foreign_class && !name.empty() && name[0] != '_';
  if (tree_.kind(given[0]) != Kind::global) return false;
  if (tree_.is_global(given[0], "torch.distributed.checkpoint.metadata", "_MEM_FORMAT_ENCODING"))
    return name.starts_with("TORCH_");
  return callee(given[0]).is_foreign_class && is_class_name(tree_.name(given[0])) &&
         !name.empty() && name[0] != '_';
}

bool PlainCalls::is_safe_state(NodeId state) {
  Memo& memo = states_[state];
  if (memo == Memo::unknown) {
    bool safe = sets_only_data_attributes(state);
    const auto parts = elements(tree_, state);
    if (parts.size() == 2)  // attributes, slots
      safe = safe && sets_only_data_attributes(parts[0]) && sets_only_data_attributes(parts[1]);
    memo = safe ? Memo::yes : Memo::no;
  }
  return memo == Memo::yes;
}

bool PlainCalls::sets_only_data_attributes(NodeId state) const {
  const auto special = [&](NodeId key) { return is_special_key(tree_, key); };
  if (std::ranges::any_of(tree_.pairs(state), [&](const auto& p) { return special(p.first); }))
    return false;
  if (tree_.kind(state) != Kind::object) return true;
  // OrderedDict([(key, value), ...])
  return std::ranges::none_of(mapping_items(tree_, state),
                              [&](const KeyValue& item) { return special(item.key_node); });
}

}  // namespace samebits
