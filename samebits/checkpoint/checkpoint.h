// What stands in a file or directory of weights, as one value: tensors with provenance, config,
// modules and their mode, training state, producer, what its pickles would call, and where every
// byte went.
//
// Made by open() in open.h. Everything that is borrowed (TensorView, text) points into `files` or
// `owned`, which the Checkpoint keeps alive. Nothing here was executed, imported or converted.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "samebits/base/json.h"
#include "samebits/base/mapped_file.h"
#include "samebits/checkpoint/sparse_part.h"
#include "samebits/tensor/tensor.h"

namespace samebits {

enum class CheckpointKind : std::uint8_t {
  hf_directory,         // config.json beside weights
  safetensors,          // one file
  state_dict,           // torch file whose top is a dict of tensors
  whole_module,         // torch file that holds an nn.Module (alone or inside something)
  lightning,            // dict with pytorch-lightning_version
  torchscript,          // archive with code/
  training_checkpoint,  // dict with weights and optimizer, epoch or the like beside them
  trace,                // written by samebits
  tensors,              // tensors in lists, tuples or nested dicts, or one alone
  numpy,                // .npy, .npz
  gguf,                 // of llama.cpp
  onnx,                 // a graph with its initializers
  exported,             // of torch.export (.pt2)
  pickle,               // a pickle without tensors
  lock,                 // what samebits lock wrote: digests in the place of values
};
const char* kind_name(CheckpointKind kind);   // "hf-directory", as in JSON
const char* kind_label(CheckpointKind kind);  // "Hugging Face directory", as on the terminal

/// One file that was read. `path` is as the user would type it.
struct SourceFile {
  std::string path;
  std::string container;  // "torch-zip", "torch-legacy", "torch-tar", "safetensors", "pickle",
                          // "json", "npy", "npz", "gguf", "onnx", "onnx-data", "pt2"
  std::shared_ptr<const MappedFile> map;
};

enum class TensorRole : std::uint8_t {
  weight,     // in a state dict: parameter or persistent buffer, the file does not say which
  parameter,  // in a module
  buffer,     // in a module, persistent
  transient,  // in a module, a buffer that state_dict() leaves out (persistent=False)
  optimizer,  // moments and the like
  rng,        // generator states
  other,
};
const char* role_name(TensorRole role);

/// One tensor of the file, wherever it stands.
struct StoredTensor {
  std::string
      path;  // from the top of the file: "model_state_dict.fc1.weight"; "" for a bare tensor
  std::string
      name;  // inside its candidate's state_dict(): "fc1.weight"; "" where it belongs to none
  TensorView view;
  TensorRole role = TensorRole::other;
  std::uint32_t file = 0;     // index into Checkpoint::files
  std::uint64_t offset = 0;   // byte in that file of the first element
  std::uint32_t storage = 0;  // tensors with equal numbers share bytes of one storage
  std::uint64_t storage_bytes = 0;
  std::string device;  // "cpu", "cuda:0" as saved; "" where the format has none
  bool requires_grad = false;
  bool readable = true;  // false: no bytes in the file (meta device)
  bool absent = false;   // not readable, since its bytes belong in another file: nothing is damaged
  std::string
      note;  // "" or what is special: "sparse_coo indices", "quantized: scale 0.1, zero point 0"
  std::optional<SparsePart> sparse;
  std::string sparse_form;  // of a dense tensor that was read from such parts; "" of others
  /// "Q4_K" of GGUF's blocks, whose numbers the view holds; "" of all others.
  std::string blocks{};
  /// What makes it another tensor though its elements are equal: "quantized ..., scale 0.02",
  /// "sparse_coo of size [3, 5]"; "" for plain tensors.
  std::string identity;
};

/// A place in the file where a model's weights stand.
struct Candidate {
  std::string key;  // "state_dict", "ema", "" for the top itself
  std::vector<std::uint32_t>
      weights;  // indexes into entries, what state_dict() holds, in its order
  std::vector<std::uint32_t> buffers;  // non-persistent buffers
  bool is_module = false;
  std::string why;  // why it was taken, for `weights_from`
  /// Of a directory's .bin: where in the file the weights stand, which from_pretrained takes for
  /// the state dict itself. "state_dict", "a module"; "" at the top.
  std::string inside{};
};

/// One nn.Module of a whole-module pickle.
struct ModuleRecord {
  std::string path;        // "" for the root, "model.vit.layernorm"
  std::string class_path;  // "transformers.models.vit_mae.modeling_vit_mae.ViTMAEModel"
  bool training = false;
  Json hyper;  // plain attributes: {"eps": 1e-12, "p": 0.1, ...}
  std::vector<std::string> parameters, buffers, transient_buffers;  // own names, without path
  std::uint32_t hooks = 0;  // forward, pre, backward and state-dict hooks that are registered
  Json attributes;          // all others, as module_attributes.h writes values
};

/// One class or function of a TorchScript archive's code.
struct ScriptUnit {
  std::string name;  // "my.Block#0": Python's name, and which one of that name
  std::string text;  // in the archive's language, with such names in the place of its own, and
                     // constants numbered as they are met
};

inline constexpr std::uint32_t kNoConstant = 0xffffffff;

/// The code of a TorchScript archive, from the root's class on, in the order in which classes and
/// functions are named. Equal for archives of one program, however often it was saved.
struct ScriptProgram {
  std::string way;      // "scripted", "traced", "frozen"
  std::string version;  // of the operators: what the names of operators mean
  std::vector<ScriptUnit> units;
  std::vector<std::uint32_t> constants;  // entries, as units number them; kNoConstant for none
  std::vector<std::string> training;     // names of units that hold the training mode for good
};

/// What is computed, in a form that is not understood here.
struct GraphFacts {
  std::string what;    // "ONNX graph", "exported graph"
  std::string digest;  // of all of it but the tensors
};

/// Something that the pickles would call, or change, when loaded, summed over files.
struct CallSummary {
  std::string global;  // "torch._utils._rebuild_tensor_v2"; of a change what it goes through:
                       // "os.environ.__setitem__", "sys.path.append"
  std::uint64_t count = 0;
  bool plain = false;       // a reconstruction of data, which no loader needs to fear
  bool constructs = false;  // makes an object of a class without running code of the file's choice
                            // (NEWOBJ and its like of a class of a model)
  bool acts = false;        // neither, and it can act on the machine
  std::string how;          // "REDUCE", "NEWOBJ", "OBJ", "INST", "BUILD", "SETITEM", "APPEND", ...
  std::uint32_t file = 0;
  std::uint64_t offset = 0;  // of the first
  std::string arguments;  // of the first, as short text in ASCII: "('true')"; "" where it is plain
                          // or only constructs
  std::string beside;     // the file's path where it is none of `files`
};

/// Something imported that is neither called nor known as a value of checkpoints.
struct UnusualImport {
  std::string global;
  bool acts = false;   // its module can act on the machine
  std::string beside;  // as of a CallSummary
};

/// A value that is no tensor of the weights: beside them, or among them.
struct StoredValue {
  std::string path;      // "_extra_state", "config", "custom_checkpoint_0.pkl:scale"
  bool loaded = false;   // load_state_dict() or a framework hands it to the model
  std::string text;      // short, for people; "" where it has no short text
  std::string digest;    // of what it says: see tree_digest.h
  bool complete = true;  // false: the digest does not cover all of it
};

/// What one optimizer's state_dict() says of itself.
struct OptimizerFacts {
  std::string place;              // "optimizer", "optimizer_states.0", "optimizer.pt"
  std::string prefix;             // of the paths of its tensors: "optimizer.state."
  std::size_t listed = 0;         // parameters in its param_groups
  std::size_t held = 0;           // parameters that have state
  std::size_t unlisted = 0;       // of these, those under a key that no param_group lists
  std::string unlisted_key;       // the first of them as Python prints it: "'0'"
  bool listed_by_number = false;  // param_groups list integers
  bool keeps_moments = false;     // a group has betas, a momentum or the like: state is to be there
  std::optional<double> step;     // the largest of its state
};

/// Each member says where it was found ("optimizer_states[0]"), or nothing.
struct TrainingState {
  std::optional<std::string> optimizer, step, scheduler, scaler, rng, sampler, ema;
  Json values =
      Json::object();  // by value: {"epoch": 3, "global_step": 120, "args": {"lr": 0.1}, ...}
  std::vector<OptimizerFacts> optimizers;
};

/// Something a reader of the report would want to know, none of it fatal.
struct Oddity {
  enum class Kind : std::uint8_t {
    shared_storage,
    duplicate_tensors,
    unreferenced_bytes,
    partial_storage,
    container,
    bad_checksum,
    unwritten,     // room in a zip record without a checksum, which holds zeros
    no_checksums,  // an archive without any
    skipped,       // storages without checksums, where the other records have some
    not_finite,
    trailing,
    hooks,
    refused,     // a loader ends with an error; the summary begins with its name
    incomplete,  // parts that are absent, stale or doubled
    other
  };
  Kind kind;
  std::string summary;  // one line without a full stop
  std::uint32_t file = 0;
  std::optional<std::uint64_t> offset;
  std::vector<std::string> tensors;  // paths
  std::string remedy{};              // where another one helps than the kind's usual one
};
const char* oddity_name(Oddity::Kind kind);

enum class ByteUse : std::uint8_t {
  weights,
  buffers,
  optimizer,
  other_tensors,
  structure,
  padding,
  unreferenced
};
const char* byte_use_name(ByteUse use);
struct ByteRange {
  std::uint32_t file = 0;
  std::uint64_t begin = 0, end = 0;
  ByteUse use = ByteUse::structure;
};

struct Checkpoint {
  std::string path;  // as the user gave it
  CheckpointKind kind = CheckpointKind::tensors;
  std::string description;  // "TransformerModel(model=ViTMAEForPreTraining)" for modules, else ""
  std::string model_type;   // "vit_mae"; "" where unknown
  std::vector<SourceFile> files;
  std::vector<std::shared_ptr<std::vector<std::uint8_t>>> owned;  // inflated records

  std::vector<StoredTensor> entries;
  /// Entries whose storages were counted, and the number after the highest: see next_storage_id().
  struct StorageCount {
    std::size_t entries = 0;
    std::uint32_t next = 0;
  };
  mutable StorageCount storage_count;
  std::vector<Candidate> candidates;  // in the order of preference
  std::size_t chosen = 0;             // index into candidates, where there is one
  std::string choice_reason;          // "" where there was no choice

  Json config;              // object, or null where the file carries none
  std::string config_from;  // "config.json", "model.config"
  Json preprocessing;       // object, or null
  Json hyper_parameters;    // Lightning's, or null
  std::vector<ModuleRecord> modules;
  std::vector<TensorView> attribute_data;  // what their attributes name by "$data"
  std::optional<ScriptProgram> program;    // of TorchScript archives
  std::optional<GraphFacts> graph;         // of ONNX models and exported programs
  std::vector<Json> attribute_shared;      // and by "$shared"
  Json producer;  // {"torch": "2.13.0", "transformers": "5.24.0", "lightning": ...}, or null
  std::vector<CallSummary> calls;  // sorted by global, then how
  std::vector<std::string>
      imports;  // every "module.name" that the pickles name, in order, without repeats
  std::vector<UnusualImport> unusual_imports;  // of these, those that nobody can expect
  TrainingState training;
  std::vector<StoredValue> values;
  /// Entries of further models and objects that a framework loads together with the weights
  /// (accelerate's model_1.safetensors, custom_checkpoint_0.pkl).
  std::vector<std::uint32_t> companions;
  Json adapter;  // adapter_config.json of a directory that holds an adapter, or null
  std::vector<Oddity> oddities;
  std::vector<std::string> trace_order;  // traces: the points in execution order
  std::vector<ByteRange> bytes;          // every byte of every file, sorted, without overlap
  bool read_in_depth = false;            // every byte was read: NaN, Inf and checksums are known
  std::vector<Error> unread;             // parts that could not be read; the rest stands
  /// Fields of config, preprocessing and modules that hold what no model has, and relations between
  /// them (family/field_ranges.h); files of fields that are no JSON object. Only what needs them
  /// fails.
  std::vector<Error> config_faults, preprocessing_faults, module_faults;

  /// The path of a file that lies beside the weights of a directory; the checkpoint's own
  /// elsewhere.
  std::string file_beside(const std::string& name) const;
  bool has_weights() const { return !candidates.empty(); }
  const Candidate& weights() const { return candidates.at(chosen); }
  /// Elements of weights(): of a tied tensor once, of buffers none.
  std::uint64_t parameters() const;
  std::size_t training_modules() const;  // modules with training = true
};

/// The type that it is stored in: torch's name, or that of GGUF's blocks.
std::string stored_type(const StoredTensor& tensor);
/// The bytes that it takes in that type.
std::uint64_t stored_bytes(const StoredTensor& tensor);

/// For each entry, the first that shows the same elements: itself for most, and where its bytes
/// cannot be read. Tied weights are then read once.
std::vector<std::size_t> first_showing(const std::vector<StoredTensor>& entries);

}  // namespace samebits
