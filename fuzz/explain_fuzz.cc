// Any two files of weights explained, with a config that makes small vision transformers of them:
// run where they can be run, and never the same where an output differs.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "fuzz/two_files.h"
#include "samebits/explain/explain.h"

namespace {

// That of the seeds, tools/make_fuzz_corpus.py.
const samebits::Json& config() {
  static const samebits::Json config = {
      {"model_type", "vit"},      {"architectures", {"ViTForImageClassification"}},
      {"hidden_size", 4},         {"num_hidden_layers", 1},
      {"num_attention_heads", 2}, {"intermediate_size", 4},
      {"hidden_act", "gelu"},     {"layer_norm_eps", 1e-12},
      {"image_size", 4},          {"patch_size", 2},
      {"num_channels", 1},        {"qkv_bias", true}};
  return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace samebits;
  const fuzz::TwoFiles cut = fuzz::cut({data, size});
  const fuzz::MemoryFile a(cut.a), b(cut.b);
  int searches = 3;  // a budget that is no clock, so that every run does the same
  const Report report =
      explain({{a.path(), ""}, {b.path(), ""}}, {.config = config(),
                                                 .config_path = "config.json",
                                                 .more = [&searches] { return searches-- > 0; }});
  fuzz::check_report(report);
  const bool identical = std::ranges::all_of(
      report.outputs, [](const OutputPair& o) { return o.verdict == "identical"; });
  if (report.verdict == Verdict::same)
    fuzz::require(identical && report.subjects[0].checkpoint && report.subjects[1].checkpoint);
  return 0;
}
