#include "samebits/checkpoint/calls.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "samebits/checkpoint/module_tree.h"
#include "samebits/checkpoint/tree_view.h"

namespace samebits {
namespace {

using pickle::Call;
using pickle::CallKind;
using pickle::Kind;
using pickle::Tree;

// What torch's own weights_only unpickler allows (torch/_weights_only_unpickler.py), and the
// constructors of plain values of Python and numpy that real checkpoints hold. None of them can be
// made to act by its arguments.
constexpr std::array kPlain = std::to_array<std::string_view>({
    "__builtin__.bytearray",
    "__builtin__.complex",
    "__builtin__.dict",
    "__builtin__.frozenset",
    "__builtin__.list",
    "__builtin__.object",
    "__builtin__.set",
    "__builtin__.slice",
    "__builtin__.tuple",
    "_codecs.encode",
    "argparse.Namespace",
    "builtins.bytearray",
    "builtins.complex",
    "builtins.dict",
    "builtins.frozenset",
    "builtins.list",
    "builtins.object",
    "builtins.range",
    "builtins.set",
    "builtins.slice",
    "builtins.tuple",
    "collections.Counter",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.deque",
    "copy_reg._reconstructor",
    "copyreg._reconstructor",
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "decimal.Decimal",
    "fractions.Fraction",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.numeric._frombuffer",
    "numpy.core.numeric._frombuffer",
    "numpy.dtype",
    "numpy.ndarray",
    "numpy.random._pickle.__generator_ctor",
    "numpy.random._pickle.__randomstate_ctor",
    "numpy.random._pickle.__bit_generator_ctor",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.PurePath",
    "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath",
    "pathlib.WindowsPath",
    "pathlib._local.PosixPath",
    "pathlib._local.PurePosixPath",
    "pathlib._local.WindowsPath",
    "re._compile",
    "types.SimpleNamespace",
    "uuid.UUID",
    "torch.Size",
    "torch.Tensor",
    "torch.device",
    "torch.nn.Parameter",
    "torch.nn.parameter.Buffer",
    "torch.nn.parameter.Parameter",
    "torch._tensor._rebuild_from_type",
    "torch._tensor._rebuild_from_type_v2",
    "torch.serialization._get_layout",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor",
    "torch._utils._rebuild_device_tensor_from_numpy",
    "torch._utils._rebuild_meta_tensor_no_storage",
    "torch._utils._rebuild_nested_tensor",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_sparse_csr_tensor",
    "torch._utils._rebuild_sparse_tensor",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_wrapper_subclass",
    "torch._utils._rebuild_xla_tensor",
    "torch.jit._pickle.build_boollist",
    "torch.jit._pickle.build_doublelist",
    "torch.jit._pickle.build_intlist",
    "torch.jit._pickle.build_tensor_from_id",
    "torch.jit._pickle.build_tensorlist",
    "torch.jit._pickle.restore_type_tag",
});

// Modules with functions that start programs, evaluate text, import, or reach files and the
// network.
constexpr std::array kActingModules = std::to_array<std::string_view>({
    "_aix_support", "_io",
    "_osx_support", "_pickle",
    "_pyrepl",      "aiohttp",
    "asyncio",      "bdb",
    "cProfile",     "cloudpickle",
    "code",         "codeop",
    "commands",     "ctypes",
    "dill",         "distutils",
    "doctest",      "ensurepip",
    "ftplib",       "gc",
    "http",         "httplib",
    "idlelib",      "imaplib",
    "imp",          "importlib",
    "inspect",      "io",
    "lib2to3",      "linecache",
    "logging",      "marshal",
    "mmap",         "multiprocessing",
    "nt",           "os",
    "pdb",          "pickle",
    "pip",          "pkgutil",
    "platform",     "poplib",
    "popen2",       "posix",
    "profile",      "pty",
    "pydoc",        "requests",
    "runpy",        "shelve",
    "shutil",       "signal",
    "smtplib",      "socket",
    "socketserver", "sqlite3",
    "ssl",          "subprocess",
    "sys",          "telnetlib",
    "tempfile",     "test",
    "threading",    "timeit",
    "trace",        "traceback",
    "turtle",       "types",
    "unittest",     "urllib",
    "urllib2",      "uuid",
    "venv",         "webbrowser",
    "xmlrpc",       "zipimport",
});

constexpr std::array kActingBuiltins = std::to_array<std::string_view>({
    "__import__",
    "apply",
    "breakpoint",
    "compile",
    "delattr",
    "eval",
    "exec",
    "execfile",
    "file",
    "getattr",
    "globals",
    "input",
    "locals",
    "open",
    "reload",
    "setattr",
    "vars",
});

bool names_contain(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

const char* call_name(const Call& call) {
  if (call.build) return "BUILD";
  switch (call.kind) {
    case CallKind::reduce: return "REDUCE";
    case CallKind::newobj: return "NEWOBJ";
    case CallKind::newobj_ex: return "NEWOBJ_EX";
    case CallKind::obj: return "OBJ";
    case CallKind::inst: return "INST";
  }
  return "REDUCE";
}

/// The name of what a call node calls: a global, or how it would be computed.
std::string callable_name(const Tree& tree, NodeId callable) {
  const std::string name = class_of(tree, callable);
  switch (tree.kind(callable)) {
    case Kind::global:
    case Kind::persistent: return name.empty() ? "a computed name" : name;
    case Kind::object: return "the result of " + (name.empty() ? std::string("a call") : name);
    default: return "a value that is not callable";
  }
}

struct Named {
  std::string global;
  bool constructs = false;
};

/// copyreg._reconstructor(cls, base, state) calls base.__new__ and base.__init__: only a built-in
/// base is inert.
bool has_inert_base(const Tree& tree, NodeId call) {
  const bool by_function = tree.call_kind(call) == CallKind::reduce;
  const auto args = elements(tree, tree.args(call));
  if (!by_function || args.size() < 2) return true;
  const std::string base = class_of(tree, args[1]);
  return base.empty() || is_plain_call(base);
}

/// functools.partial keeps a function for later, as activation modules do: of torch.nn, one that
/// only computes. Its state may name another one than its argument.
bool keeps_computation(const Tree& tree, NodeId node) {
  if (!tree.is_global(tree.callable(node), "functools", "partial")) return false;
  const auto computes = [&](NodeId arguments) {
    const auto kept = elements(tree, arguments);
    if (kept.empty() || tree.kind(kept[0]) != Kind::global) return false;
    const std::string name = tree.qualified_name(kept[0]);
    return name.starts_with("torch.nn.") || name.starts_with("torch._C._nn.");
  };
  return computes(tree.args(node)) && std::ranges::all_of(tree.states(node), computes);
}

Named name_call(const Tree& tree, const Call& call) {
  // BUILD on a module or class would change it for the whole program.
  if (call.build && tree.kind(call.target) == Kind::global)
    return {tree.qualified_name(call.target) + ".__dict__", false};
  if (call.build) return {class_of(tree, call.target) + ".__setstate__", true};
  if (const auto made = constructed_class(tree, call.target)) {
    return {callable_name(tree, *made), has_inert_base(tree, call.target)};
  }
  return {callable_name(tree, tree.callable(call.target)), keeps_computation(tree, call.target)};
}

/// A BUILD hands its state to __setstate__ where the class has one: every nn.Module does, plain
/// values and transformers' configs do not, and of any other class nothing is known, so it counts.
bool reaches_setstate(const Tree& tree, const Call& call) {
  const std::string name = class_of(tree, call.target);
  if (tree.kind(call.target) == Kind::global) return true;
  if (name.empty() || is_plain_call(name)) return false;
  return !name.starts_with("transformers.") || is_module(tree, call.target);
}

/// Sums calls of one checkpoint by global and way.
class CallCounter {
 public:
  explicit CallCounter(std::vector<CallSummary>& calls) : calls_(calls) {
    for (std::size_t i = 0; i < calls.size(); ++i) places_.emplace(key(calls[i]), i);
  }
  void add(CallSummary call) {
    const auto known = places_.find(key(call));
    if (known != places_.end()) {
      ++calls_[known->second].count;
    } else if (calls_.size() < kMaxDifferent) {
      places_.emplace(key(call), calls_.size());
      calls_.push_back(std::move(call));
    }
  }

 private:
  // A hostile pickle may name a million different things; the first ones tell what it is.
  static constexpr std::size_t kMaxDifferent = 2'000;
  static std::string key(const CallSummary& call) { return call.how + " " + call.global; }
  std::vector<CallSummary>& calls_;
  std::unordered_map<std::string, std::size_t> places_;
};

}  // namespace

bool is_plain_call(const std::string& global) {
  if (names_contain(kPlain, global)) return true;
  // Typed storages ("torch.FloatStorage"), legacy tensor classes ("torch.FloatTensor").
  const std::string_view name = global;
  return name.starts_with("torch.") && name.find('.', 6) == std::string_view::npos &&
         (name.ends_with("Storage") || name.ends_with("Tensor"));
}

bool can_act(const std::string& global) {
  const std::string top = global.substr(0, global.find('.'));
  if (is_plain_call(global)) return false;
  if (top == "builtins" || top == "__builtin__")
    return names_contain(kActingBuiltins, short_name(global));
  return names_contain(kActingModules, top);
}

void add_calls(Checkpoint& checkpoint, const pickle::Pickle& pickle, std::uint32_t file) {
  const Tree& tree = pickle.tree;
  CallCounter counter(checkpoint.calls);
  std::unordered_set<std::string> known(checkpoint.imports.begin(), checkpoint.imports.end());
  for (const NodeId global : pickle.globals) {
    const std::string name = tree.qualified_name(global);
    if (known.insert(name).second) checkpoint.imports.push_back(name);
  }
  for (const Call& call : pickle.calls) {
    if (call.build && !reaches_setstate(tree, call)) continue;
    Named named = name_call(tree, call);
    CallSummary summary{.global = std::move(named.global),
                        .count = 1,
                        .how = call_name(call),
                        .file = file,
                        .offset = call.offset};
    summary.plain = is_plain_call(summary.global);
    summary.constructs = !summary.plain && named.constructs && !can_act(summary.global);
    counter.add(std::move(summary));
  }
}

void sort_calls(Checkpoint& checkpoint) {
  std::sort(checkpoint.calls.begin(), checkpoint.calls.end(),
            [](const CallSummary& a, const CallSummary& b) {
              return a.global != b.global ? a.global < b.global : a.how < b.how;
            });
}

}  // namespace samebits
