#include "samebits/explain/native_runner.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/test_files.h"
#include "samebits/explain/search.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

/// The example's directory with the last bit of every number of its weights changed.
std::string write_other_example(const test_files::Folder& folder, const std::string& original) {
  const auto read = [&](const std::string& name) {
    std::ifstream file(original + "/" + name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  folder.write("config.json", read("config.json"));
  std::string weights = read("model.safetensors");
  std::uint64_t header = 0;
  std::memcpy(&header, weights.data(), sizeof header);
  for (std::size_t at = 8 + header; at < weights.size(); at += 4)
    weights[at] = static_cast<char>(weights[at] ^ 1);
  folder.write("model.safetensors", weights);
  return folder.path();
}

// What a run shares with one before it is not computed again, whatever is exchanged.
TEST(NativeRunner, ARunThatStartsBehindWhatItSharesHasTheSameBits) {
  const test_files::Folder folder;
  const std::string example = std::string(SAMEBITS_SOURCE_DIR) + "/examples/vit-mae-tiny/hf";
  Report report;
  report.command = "explain";
  open_subjects(report, {{.path = example}, {.path = write_other_example(folder, example)}}, {});
  const InputRequest input = {.randn = {2, 3, 32, 32}};
  auto runner = NativeRunner::open(report, input, 2);
  auto without = NativeRunner::open(report, input, 2);  // never runs a subject as it is
  ASSERT_TRUE(runner) << to_string(runner.error());
  ASSERT_TRUE(without);
  const std::vector<Factor> factors = runner->differing(0, 1);
  ASSERT_GT(factors.size(), 60U);
  ASSERT_TRUE(runner->run({.subject = 0, .donor = 0}));
  ASSERT_TRUE(runner->run({.subject = 1, .donor = 0}));
  for (std::size_t i = 1; i < factors.size(); i += 3) {
    std::set<Factor> one = {factors[i]};
    std::set<Factor> rest(factors.begin(), factors.end());
    rest.erase(factors[i]);
    const std::set<Factor> front(factors.begin(), factors.begin() + static_cast<std::ptrdiff_t>(i));
    for (const std::set<Factor>& exchanged : {one, rest, front}) {
      const RunSpec spec = {.subject = 1, .donor = 0, .exchanged = exchanged};
      const auto outputs = runner->run(spec);
      const auto wanted = without->run(spec);
      ASSERT_TRUE(outputs);
      ASSERT_TRUE(wanted);
      EXPECT_TRUE(identical(*outputs, *wanted)) << factors[i].name;
    }
  }
}

}  // namespace
}  // namespace samebits
