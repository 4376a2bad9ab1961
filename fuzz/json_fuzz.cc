// Any bytes as JSON: what is read can be written, and reads back as the same value.
#include <cstddef>
#include <cstdint>

#include "samebits/base/json.h"
#include "samebits/base/json_events.h"

namespace {

/// Takes everything.
class Ignoring final : public samebits::JsonHandler {
 public:
  using Done = samebits::Result<void>;
  Done null() override { return {}; }
  Done boolean(bool) override { return {}; }
  Done unsigned_integer(std::uint64_t) override { return {}; }
  Done signed_integer(std::int64_t) override { return {}; }
  Done real(double) override { return {}; }
  Done text(std::string&) override { return {}; }
  Done begin_object() override { return {}; }
  Done begin_array() override { return {}; }
  Done key(std::string&, std::uint64_t) override { return {}; }
  Done end_object() override { return {}; }
  Done end_array() override { return {}; }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace samebits;
  Ignoring handler;
  // As the headers of safetensors files are read.
  (void)scan_json(Bytes(data, size), "fuzz", 0, {.depth = 127}, handler);
  const Result<Json> value = parse_json(Bytes(data, size), "fuzz");
  if (!value) {
    SAMEBITS_CHECK(to_string(value.error()).find("json.exception") == std::string::npos);
    return 0;
  }
  SAMEBITS_CHECK(short_json(*value).size() <= 60);
  const std::string text = json_text(*value);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const Result<Json> again = parse_json(Bytes(bytes, text.size()), "fuzz");
  SAMEBITS_CHECK(again && *again == *value);
  return 0;
}
