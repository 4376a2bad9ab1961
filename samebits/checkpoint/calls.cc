#include "samebits/checkpoint/calls.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "samebits/checkpoint/call_text.h"
#include "samebits/checkpoint/embedded_storage.h"
#include "samebits/checkpoint/import_names.h"
#include "samebits/checkpoint/module_tree.h"
#include "samebits/checkpoint/pickled_bytes.h"
#include "samebits/checkpoint/plain_calls.h"
#include "samebits/checkpoint/tree_view.h"

namespace samebits {
namespace {

using pickle::Call;
using pickle::CallKind;
using pickle::Effect;
using pickle::Kind;
using pickle::Tree;

const char* opcode_name(const Call& call) {
  switch (call.effect) {
    case Effect::build: return "BUILD";
    case Effect::setitem: return "SETITEM";
    case Effect::setitems: return "SETITEMS";
    case Effect::append: return "APPEND";
    case Effect::appends: return "APPENDS";
    case Effect::additems: return "ADDITEMS";
    case Effect::none: break;
  }
  switch (call.kind) {
    case CallKind::reduce: return "REDUCE";
    case CallKind::newobj: return "NEWOBJ";
    case CallKind::newobj_ex: return "NEWOBJ_EX";
    case CallKind::obj: return "OBJ";
    case CallKind::inst: return "INST";
  }
  return "REDUCE";
}

/// What the unpickler calls or sets in the object that it changes.
const char* method_name(Effect effect) {
  switch (effect) {
    case Effect::none: break;
    case Effect::build: return ".__setstate__";
    case Effect::setitem:
    case Effect::setitems: return ".__setitem__";
    case Effect::append: return ".append";
    case Effect::appends: return ".extend";
    case Effect::additems: return ".add";
  }
  return "";
}

bool takes(const PlainCall& made_by, Effect effect) {
  switch (effect) {
    case Effect::setitem:
    case Effect::setitems: return made_by.takes == Takes::items;
    case Effect::append:
    case Effect::appends: return made_by.takes == Takes::elements;
    case Effect::additems: return made_by.takes == Takes::members;
    default: return effect == Effect::build;
  }
}

/// Sums calls of one checkpoint by global, way and what they are.
class CallCounter {
 public:
  explicit CallCounter(std::vector<CallSummary>& calls) : calls_(calls) {
    for (std::size_t i = 0; i < calls.size(); ++i) places_.emplace(key(calls[i]), i);
  }
  /// The entry, where it is new.
  CallSummary* add(CallSummary call) {
    const auto known = places_.find(key(call));
    if (known != places_.end()) {
      ++calls_[known->second].count;
      return nullptr;
    }
    if (calls_.size() >= kMaxDifferent) return nullptr;
    places_.emplace(key(call), calls_.size());
    calls_.push_back(std::move(call));
    return &calls_.back();
  }

 private:
  // A hostile pickle may name a million different things; the first ones tell what it is.
  static constexpr std::size_t kMaxDifferent = 2'000;
  static std::string key(const CallSummary& call) {
    return call.how + (call.plain ? " plain " : call.constructs ? " object " : " ") + call.global;
  }
  std::vector<CallSummary>& calls_;
  std::unordered_map<std::string, std::size_t> places_;
};

/// Lists the calls and changes of one pickle, in order.
class CallLister {
 public:
  CallLister(Checkpoint& checkpoint, const pickle::Pickle& pickle, std::uint32_t file)
      : out_(checkpoint),
        pickle_(pickle),
        tree_(pickle.tree),
        file_(file),
        judge_(tree_),
        counter_(checkpoint.calls),
        built_(tree_.size()) {}

  void list() {
    for (const Call& call : pickle_.calls) {
      if (call.effect == Effect::none) {
        list_call(call);
      } else {
        list_change(call);
      }
    }
    list_imports();
  }

 private:
  void list_call(const Call& call) {
    const CallEffect effect =
        is_embedded(call.target) ? CallEffect::plain : judge_.effect(call.target);
    const NodeId made_by = judge_.maker(call.target);
    use(made_by);
    use(tree_.callable(call.target));
    add(call, judge_.callee(made_by).name, effect, made_by);
    if (effect == CallEffect::constructs) use_arguments(call.target);
    if (effect != CallEffect::plain) return;
    for (const NodeId type : judge_.types_given(call.target)) {
      use(type);
      add(call, judge_.callee(type).name, CallEffect::constructs, type);
    }
  }

  /// torch.load() of bytes that hold one storage and call nothing.
  bool is_embedded(NodeId object) {
    const auto argument = embedded_argument(tree_, object);
    if (!argument) return false;
    const auto [place, is_new] = embedded_.try_emplace(*argument, false);
    if (!is_new) return place->second;
    const auto stream = pickled_bytes(tree_, *argument, out_.files[file_].map->bytes());
    place->second = stream && read_embedded_storage(stream->bytes, "", 0).has_value();
    return place->second;
  }

  /// What the pickle makes of data, and fills before it has attributes, is part of the making. All
  /// else goes through code of a class, or changes what was there before.
  void list_change(const Call& call) {
    const bool was_built = built_[call.target];
    if (call.effect == Effect::build) built_[call.target] = true;
    if (tree_.kind(call.target) != Kind::object) return list_change_of_import(call);
    const NodeId made_by = judge_.maker(call.target);
    const Callee& maker = judge_.callee(made_by);
    CallEffect effect = judge_.effect(call.target);
    const bool is_safe = call.effect == Effect::build ? judge_.is_safe_state(call.given)
                                                      : !was_built || effect == CallEffect::plain;
    if (effect == CallEffect::plain && is_safe && maker.plain != nullptr &&
        takes(*maker.plain, call.effect))
      return;
    // A BUILD of transformers' configs sets attributes.
    if (effect == CallEffect::constructs && is_safe && call.effect == Effect::build &&
        constructed_class(tree_, call.target) && maker.name.starts_with("transformers.") &&
        !is_module(tree_, call.target))
      return;
    // What getattr() gives was there before.
    const bool is_found = effect == CallEffect::constructs && maker.name.ends_with(".getattr");
    const bool is_result = effect == CallEffect::acts || is_found;
    if (!is_safe || is_found || effect == CallEffect::plain) effect = CallEffect::acts;
    const std::string name = is_result ? "(the result of " + maker.name + ")" : maker.name;
    add(call, name + method_name(call.effect), effect, made_by);
  }

  void list_change_of_import(const Call& call) {
    use(call.target);
    // BUILD on a module or class would change it for the whole program.
    const char* changed = call.effect == Effect::build ? ".__dict__" : method_name(call.effect);
    add(call, judge_.callee(call.target).name + changed, CallEffect::acts, call.target);
  }

  void add(const Call& call, std::string global, CallEffect effect, NodeId through) {
    CallSummary summary{.global = std::move(global),
                        .count = 1,
                        .plain = effect == CallEffect::plain,
                        .constructs = effect == CallEffect::constructs,
                        .how = opcode_name(call),
                        .file = file_,
                        .offset = call.offset};
    if (effect == CallEffect::acts)
      summary.acts = can_act(summary.global) ||
                     (tree_.kind(through) == Kind::global && leads_elsewhere(tree_, through));
    CallSummary* entry = counter_.add(std::move(summary));
    if (entry != nullptr && effect == CallEffect::acts) entry->arguments = given_text(call);
  }

  std::string given_text(const Call& call) const {
    switch (call.effect) {
      case Effect::none: return arguments_text(tree_, tree_.args(call.target));
      case Effect::setitem:
      case Effect::setitems: return item_text(tree_, call.target, call.given);
      default: return value_text(tree_, call.given);
    }
  }

  /// The class of a member, the function that a partial keeps.
  void use_arguments(NodeId object) {
    if (constructed_class(tree_, object)) return;
    for (const NodeId given : elements(tree_, tree_.args(object)).first(1)) use(given);
  }

  void use(NodeId node) {
    const Kind kind = tree_.kind(node);
    if (kind != Kind::global && kind != Kind::persistent && kind != Kind::extension) return;
    const std::string& name = judge_.callee(node).name;
    if (used_.insert(name).second) packages_.insert(std::string(top_package(name)));
  }

  /// A package that the pickle makes objects of is imported anyway.
  bool is_unusual(NodeId global, const std::string& name) const {
    if (used_.count(name) != 0) return false;
    if (leads_elsewhere(tree_, global) || can_act(name)) return true;
    return !is_usual_value(name) &&
           (is_standard_library(name) || packages_.count(std::string(top_package(name))) == 0);
  }

  void list_imports() {
    constexpr std::size_t kMostUnusual = 1'000;
    std::unordered_set<std::string> known(out_.imports.begin(), out_.imports.end());
    for (const NodeId global : pickle_.globals) {
      const std::string name = tree_.qualified_name(global);
      if (known.insert(name).second) out_.imports.push_back(name);
      if (!is_unusual(global, name) || out_.unusual_imports.size() >= kMostUnusual) continue;
      const bool acts = leads_elsewhere(tree_, global) || can_act(name);
      // What breaks off may be no pickle, and its names none.
      if (pickle_.error && !acts) continue;
      if (!std::ranges::count(out_.unusual_imports, name, &UnusualImport::global))
        out_.unusual_imports.push_back({name, acts});
    }
    for (const std::string& extension : extensions()) {
      if (!known.insert(extension).second) continue;
      out_.imports.push_back(extension);
      if (used_.count(extension) == 0) out_.unusual_imports.push_back({extension, false});
    }
  }

  /// EXT1, 2, 4: what they import stands in a registry of the program that loads.
  std::vector<std::string> extensions() {
    constexpr std::size_t kMostExtensions = 100;
    std::vector<std::string> names;
    for (NodeId node = 0; node < tree_.size() && names.size() < kMostExtensions; ++node) {
      if (tree_.kind(node) == Kind::extension) names.push_back(judge_.callee(node).name);
    }
    return names;
  }

  Checkpoint& out_;
  const pickle::Pickle& pickle_;
  const Tree& tree_;
  std::uint32_t file_;
  PlainCalls judge_;
  CallCounter counter_;
  std::vector<bool> built_;  // by node: has attributes of the file's choice
  std::unordered_set<std::string> used_, packages_;
  std::unordered_map<NodeId, bool> embedded_;  // by the argument
};

}  // namespace

void add_calls(Checkpoint& checkpoint, const pickle::Pickle& pickle, std::uint32_t file) {
  CallLister(checkpoint, pickle, file).list();
}

std::uint64_t add_following_calls(Checkpoint& checkpoint, const Following& rest) {
  constexpr int kMostPickles = 1'000;
  std::uint64_t position = rest.position;
  for (int count = 0; position < rest.bytes.size(); ++count) {
    if (!pickle::looks_like(rest.bytes.subspan(position))) break;
    if (count == kMostPickles) {
      checkpoint.unread.push_back({.code = ErrorCode::limit,
                                   .what = "many pickles follow each other",
                                   .file = rest.path,
                                   .offset = rest.base + position,
                                   .expected = std::to_string(kMostPickles) + " at most",
                                   .hint = "The rest of the file was not read"});
      break;
    }
    const pickle::Pickle next =
        pickle::read(rest.bytes.subspan(position), rest.path, rest.base + position);
    add_calls(checkpoint, next, rest.file);
    if (next.error || next.end <= rest.base + position) break;
    checkpoint.oddities.push_back({.kind = Oddity::Kind::trailing,
                                   .summary = "another pickle follows the first",
                                   .file = rest.file,
                                   .offset = rest.base + position});
    position = next.end - rest.base;
  }
  return position;
}

void sort_calls(Checkpoint& checkpoint) {
  const auto order = [](const CallSummary& call) {
    return std::tie(call.global, call.how, call.plain, call.constructs);
  };
  std::stable_sort(checkpoint.calls.begin(), checkpoint.calls.end(),
                   [&](const CallSummary& a, const CallSummary& b) { return order(a) < order(b); });
}

}  // namespace samebits
