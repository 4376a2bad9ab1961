#include "samebits/checkpoint/weights_only.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>

#include "samebits/checkpoint/weights_only_names.h"

namespace samebits {
namespace {

using Renamed = std::pair<std::string_view, std::string_view>;

// torch._utils.NAME_MAPPING and IMPORT_MAPPING: names of Python 2.
constexpr std::array kRenamedNames = std::to_array<Renamed>({
    {"__builtin__.xrange", "builtins.range"},
    {"__builtin__.reduce", "functools.reduce"},
    {"__builtin__.intern", "sys.intern"},
    {"__builtin__.unichr", "builtins.chr"},
    {"__builtin__.unicode", "builtins.str"},
    {"__builtin__.long", "builtins.int"},
    {"__builtin__.basestring", "builtins.str"},
    {"itertools.izip", "builtins.zip"},
    {"itertools.imap", "builtins.map"},
    {"itertools.ifilter", "builtins.filter"},
    {"itertools.ifilterfalse", "itertools.filterfalse"},
    {"itertools.izip_longest", "itertools.zip_longest"},
    {"UserDict.IterableUserDict", "collections.UserDict"},
    {"UserDict.UserDict", "collections.UserDict"},
    {"UserList.UserList", "collections.UserList"},
    {"UserString.UserString", "collections.UserString"},
    {"exceptions.StandardError", "builtins.Exception"},
});
constexpr std::array kRenamedModules = std::to_array<Renamed>({
    {"__builtin__", "builtins"},
    {"copy_reg", "copyreg"},
    {"Queue", "queue"},
    {"repr", "reprlib"},
    {"_abcoll", "collections.abc"},
    {"UserDict", "collections"},
    {"UserList", "collections"},
    {"UserString", "collections"},
    {"whichdb", "dbm"},
    {"StringIO", "io"},
    {"cStringIO", "io"},
});
// Never allowed, even where they were added.
constexpr std::array kBlockedModules =
    std::to_array<std::string_view>({"sys", "os", "posix", "nt"});

// numpy.dtype("f8") makes an object of a class of its own, which BUILD then asks for.
constexpr std::array kDtypeClasses = std::to_array<Renamed>({
    {"b1", "Bool"},        {"i1", "Int8"},       {"i2", "Int16"},       {"i4", "Int32"},
    {"i8", "Int64"},       {"u1", "UInt8"},      {"u2", "UInt16"},      {"u4", "UInt32"},
    {"u8", "UInt64"},      {"f2", "Float16"},    {"f4", "Float32"},     {"f8", "Float64"},
    {"f16", "LongDouble"}, {"c8", "Complex64"},  {"c16", "Complex128"}, {"c32", "CLongDouble"},
    {"O8", "Object"},      {"M8", "DateTime64"}, {"m8", "TimeDelta64"},
});

template <std::size_t N>
std::optional<std::string_view> renamed(const std::array<Renamed, N>& table,
                                        std::string_view name) {
  const auto found = std::find_if(table.begin(), table.end(),
                                  [&](const Renamed& each) { return each.first == name; });
  if (found == table.end()) return std::nullopt;
  return found->second;
}

struct Python3Name {
  std::string whole;       // "module.name"
  std::size_t module = 0;  // how much of it is the module
};
Python3Name python3_name(std::string_view module, std::string_view name) {
  std::string whole = fmt::format("{}.{}", module, name);
  if (const auto known = renamed(kRenamedNames, whole))
    return {std::string(*known), known->rfind('.')};
  module = renamed(kRenamedModules, module).value_or(module);
  return {fmt::format("{}.{}", module, name), module.size()};
}

std::string dtype_class(std::string_view letters) {
  if (const auto known = renamed(kDtypeClasses, letters))
    return fmt::format("numpy.dtypes.{}DType", *known);
  const std::string_view first = letters.substr(0, 1);
  if (first == "U") return "numpy.dtypes.StrDType";
  if (first == "S") return "numpy.dtypes.BytesDType";
  return first == "V" ? "numpy.dtypes.VoidDType" : "";
}

enum class WeightsOnlyType : std::uint8_t {
  plain,  // None, numbers, bytes: nothing is built on them
  text,   // `name` is what it says
  integer,
  list,
  dict,      // also OrderedDict and Counter
  ordered,   // OrderedDict, Counter: can be built too
  tuple,     // `first` and `name` are those of its first element
  global,    // `name` is its name
  instance,  // `name` is its class
  taken,     // what an allowed function or class gives
  unknown,   // what a function gives that is not known here
};

struct WeightsOnlyValue {
  using Type = WeightsOnlyType;
  Type type = Type::plain;
  Type first = Type::plain;
  std::string_view name;
};

class WeightsOnlyMachine {
 public:
  using Type = WeightsOnlyType;
  using Value = WeightsOnlyValue;

  explicit WeightsOnlyMachine(Bytes bytes) : bytes_(bytes) {}

  WeightsOnlyReading run() {
    while (!ended_ && !out_.broken && !out_.stopped) {
      const Bytes code = take(1);
      if (!out_.broken) step(static_cast<char>(code[0]));
    }
    out_.end = position_;
    return std::move(out_);
  }

 private:
  // Reading past the end or below the stack ends the run.
  Bytes take(std::uint64_t size) {
    if (size > bytes_.size() - position_) {
      out_.broken = true;
      return {};
    }
    const Bytes taken = bytes_.subspan(position_, size);
    position_ += size;
    return taken;
  }
  std::uint64_t number(std::size_t size) {
    std::uint64_t value = 0;
    const Bytes taken = take(size);
    for (std::size_t i = taken.size(); i-- > 0;) value = value << 8 | taken[i];
    return value;
  }
  std::string_view line() {
    const std::string_view rest = as_text(bytes_.subspan(position_));
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) {
      out_.broken = true;
      return {};
    }
    position_ += end + 1;
    return rest.substr(0, end);
  }
  Value pop() {
    if (stack_.size() <= floor()) {
      out_.broken = true;
      return {};
    }
    const Value value = stack_.back();
    stack_.pop_back();
    return value;
  }
  void push(Value value) { stack_.push_back(value); }
  void push(Type type) { push(Value{.type = type, .name = {}}); }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  /// What stands above the last mark.
  std::vector<Value> pop_mark() {
    if (marks_.empty()) {
      out_.broken = true;
      return {};
    }
    const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
    std::vector<Value> values(first, stack_.end());
    stack_.erase(first, stack_.end());
    marks_.pop_back();
    return values;
  }

  void step(char code) {
    switch (code) {
      case 'c': return read_global();
      case 'R': return reduce();
      case '\x81': return make_object();
      case 'b': return build();
      case 'a': return (void)pop(), fill("APPEND", Type::list);
      case 'e': return (void)pop_mark(), fill("APPENDS", Type::list);
      case 's': return (void)pop(), (void)pop(), fill("SETITEM", Type::dict);
      case 'u': return (void)pop_mark(), fill("SETITEMS", Type::dict);
      case '(': return marks_.push_back(stack_.size());
      case 't': return push_tuple(pop_mark());
      case '\x85': return push_tuple(popped(1));
      case '\x86': return push_tuple(popped(2));
      case '\x87': return push_tuple(popped(3));
      case 'Q': return persistent();
      default: return step_value(code);
    }
  }

  void step_value(char code) {
    switch (code) {
      case 'N':
      case '\x88':
      case '\x89': return push(Type::plain);
      case ')': return push_tuple({});
      case ']': return push(Type::list);
      case '}': return push(Type::dict);
      case '\x8f': return push(Type::taken);  // a set
      case 'J': return (void)take(4), push(Type::integer);
      case 'K': return (void)take(1), push(Type::integer);
      case 'M': return (void)take(2), push(Type::integer);
      case 'G': return (void)take(8), push(Type::plain);
      case 'X': return push({.type = Type::text, .name = as_text(take(number(4)))});
      case 'U': return push({.type = Type::text, .name = as_text(take(number(1)))});
      case '\x8a': return (void)take(number(1)), push(Type::integer);
      case 'h': return recall(number(1));
      case 'j': return recall(number(4));
      case 'q': return keep(number(1));
      case 'r': return keep(number(4));
      case '\x80': return (void)take(1);
      case '.': return stop();
      default: return refuse_code(static_cast<unsigned char>(code));
    }
  }

  void stop() {
    (void)pop();
    ended_ = true;
  }
  void refuse_code(unsigned code) {
    refuse(fmt::format("the pickle instruction {}, which that unpickler does not have", code));
    out_.stopped = true;
  }
  void recall(std::uint64_t index) {
    const auto kept = memo_.find(index);
    if (kept == memo_.end()) {
      out_.broken = true;
    } else {
      push(kept->second);
    }
  }
  void keep(std::uint64_t index) {
    if (stack_.size() <= floor()) {
      out_.broken = true;
    } else {
      memo_.insert_or_assign(index, stack_.back());
    }
  }
  std::vector<Value> popped(std::size_t count) {
    std::vector<Value> values(count);
    for (std::size_t i = count; i-- > 0;) values[i] = pop();
    return values;
  }
  void push_tuple(const std::vector<Value>& items) {
    if (items.empty()) return push(Type::tuple);
    push({.type = Type::tuple, .first = items[0].type, .name = items[0].name});
  }

  void read_global() {
    const std::string_view module = line();
    const std::string_view name = line();
    if (out_.broken) return;
    const Python3Name named = python3_name(module, name);
    const std::string_view whole = *names_.insert(named.whole).first;
    if (std::find(kBlockedModules.begin(), kBlockedModules.end(), whole.substr(0, named.module)) !=
        kBlockedModules.end()) {
      refuse(fmt::format("{}, whose module is never allowed", whole));
    } else if (!is_weights_only_name(whole)) {
      ask_for(std::string(whole));
    }
    push({.type = Type::global, .name = whole});
  }

  static bool is_mapping_class(std::string_view name) {
    return name == "collections.OrderedDict" || name == "collections.Counter";
  }
  Value made_by(const Value& callable, const Value& args) {
    const std::string_view name = callable.name;
    if (is_mapping_class(name)) return {.type = Type::ordered, .name = {}};
    if (is_weights_only_name(name)) return {.type = Type::taken, .name = {}};
    if (name == "numpy.dtype") {
      const std::string type = args.first == Type::text ? dtype_class(args.name) : "";
      if (type.empty()) return {.type = Type::unknown, .name = {}};
      return {.type = Type::instance, .name = *names_.insert(type).first};
    }
    const bool from_class =
        name == "copyreg._reconstructor" || name.ends_with(".multiarray._reconstruct");
    if (from_class && args.first == Type::global)
      return {.type = is_mapping_class(args.name) ? Type::ordered : Type::instance,
              .name = args.name};
    // Classes are named in capitals; of what a function gives nothing is known.
    const std::string_view last = name.substr(name.rfind('.') + 1);
    const bool is_class = !last.empty() && last[0] >= 'A' && last[0] <= 'Z';
    return {.type = is_class || name == "collections.defaultdict" || name == "collections.deque"
                        ? Type::instance
                        : Type::unknown,
            .name = name};
  }
  void reduce() {
    const Value args = pop();
    const Value callable = pop();
    if (callable.type != Type::global) {
      refuse("a call of what is no name");
      return push(Type::unknown);
    }
    push(made_by(callable, args));
  }
  void make_object() {
    (void)pop();
    const Value type = pop();
    if (type.type != Type::global) {
      refuse("a new object of what is no name");
      return push(Type::unknown);
    }
    if (is_mapping_class(type.name)) return push(Type::ordered);
    if (is_weights_only_name(type.name)) return push(Type::taken);
    push({.type = Type::instance, .name = type.name});
  }
  void build() {
    (void)pop();
    const Value target = pop();
    push(target);
    if (target.type == Type::instance) {
      ask_for(std::string(target.name));
    } else if (target.type != Type::taken && target.type != Type::ordered &&
               target.type != Type::unknown) {
      refuse("a state for " + described(target));
    }
  }
  void fill(const char* code, Type wanted) {
    if (stack_.size() <= floor()) {
      out_.broken = true;
      return;
    }
    const Value target = stack_.back();
    if (target.type == wanted || (wanted == Type::dict && target.type == Type::ordered)) return;
    if (target.type == Type::unknown) return;
    refuse(fmt::format("{} on {}", code, described(target)));
  }
  void persistent() {
    const Value id = pop();
    const bool storage = id.type == Type::tuple && id.first == Type::text && id.name == "storage";
    if (!storage && id.type != Type::integer) refuse("a persistent id that is no storage");
    push(Type::taken);
  }

  static std::string described(const Value& value) {
    switch (value.type) {
      case Type::instance: return fmt::format("an object of {}", value.name);
      case Type::global: return fmt::format("{} itself", value.name);
      case Type::list: return "a list";
      case Type::dict:
      case Type::ordered: return "a dict";
      case Type::tuple: return "a tuple";
      default: return "what cannot be filled";
    }
  }
  void refuse(std::string obstacle) { add(&out_.obstacles, std::move(obstacle)); }
  void ask_for(std::string name) {
    if (!is_weights_only_name(name)) add(&out_.globals, std::move(name));
  }
  /// Once each; a hostile pickle may name a million things.
  void add(std::vector<std::string>* list, std::string text) {
    constexpr std::size_t kMost = 2'000;
    if (list->size() < kMost && said_.insert(text).second) list->push_back(std::move(text));
  }

  Bytes bytes_;
  std::size_t position_ = 0;
  WeightsOnlyReading out_;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Value> memo_;
  std::set<std::string, std::less<>> names_;
  std::set<std::string> said_;
  bool ended_ = false;
};

}  // namespace

WeightsOnlyReading read_as_weights_only(Bytes bytes) { return WeightsOnlyMachine(bytes).run(); }

bool is_weights_only_name(std::string_view name) {
  return std::binary_search(kWeightsOnlyNames.begin(), kWeightsOnlyNames.end(), name);
}

}  // namespace samebits
