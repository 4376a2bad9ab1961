#include "samebits/checkpoint/exported_program.h"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/base/limits.h"
#include "samebits/checkpoint/byte_account.h"
#include "samebits/checkpoint/calls.h"
#include "samebits/checkpoint/choice.h"
#include "samebits/container/pickle.h"
#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

constexpr std::string_view kFormatEnd = "/archive_format";
constexpr std::string_view kWeightsEnd = "_weights_config.json";
constexpr std::string_view kConstantsEnd = "_constants_config.json";

/// ScalarType of schema.py.
std::optional<DType> exported_dtype(std::int64_t type) {
  switch (type) {
    case 1: return DType::uint8;
    case 2: return DType::int8;
    case 3: return DType::int16;
    case 4: return DType::int32;
    case 5: return DType::int64;
    case 6: return DType::float16;
    case 7: return DType::float32;
    case 8: return DType::float64;
    case 9: return DType::complex32;
    case 10: return DType::complex64;
    case 11: return DType::complex128;
    case 12: return DType::boolean;
    case 13: return DType::bfloat16;
    case 28: return DType::uint16;
    case 29: return DType::float8_e4m3fn;
    case 30: return DType::float8_e5m2;
    case 31: return DType::float8_e4m3fnuz;
    case 32: return DType::float8_e5m2fnuz;
    case 33: return DType::float8_e8m0fnu;
    case 34: return DType::uint32;
    case 35: return DType::uint64;
    default: return std::nullopt;
  }
}

/// [{"as_int": 4}, ...] as numbers; nothing where one is none.
std::optional<Shape> integers_of(const Json& list) {
  Shape numbers;
  if (!list.is_array()) return std::nullopt;
  for (const Json& item : list) {
    const auto number = item.is_object() ? item.find("as_int") : item.end();
    if (!item.is_object() || number == item.end() || !number->is_number_integer())
      return std::nullopt;
    numbers.push_back(number->get<std::int64_t>());
  }
  return numbers;
}

const Json* json_member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

/// What the JSON says of one tensor.
struct Payload {
  std::string record;
  DType dtype = DType::float32;
  Shape shape;
  Strides strides;
  std::uint64_t first = 0;  // element of the record
  bool requires_grad = false;
};

/// Nothing where a part is absent or of another kind, and for layouts that are not strided.
std::optional<Payload> payload_of(const Json& payload) {
  constexpr std::int64_t kStrided = 7;
  const Json* meta = json_member(payload, "tensor_meta");
  const Json* record = json_member(payload, "path_name");
  if (meta == nullptr || record == nullptr || !record->is_string()) return std::nullopt;
  const Json* type = json_member(*meta, "dtype");
  const Json* sizes = json_member(*meta, "sizes");
  const Json* strides = json_member(*meta, "strides");
  const Json* layout = json_member(*meta, "layout");
  const bool whole = type && type->is_number_integer() && sizes && strides && layout;
  if (!whole || *layout != Json(kStrided)) return std::nullopt;
  const auto dtype = exported_dtype(type->get<std::int64_t>());
  auto shape = integers_of(*sizes);
  auto steps = integers_of(*strides);
  const Json* first = json_member(*meta, "storage_offset");
  const auto offset = integers_of(first ? Json::array({*first}) : Json::array());
  if (!dtype || !shape || !steps || !offset) return std::nullopt;
  Payload known{.record = record->get<std::string>(),
                .dtype = *dtype,
                .shape = std::move(*shape),
                .strides = std::move(*steps)};
  if (!offset->empty()) {
    if ((*offset)[0] < 0) return std::nullopt;
    known.first = static_cast<std::uint64_t>((*offset)[0]);
  }
  const Json* grad = json_member(*meta, "requires_grad");
  known.requires_grad = grad != nullptr && *grad == Json(true);
  return known;
}

class ExportedReader {
 public:
  ExportedReader(Checkpoint& checkpoint, const FilePart& part, const ZipArchive& zip)
      : out_(checkpoint), part_(part), zip_(zip) {
    for (const ZipEntry& entry : zip.entries())
      if (entry.name.ends_with(kFormatEnd))
        root_ = entry.name.substr(0, entry.name.size() - kFormatEnd.size() + 1);
    most_described_ = kLimits.described_bytes + kLimits.described_factor * zip.file().size();
  }

  Result<void> read() {
    out_.kind = CheckpointKind::exported;
    out_.files[part_.file].container = "pt2";
    for (const ZipEntry& entry : zip_.entries()) {
      use_bytes(out_, part_.file, entry.data_offset, entry.data_offset + entry.compressed_size,
                ByteUse::structure);
      list_calls(entry);
    }
    const std::vector<std::string> models = model_names();
    for (const std::string& model : models) SAMEBITS_TRY_VOID(read_model(model, models.size() > 1));
    if (out_.candidates.size() == 1) out_.candidates[0].key.clear();
    return choose_weights(out_, part_.key);
  }

 private:
  std::vector<std::string> model_names() const {
    const std::string start = root_ + "data/weights/";
    std::vector<std::string> names;
    for (const ZipEntry& entry : zip_.entries())
      if (entry.name.starts_with(start) && entry.name.ends_with(kWeightsEnd))
        names.push_back(
            entry.name.substr(start.size(), entry.name.size() - start.size() - kWeightsEnd.size()));
    std::ranges::sort(names);
    return names;
  }

  /// Samples of inputs, and payloads that are no raw bytes, are archives of torch.save:
  /// torch.export.load() gives them to torch.load(weights_only=False).
  void list_calls(const ZipEntry& entry) {
    const Result<Bytes> bytes = zip_.stored(entry);
    if (!bytes || bytes->empty()) return;
    if ((*bytes)[0] == 0x80 && pickle::looks_like(*bytes))
      return list_pickle_calls(*bytes, entry.data_offset);
    if (!as_text(*bytes).starts_with("PK\3\4")) return;
    const Result<ZipArchive> inner = ZipArchive::open(*bytes, zip_.path());
    if (!inner) return out_.unread.push_back(inner.error());
    for (const ZipEntry& record : inner->entries()) {
      if (!record.name.ends_with(".pkl")) continue;
      const Result<Bytes> text = inner->stored(record);
      if (text)
        list_pickle_calls(*text, entry.data_offset + record.data_offset);
      else
        out_.unread.push_back(text.error());
    }
  }

  void list_pickle_calls(Bytes bytes, std::uint64_t offset) {
    const pickle::Pickle pickle = pickle::read(bytes, zip_.path(), offset);
    add_calls(out_, pickle, part_.file);
    if (pickle.error && !pickle.globals.empty()) out_.unread.push_back(*pickle.error);
  }

  Result<Json> json_of(const std::string& name) {
    const ZipEntry* entry = zip_.find(root_ + name);
    if (entry == nullptr) return Json();
    SAMEBITS_TRY(const Bytes bytes, zip_.stored(*entry));
    return parse_json(bytes, zip_.path());
  }

  Result<void> read_model(const std::string& name, bool several) {
    SAMEBITS_TRY(const Json graph, json_of("models/" + name + ".json"));
    read_graph(graph);
    Candidate candidate;
    candidate.key = name;
    const std::string prefix = several ? name + "." : "";
    SAMEBITS_TRY_VOID(read_payloads("data/weights/", name + std::string(kWeightsEnd), prefix,
                                    &candidate.weights));
    SAMEBITS_TRY_VOID(read_payloads("data/constants/", name + std::string(kConstantsEnd), prefix,
                                    &candidate.buffers));
    if (!candidate.weights.empty()) out_.candidates.push_back(std::move(candidate));
    return {};
  }

  /// Which buffers state_dict() leaves out, and a digest of what is computed.
  void read_graph(const Json& model) {
    const Json* module = json_member(model, "graph_module");
    if (module == nullptr) return;
    if (const Json* version = json_member(model, "torch_version"); version && version->is_string())
      out_.producer["torch"] = *version;
    const std::string text = module->dump(-1, ' ', false, Json::error_handler_t::replace);
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    if (!out_.graph) out_.graph = GraphFacts{.what = "exported graph"};
    out_.graph->digest += sha256_hex(bytes);
    const Json* signature = json_member(*module, "signature");
    const Json* inputs = signature ? json_member(*signature, "input_specs") : nullptr;
    if (inputs == nullptr || !inputs->is_array()) return;
    for (const Json& input : *inputs) {
      const Json* buffer = json_member(input, "buffer");
      const Json* name = buffer ? json_member(*buffer, "buffer_name") : nullptr;
      if (name != nullptr && name->is_string()) buffers_.insert(name->get<std::string>());
    }
  }

  Result<void> read_payloads(const std::string& folder, const std::string& config_name,
                             const std::string& prefix, std::vector<std::uint32_t>* indexes) {
    SAMEBITS_TRY(const Json file, json_of(folder + config_name));
    const Json* config = json_member(file, "config");
    if (config == nullptr || !config->is_object()) return {};
    for (const auto& [name, payload] : config->items()) {
      StoredTensor tensor;
      tensor.path = prefix + name;
      tensor.role = role_of(folder, name, payload);
      tensor.file = part_.file;
      if (Result<void> read = read_payload(root_ + folder, payload, tensor); !read) {
        Error error = std::move(read).error();
        error.what = name + ": " + error.what;
        out_.unread.push_back(std::move(error));
        tensor.readable = false;
        tensor.absent = true;
      }
      const bool is_constant = tensor.role == TensorRole::other;
      if (!is_constant) indexes->push_back(static_cast<std::uint32_t>(out_.entries.size()));
      out_.entries.push_back(std::move(tensor));
    }
    return {};
  }

  TensorRole role_of(const std::string& folder, const std::string& name,
                     const Json& payload) const {
    const Json* is_parameter = json_member(payload, "is_param");
    if (folder == "data/constants/")
      return buffers_.contains(name) ? TensorRole::transient : TensorRole::other;
    return is_parameter != nullptr && *is_parameter == Json(true) ? TensorRole::parameter
                                                                  : TensorRole::buffer;
  }

  Error payload_error(ErrorCode code, std::string what) const {
    return {.code = code, .what = std::move(what), .file = zip_.path()};
  }

  Result<void> read_payload(const std::string& folder, const Json& payload, StoredTensor& tensor) {
    tensor.storage = next_storage_id(out_);
    if (const Json* pickled = json_member(payload, "use_pickle"); pickled && *pickled == Json(true))
      return fail(payload_error(ErrorCode::unsupported, "it is stored as a pickle"));
    const std::optional<Payload> known = payload_of(payload);
    if (!known)
      return fail(payload_error(ErrorCode::malformed,
                                "its description has no type, size or layout that is read"));
    tensor.requires_grad = known->requires_grad;
    SAMEBITS_TRY(tensor.view, TensorView::valueless(known->dtype, known->shape));
    const ZipEntry* entry = zip_.find(folder + known->record);
    if (entry == nullptr)
      return fail(
          payload_error(ErrorCode::malformed, "its record " + known->record + " is absent"));
    SAMEBITS_TRY(const Bytes bytes, zip_.stored(*entry));
    std::uint64_t begin = 0;
    if (!checked_mul(known->first, itemsize(known->dtype), &begin))
      return fail(payload_error(ErrorCode::malformed, "it begins behind its record"));
    SAMEBITS_TRY(tensor.view,
                 TensorView::make(known->dtype, known->shape, known->strides, known->first, bytes));
    const bool too_many =
        !checked_add(described_, tensor.view.nbytes(), &described_) || described_ > most_described_;
    if (too_many)
      return fail(
          payload_error(ErrorCode::limit, "the tensors describe more than their file holds"));
    const auto [place, is_new] = storages_.try_emplace(entry, tensor.storage);
    tensor.storage = place->second;
    tensor.storage_bytes = bytes.size();
    tensor.offset = entry->data_offset + begin;
    return {};
  }

  Checkpoint& out_;
  const FilePart& part_;
  const ZipArchive& zip_;
  std::string root_;
  std::set<std::string> buffers_;
  std::map<const ZipEntry*, std::uint32_t> storages_;  // tied weights share a record
  std::uint64_t described_ = 0, most_described_ = 0;
};

}  // namespace

bool is_exported_program(const ZipArchive& zip) {
  const auto format = std::ranges::find_if(
      zip.entries(), [](const ZipEntry& entry) { return entry.name.ends_with(kFormatEnd); });
  const auto weights = std::ranges::find_if(zip.entries(), [](const ZipEntry& entry) {
    return entry.name.ends_with(kWeightsEnd) &&
           entry.name.find("/data/weights/") != std::string::npos;
  });
  return format != zip.entries().end() && weights != zip.entries().end();
}

Result<void> read_exported_program(Checkpoint& checkpoint, const FilePart& part,
                                   const ZipArchive& zip) {
  return ExportedReader(checkpoint, part, zip).read();
}

}  // namespace samebits
