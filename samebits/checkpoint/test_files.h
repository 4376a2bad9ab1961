// For tests only: pickles and torch files written opcode by opcode, in a folder that goes away.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "samebits/base/test_folder.h"
#include "samebits/container/zip_builder.h"

namespace samebits::test_files {

using zip_builder::le16;
using zip_builder::le32;
using zip_builder::le64;

// Values of a pickle of protocol 2.
inline std::string text(const std::string& value) { return "X" + le32(value.size()) + value; }
inline std::string number(std::uint32_t value) { return "J" + le32(value); }
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<std::string>& items) {
  std::string bytes = "(";
  for (const std::string& item : items) bytes += item;
  return bytes + "t";
}
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string bytes = "}(";
  for (const auto& [key, value] : items) bytes += text(key) + value;
  return bytes + "u";
}
inline std::string call(const std::string& callable, const std::vector<std::string>& arguments) {
  return callable + tuple(arguments) + "R";
}
/// An object made without a call, with its attributes.
inline std::string object(const std::string& type, const std::string& state) {
  return type + ")\x81" + state + "b";
}
inline std::string pickled(const std::string& value) { return "\x80\x02" + value + "."; }
inline const std::string kTrue = "\x88", kFalse = "\x89", kNothing = "N";

inline std::string storage(const std::string& key, std::uint32_t numel,
                           const std::string& type = "FloatStorage") {
  return tuple({text("storage"), global("torch", type), text(key), text("cpu"), number(numel)}) +
         "Q";
}
/// A float32 vector over a whole storage.
inline std::string tensor(const std::string& key, std::uint32_t numel, std::uint32_t offset = 0) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage(key, numel), number(offset), tuple({number(numel)}), tuple({number(1)}),
               kFalse, call(global("collections", "OrderedDict"), {})});
}

inline std::string floats(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// torch.save's archive: the pickle, and storages by key.
inline std::string torch_zip(const std::string& value,
                             const std::vector<std::pair<std::string, std::string>>& storages) {
  std::vector<zip_builder::Record> records = {
      zip_builder::stored("archive/data.pkl", pickled(value)),
      zip_builder::stored("archive/version", "3\n")};
  for (const auto& [key, bytes] : storages)
    records.push_back(zip_builder::stored("archive/data/" + key, bytes));
  return zip_builder::archive(records).whole();
}

/// torch.save's stream of before 1.6.
inline std::string torch_legacy(const std::string& value,
                                const std::vector<std::pair<std::string, std::string>>& storages) {
  std::string keys = "](";
  std::string data;
  for (const auto& [key, bytes] : storages) {
    keys += text(key);
    data += le64(bytes.size() / sizeof(float)) + bytes;
  }
  return pickled("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19") + pickled(number(1001)) +
         pickled(dict({{"little_endian", kTrue}})) + pickled(value) + pickled(keys + "e") + data;
}

/// A safetensors file with one float32 vector for each name.
inline std::string safetensors(const std::vector<std::pair<std::string, std::vector<float>>>& all) {
  std::string header = "{";
  std::string data;
  for (const auto& [name, values] : all) {
    if (header.size() > 1) header += ",";
    header += "\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[" + std::to_string(values.size()) +
              "],\"data_offsets\":[" + std::to_string(data.size()) + ",";
    data += floats(values);
    header += std::to_string(data.size()) + "]}";
  }
  header += "}";
  return le64(header.size()) + header + data;
}

}  // namespace samebits::test_files
