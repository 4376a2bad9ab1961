// TorchScript archives (torch.jit.save): a scripted, traced or frozen module as a model's weights.
//
// Source: torch/csrc/jit/serialization/{export_module,import,python_print}.cpp and
// torch/jit/_recursive.py of torch 2.13. The classes of the pickle stand as text in code/: which
// attributes are parameters, buffers and constants is read from there; the rest is text to compare.
// Does not do: the archives of before 1.4 (model.json), values of torch's own C++ classes (packed
// weights of quantized layers), which stay tensors of no model.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "samebits/checkpoint/object_reader.h"

namespace samebits {

/// What the code says of a class, or the text of a function.
struct ScriptClass {
  bool is_module = false;
  bool names_buffers = false;  // false in archives of before 1.5, where every other tensor is one
  std::set<std::string> parameters, buffers;
  std::vector<std::pair<std::string, Json>> constants;  // `eps : Final[float] = 1e-05` of a module
  std::string text;                                     // all of it, but for these constants
};

/// The classes and functions of one text of code/, by the name in their first line.
std::map<std::string, ScriptClass> read_script_classes(std::string_view text);

/// A literal of the code as JSON: numbers, True, None, texts, and tuples and lists of them.
std::optional<Json> script_literal(std::string_view text);

/// The classes of an archive, each file of code/ read once.
class ScriptCode {
 public:
  /// The text of "code/" + name, or nothing.
  using Source = std::function<std::optional<std::string>(const std::string& name)>;
  explicit ScriptCode(Source source) : source_(std::move(source)) {}

  /// `qualified`: "__torch__.torch.nn.modules.linear.Linear". Null where the archive has no code of
  /// it.
  const ScriptClass* find(std::string_view qualified);

 private:
  Source source_;
  std::map<std::string, std::map<std::string, ScriptClass>, std::less<>> files_;
};

/// "torch.nn.modules.linear.Linear" of
/// "__torch__.torch.nn.modules.linear.___torch_mangle_3.Linear".
std::string python_class(std::string_view qualified);

/// Fills entries, modules and the candidate with the names and the order that state_dict() of
/// the loaded module has.
void read_script_module(Checkpoint& checkpoint, const TorchObject& object, ScriptCode& code);

/// Constants of the code, with the paths "constants.c0", "constants.c1", ... by which it names
/// them. Where the module itself holds no weights (torch.jit.freeze) they are the model's.
void read_script_constants(Checkpoint& checkpoint, const TorchObject& constants);

}  // namespace samebits
