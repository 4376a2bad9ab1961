#include "samebits/lock/lock_text.h"

#include <algorithm>

#include <fmt/format.h>

namespace samebits {
namespace {

constexpr const char* kLockSchema = "samebits.lock/1";

Json tensor_json(const LockedTensor& tensor) {
  Json json = {{"name", tensor.name},
               {"dtype", info(tensor.dtype).torch},
               {"shape", tensor.shape},
               {"digest", tensor.digest}};
  if (!tensor.identity.empty()) json["identity"] = tensor.identity;
  if (!tensor.tied_to.empty()) json["tied_to"] = tensor.tied_to;
  if (tensor.constant) json["constant"] = true;
  return json;
}

std::string tensor_lines(const char* key, const std::vector<LockedTensor>& tensors) {
  std::vector<std::string> lines;
  for (const LockedTensor& tensor : tensors) lines.push_back("  " + json_text(tensor_json(tensor)));
  if (lines.empty()) return fmt::format(" \"{}\": []", key);
  return fmt::format(" \"{}\": [\n{}\n ]", key, fmt::join(lines, ",\n"));
}

std::string member(const char* key, const Json& value) {
  return fmt::format(" \"{}\": {}", key, json_text(value));
}

Json digest_or_null(LockAlgorithm algorithm, const Json& value) {
  return value.is_null() ? Json() : Json(value_digest(algorithm, value));
}

Json mode_json(const Lock& lock) {
  if (!lock.modules) return nullptr;
  return {{"modules", lock.modules->count}, {"training", lock.modules->training}};
}

/// A parsed lock under examination: the first fault ends it.
class LockParser {
 public:
  LockParser(const Json& json, const std::string& file) : json_(json), file_(file) {}

  Result<Lock> parse() {
    SAMEBITS_TRY_VOID(check_schema());
    Lock lock;
    SAMEBITS_TRY(const std::string algorithm, text(json_, "algorithm"));
    const auto known = algorithm_from_name(algorithm);
    if (!known)
      return fail({.code = ErrorCode::unsupported,
                   .what = "the lock names another algorithm",
                   .file = file_,
                   .expected = "sha256 or xxh3-128",
                   .found = algorithm});
    lock.algorithm = *known;
    SAMEBITS_TRY(lock.tensors, tensors("tensors"));
    SAMEBITS_TRY(lock.buffers, tensors("buffers"));
    SAMEBITS_TRY(lock.companions, tensors("companions"));
    SAMEBITS_TRY_VOID(read_values(lock));
    for (auto [key, to] : {std::pair("config", &lock.config),
                           {"preprocessing", &lock.preprocessing},
                           {"adapter", &lock.adapter}}) {
      SAMEBITS_TRY(*to, object_or_null(key));
    }
    SAMEBITS_TRY_VOID(read_modules(lock));
    SAMEBITS_TRY(lock.code, text_or_null("code"));
    SAMEBITS_TRY_VOID(check_digests(lock));
    return lock;
  }

 private:
  Error malformed(std::string what) const {
    return {.code = ErrorCode::malformed,
            .what = std::move(what),
            .file = file_,
            .hint = "Write it anew with samebits lock"};
  }

  Result<void> check_schema() const {
    const bool is_one =
        json_.is_object() && json_.contains("schema") && json_["schema"].is_string();
    if (!is_one)
      return fail({.code = ErrorCode::malformed,
                   .what = "this is no lock file",
                   .file = file_,
                   .expected = fmt::format("an object with \"schema\": \"{}\"", kLockSchema),
                   .hint = "samebits lock writes one"});
    if (json_["schema"] == kLockSchema) return {};
    return fail({.code = ErrorCode::unsupported,
                 .what = "the lock is of another version",
                 .file = file_,
                 .expected = kLockSchema,
                 .found = short_json(json_["schema"])});
  }

  Result<std::string> text(const Json& holder, const char* key) const {
    const auto found = holder.find(key);
    if (found != holder.end() && found->is_string()) return found->get<std::string>();
    return fail(malformed(fmt::format("\"{}\" is no text, or is missing", key)));
  }

  Result<std::string> text_or_null(const char* key) const {
    if (json_.contains(key) && json_[key].is_null()) return std::string();
    return text(json_, key);
  }

  Result<Json> object_or_null(const char* key) const {
    if (json_.contains(key) && (json_[key].is_null() || json_[key].is_object())) return json_[key];
    return fail(malformed(fmt::format("\"{}\" is neither an object nor null", key)));
  }

  Result<std::string> digest(const Json& holder, const char* key, LockAlgorithm algorithm) const {
    SAMEBITS_TRY(const std::string value, text(holder, key));
    const std::size_t length = algorithm == LockAlgorithm::sha256 ? 64 : 32;
    const bool fits =
        value.size() == length && value.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (fits) return value;
    return fail(malformed(fmt::format("\"{}\" is no digest of {}: {}", key,
                                      algorithm_name(algorithm), short_json(value))));
  }

  Result<LockedTensor> tensor(const Json& json) const {
    if (!json.is_object()) return fail(malformed("a tensor is no object"));
    LockedTensor out;
    SAMEBITS_TRY(out.name, text(json, "name"));
    SAMEBITS_TRY(const std::string dtype, text(json, "dtype"));
    const auto known = dtype_from_torch(dtype);
    if (!known) return fail(malformed(out.name + " has no known dtype: " + dtype));
    out.dtype = *known;
    const auto shape = json.find("shape");
    if (shape == json.end() || !shape->is_array()) return fail(malformed(out.name + ": no shape"));
    for (const Json& size : *shape) {
      if (!size.is_number_unsigned()) return fail(malformed(out.name + ": a size is no number"));
      out.shape.push_back(size.get<std::int64_t>());
    }
    SAMEBITS_TRY_VOID(TensorView::valueless(out.dtype, out.shape));
    SAMEBITS_TRY(out.digest, digest(json, "digest", algorithm_));
    if (json.contains("identity")) {
      SAMEBITS_TRY(out.identity, text(json, "identity"));
    }
    if (json.contains("tied_to")) {
      SAMEBITS_TRY(out.tied_to, text(json, "tied_to"));
    }
    out.constant = json.contains("constant") && json["constant"] == true;
    return out;
  }

  Result<std::vector<LockedTensor>> tensors(const char* key) {
    if (!json_.contains(key) || !json_[key].is_array())
      return fail(malformed(fmt::format("\"{}\" is no list, or is missing", key)));
    algorithm_ = *algorithm_from_name(json_["algorithm"].get<std::string>());
    std::vector<LockedTensor> list;
    for (const Json& each : json_[key]) {
      SAMEBITS_TRY(LockedTensor read, tensor(each));
      if (!list.empty() && !(list.back().name < read.name))
        return fail(malformed(read.name + " does not stand in the order of names, or twice"));
      list.push_back(std::move(read));
    }
    return list;
  }

  Result<void> read_values(Lock& lock) const {
    SAMEBITS_TRY(const Json values, object_or_null("values"));
    for (const auto& [path, value] : values.items()) {
      if (!value.is_string()) return fail(malformed("the value " + path + " has no digest"));
      lock.values[path] = value.get<std::string>();
    }
    return {};
  }

  Result<void> read_modules(Lock& lock) const {
    SAMEBITS_TRY(const Json mode, object_or_null("mode"));
    if (mode.is_null()) return {};
    LockedModules modules;
    const bool complete = mode.contains("modules") && mode["modules"].is_number_unsigned() &&
                          mode.contains("training") && mode["training"].is_array();
    if (!complete) return fail(malformed("\"mode\" lacks modules or training"));
    modules.count = mode["modules"].get<std::size_t>();
    for (const Json& path : mode["training"]) {
      if (!path.is_string()) return fail(malformed("a module of \"mode\" is no text"));
      modules.training.push_back(path.get<std::string>());
    }
    SAMEBITS_TRY(modules.digest, digest(json_, "modules", lock.algorithm));
    lock.modules = std::move(modules);
    return {};
  }

  Result<void> check_digests(const Lock& lock) const {
    const auto must_be = [&](const char* key, const Json& value) -> Result<void> {
      if (json_.contains(key) && json_[key] == value) return {};
      return fail({.code = ErrorCode::inconsistent,
                   .what = fmt::format("the lock contradicts itself: \"{}\" is not what its lines "
                                       "give; it was changed by hand or damaged",
                                       key),
                   .file = file_,
                   .expected = json_text(value),
                   .found = json_.contains(key) ? short_json(json_[key]) : "nothing",
                   .hint = "Take the file as samebits lock wrote it"});
    };
    SAMEBITS_TRY_VOID(must_be("contents", contents_digest(lock)));
    SAMEBITS_TRY_VOID(must_be("named", named_digest(lock)));
    SAMEBITS_TRY_VOID(must_be("config_digest", digest_or_null(lock.algorithm, lock.config)));
    return must_be("preprocessing_digest", digest_or_null(lock.algorithm, lock.preprocessing));
  }

  const Json& json_;
  std::string file_;
  LockAlgorithm algorithm_ = LockAlgorithm::sha256;
};

}  // namespace

std::string lock_text(const Lock& lock) {
  const std::vector<std::string> members = {
      member("schema", kLockSchema),
      member("algorithm", algorithm_name(lock.algorithm)),
      member("contents", contents_digest(lock)),
      member("named", named_digest(lock)),
      member("config_digest", digest_or_null(lock.algorithm, lock.config)),
      member("preprocessing_digest", digest_or_null(lock.algorithm, lock.preprocessing)),
      member("mode", mode_json(lock)),
      member("modules", lock.modules ? Json(lock.modules->digest) : Json()),
      member("code", lock.code.empty() ? Json() : Json(lock.code)),
      member("values", lock.values),
      tensor_lines("tensors", lock.tensors),
      tensor_lines("buffers", lock.buffers),
      tensor_lines("companions", lock.companions),
      member("config", lock.config),
      member("preprocessing", lock.preprocessing),
      member("adapter", lock.adapter)};
  return fmt::format("{{\n{}\n}}\n", fmt::join(members, ",\n"));
}

Result<Lock> parse_lock(Bytes text, const std::string& file) {
  SAMEBITS_TRY(const Json json, parse_json(text, file));
  return LockParser(json, file).parse();
}

}  // namespace samebits
