#include "samebits/checkpoint/import_names.h"

#include <algorithm>
#include <array>
#include <span>
#include <unordered_set>

#include "samebits/checkpoint/plain_call_table.h"

namespace samebits {
namespace {

// Modules with functions that start programs, evaluate text, import, or reach files and the
// network.
constexpr std::array kActingModules = std::to_array<std::string_view>({
    "_aix_support", "_io",       "_osx_support", "_pickle",   "_pyrepl",    "aiohttp",
    "antigravity",  "atexit",    "asyncio",      "bdb",       "cProfile",   "cloudpickle",
    "code",         "codeop",    "commands",     "ctypes",    "dill",       "distutils",
    "doctest",      "ensurepip", "ftplib",       "gc",        "http",       "httplib",
    "idlelib",      "imaplib",   "imp",          "importlib", "inspect",    "io",
    "lib2to3",      "linecache", "logging",      "marshal",   "mmap",       "multiprocessing",
    "nt",           "os",        "pdb",          "pickle",    "pip",        "pkgutil",
    "platform",     "poplib",    "popen2",       "posix",     "profile",    "pty",
    "pydoc",        "requests",  "runpy",        "shelve",    "shutil",     "signal",
    "smtplib",      "socket",    "socketserver", "sqlite3",   "ssl",        "subprocess",
    "sys",          "this",      "telnetlib",    "tempfile",  "test",       "threading",
    "timeit",       "trace",     "traceback",    "turtle",    "types",      "unittest",
    "urllib",       "urllib2",   "uuid",         "venv",      "webbrowser", "xmlrpc",
    "zipimport",
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

// sys.stdlib_module_names of Python 3.11 and 3.14, and what Python 2 called its modules.
constexpr std::string_view kStandardLibrary =
    "BaseHTTPServer CGIHTTPServer ConfigParser Cookie Dialog DocXMLRPCServer FileDialog "
    "HTMLParser Queue ScrolledText SimpleDialog SimpleHTTPServer SimpleXMLRPCServer "
    "SocketServer StringIO Tix Tkconstants Tkdnd Tkinter UserDict UserList UserString "
    "__builtin__ __future__ _abc _abcoll _aix_support _ast _asyncio _bisect _blake2 "
    "_bootsubprocess _bz2 _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr "
    "_codecs_tw _collections _collections_abc _colorize _compat_pickle _compression "
    "_contextvars _crypt _csv _ctypes _curses _curses_panel _datetime _dbm _decimal "
    "_elementtree _frozen_importlib _frozen_importlib_external _functools _gdbm _hashlib "
    "_heapq _imp _interpreters _io _json _locale _lsprof _lzma _markupbase _md5 _msi "
    "_multibytecodec _multiprocessing _opcode _operator _osx_support _overlapped _pickle "
    "_posixshmem _posixsubprocess _py_abc _pydecimal _pyio _pyrepl _queue _random _scproxy "
    "_sha1 _sha256 _sha3 _sha512 _signal _sitebuiltins _socket _sqlite3 _sre _ssl _stat "
    "_statistics _string _strptime _struct _suggestions _symtable _thread _threading_local "
    "_tkinter _tokenize _tracemalloc _typing _uuid _warnings _weakref _weakrefset _winapi "
    "_winreg _zoneinfo abc aifc annotationlib antigravity anydbm argparse array ast asynchat "
    "asyncio asyncore atexit audioop base64 bdb binascii bisect builtins bz2 cPickle cProfile "
    "cStringIO calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys "
    "commands compileall compiler compression concurrent configparser contextlib contextvars "
    "cookielib copy copy_reg copyreg crypt csv ctypes curses dataclasses datetime dbhash dbm "
    "decimal difflib dis distutils doctest dumbdbm dummy_thread email encodings ensurepip "
    "enum errno faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools gc "
    "gdbm genericpath getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html "
    "htmlentitydefs http httplib idlelib imaplib imghdr imp importlib inspect io ipaddress "
    "itertools json keyword lib2to3 linecache locale logging lzma mailbox mailcap markupbase "
    "marshal math md5 mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc new nis "
    "nntplib nt ntpath nturl2path numbers opcode operator optparse os ossaudiodev pathlib pdb "
    "pickle pickletools pipes pkgutil platform plistlib popen2 poplib posix posixpath pprint "
    "profile pstats pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re "
    "readline repr reprlib resource rlcompleter robotparser runpy sched secrets select "
    "selectors sets sha shelve shlex shutil signal site smtpd smtplib sndhdr socket "
    "socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat statistics string "
    "stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile "
    "telnetlib tempfile termios test textwrap this thread threading time timeit "
    "tkColorChooser tkCommonDialog tkFileDialog tkFont tkMessageBox tkSimpleDialog tkinter "
    "token tokenize tomllib trace traceback tracemalloc ttk tty turtle turtledemo types "
    "typing unicodedata unittest urllib urllib2 urlparse user uu uuid venv warnings wave "
    "weakref webbrowser whichdb winreg winsound wsgiref xdrlib xml xmlrpc xmlrpclib zipapp "
    "zipfile zipimport zlib zoneinfo ";

struct Usual {
  std::string_view prefix;
  std::string_view why;
};
constexpr std::array kUsual = std::to_array<Usual>({
    {"torch.nn.", "layers and functions that a module keeps to build or apply"},
    {"torch._C._nn.", "activation functions"},
    {"torch.optim.", "optimizers and schedulers by class"},
    {"torch.distributions.", "distributions and their constraints by class"},
    {"torch.ao.", "observers and quantized layers by class"},
    {"torch.amp.", "mixed precision's scaler"},
    {"torch.cuda.amp.", "mixed precision's scaler"},
    {"torch.distributed.fsdp.", "wrapping policies and their settings"},
    {"torch.return_types.", "named tuples of results"},
    {"torchvision.", "layers and transforms by class"},
    {"torchmetrics.", "metrics by class"},
    {"timm.", "layers and activations by class"},
    {"transformers.", "configurations, layers and activations by class"},
    {"diffusers.", "configurations, layers and schedulers by class"},
    {"peft.", "adapters and their settings by class"},
    {"lightning.", "hyper-parameters and callbacks by class"},
    {"pytorch_lightning.", "hyper-parameters and callbacks by class"},
    {"lightning_fabric.", "hyper-parameters by class"},
    {"accelerate.", "states of a training by class"},
    {"omegaconf.", "configurations and their metadata"},
    {"numpy.", "types of numbers, functions of arrays"},
    {"typing.", "types of a configuration's fields"},
    {"__torch__.", "TorchScript's own types"},
});

// Built-in types and singletons: configurations and registries hold them.
constexpr std::array kBuiltInTypes = std::to_array<std::string_view>({
    "Ellipsis", "NotImplemented", "NoneType", "bool",      "bytearray", "bytes",
    "complex",  "dict",           "float",    "frozenset", "int",       "list",
    "long",     "object",         "range",    "set",       "slice",     "str",
    "tuple",    "type",           "unicode",
});

bool is_among(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string_view last_part(std::string_view global) { return global.substr(global.rfind('.') + 1); }

bool is_builtin_module(std::string_view top) { return top == "builtins" || top == "__builtin__"; }

}  // namespace

std::string_view top_package(std::string_view global) { return global.substr(0, global.find('.')); }

bool can_act(std::string_view global) {
  if (find_plain_call(global) != nullptr) return false;
  const std::string_view top = top_package(global);
  if (is_builtin_module(top)) return is_among(kActingBuiltins, last_part(global));
  return is_among(kActingModules, top);
}

bool leads_elsewhere(const pickle::Tree& tree, NodeId global) {
  std::string_view name = tree.name(global);
  if (name.empty() || tree.module(global).empty()) return true;  // computed while loading
  if (name.find('.') == name.npos) return false;
  for (;;) {
    const std::size_t dot = name.find('.');
    const std::string_view part = name.substr(0, dot);
    if (part.starts_with("__") || (dot != name.npos && is_among(kActingModules, part))) return true;
    if (dot == name.npos) return false;
    name.remove_prefix(dot + 1);
  }
}

bool is_standard_library(std::string_view global) {
  static const auto kNames = [] {
    std::unordered_set<std::string_view> names;
    for (std::string_view rest = kStandardLibrary; !rest.empty();) {
      const std::size_t end = rest.find(' ');
      names.insert(rest.substr(0, end));
      rest.remove_prefix(end + 1);
    }
    return names;
  }();
  return kNames.count(top_package(global)) != 0;
}

bool is_usual_value(std::string_view global) {
  if (is_data_global(global) || find_plain_call(global) != nullptr) return true;
  if (is_builtin_module(top_package(global)) && is_among(kBuiltInTypes, last_part(global)))
    return true;
  return std::any_of(kUsual.begin(), kUsual.end(),
                     [&](const Usual& usual) { return global.starts_with(usual.prefix); });
}

}  // namespace samebits
