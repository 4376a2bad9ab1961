// What resume says of files that are written opcode by opcode: each rule at its bounds.
#include "samebits/explain/resume.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstring>

#include "samebits/checkpoint/test_files.h"
#include "samebits/rng/cpu_generator.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace test_files;  // NOLINT: the vocabulary of these tests

std::string py_real(double value) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &value, 8);
  return "G" + std::string(bytes.rbegin(), bytes.rend());
}
std::string py_list(const std::vector<std::string>& items) {
  std::string bytes = "](";
  for (const std::string& item : items) bytes += item;
  return bytes + "e";
}
/// A dict with integers as keys.
std::string numbered_dict(const std::vector<std::pair<int, std::string>>& items) {
  std::string bytes = "}(";
  for (const auto& [key, value] : items) bytes += number(static_cast<std::uint32_t>(key)) + value;
  return bytes + "u";
}
std::string byte_tensor(const std::string& key, std::uint32_t numel) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage(key, numel, "ByteStorage"), number(0), tuple({number(numel)}),
               tuple({number(1)}), kFalse, call(global("collections", "OrderedDict"), {})});
}
std::string python_state(std::uint32_t position) {
  std::vector<std::string> words(624, number(7));
  words.push_back(number(position));
  return tuple({number(3), tuple(words), kNothing});
}
std::string numpy_state(std::uint32_t position) {
  return tuple({text("MT19937"), kNothing, number(position), number(0), py_real(0)});
}

/// What a test changes of a file with everything.
struct TrainingParts {
  std::vector<std::pair<int, int>> steps = {{0, 30}, {1, 30}};  // key and step of each state
  std::vector<int> listed = {0, 1};
  std::string moments_0 = "2", moments_1 = "3";  // storages: 1 is zero
  double lr = 0.5, last_lr = 0.5;
  std::uint32_t last_epoch = 30, global_step = 30, draws = 5;
  std::string settings = dict({{"lr", py_real(1)}});
  std::vector<std::string> without;  // keys of the top
  std::string model = dict({{"w", tensor("0", 2)}, {"b", tensor("4", 3)}});
};

/// A module whose parameters w and b are trained or frozen.
std::string module_of(const std::string& trains_w, const std::string& trains_b) {
  const auto parameter = [](const std::string& data, const std::string& trains) {
    return call(global("torch._utils", "_rebuild_parameter"),
                {data, trains, call(global("collections", "OrderedDict"), {})});
  };
  return object(global("my.net", "Net"),
                dict({{"training", kTrue},
                      {"_parameters", dict({{"w", parameter(tensor("0", 2), trains_w)},
                                            {"b", parameter(tensor("4", 3), trains_b)}})},
                      {"_modules", dict({})}}));
}

std::string optimizer_dict(const TrainingParts& parts) {
  std::vector<std::pair<int, std::string>> states;
  for (const auto& [key, step] : parts.steps) {
    const std::uint32_t size = key == 1 ? 3 : 2;
    const std::string& moments = key == 1 ? parts.moments_1 : parts.moments_0;
    states.emplace_back(key, dict({{"step", number(static_cast<std::uint32_t>(step))},
                                   {"exp_avg", tensor(moments, size)}}));
  }
  std::vector<std::string> listed;
  for (const int key : parts.listed) listed.push_back(number(static_cast<std::uint32_t>(key)));
  const std::string group = dict({{"lr", py_real(parts.lr)},
                                  {"initial_lr", py_real(1)},
                                  {"betas", tuple({py_real(0.9), py_real(0.99)})},
                                  {"params", py_list(listed)}});
  return dict({{"state", numbered_dict(states)}, {"param_groups", py_list({group})}});
}

std::string training_dict(const TrainingParts& parts) {
  std::vector<std::pair<std::string, std::string>> items = {
      {"model", parts.model},
      {"optimizer", optimizer_dict(parts)},
      {"scheduler", dict({{"last_epoch", number(parts.last_epoch)},
                          {"_last_lr", py_list({py_real(parts.last_lr)})}})},
      {"epoch", number(3)},
      {"global_step", number(parts.global_step)},
      {"sampler", dict({{"position", number(120)}})},
      {"rng", dict({{"torch", byte_tensor("5", 5056)},
                    {"numpy", numpy_state(3)},
                    {"python", python_state(3)}})},
      {"args", parts.settings}};
  std::erase_if(items, [&](const auto& item) {
    return std::ranges::find(parts.without, item.first) != parts.without.end();
  });
  return dict(items);
}

std::string training_file(const TrainingParts& parts) {
  CpuGenerator generator(9);
  for (std::uint32_t i = 0; i < parts.draws; ++i) generator.random();
  const std::vector<std::uint8_t> state = generator.state();
  return torch_zip(training_dict(parts), {{"0", floats({1, 2})},
                                          {"1", floats({0, 0})},
                                          {"2", floats({3, 4})},
                                          {"3", floats({0, 5, 6})},
                                          {"4", floats({7, 8, 9})},
                                          {"6", floats({0, 0, 0})},
                                          {"5", std::string(state.begin(), state.end())}});
}

Report resumed(const TrainingParts& parts) {
  const Folder folder;
  return resume({folder.write("x.pt", training_file(parts)), ""}, std::nullopt, 1);
}

std::vector<std::string> missing_pieces(const Report& report) {
  std::vector<std::string> pieces;
  for (const Finding& finding : report.findings) {
    if (finding.cause != "resume.missing" || finding.role != Role::risk) continue;
    for (const Json& piece : finding.evidence["missing"]) pieces.push_back(piece);
  }
  return pieces;
}

const ResumePart& resume_part(const Report& report, const std::string& name) {
  const auto found = std::ranges::find_if(
      report.resume, [&](const ResumePart& part) { return part.part == name; });
  SAMEBITS_CHECK(found != report.resume.end());
  return *found;
}

TEST(Resume, IsCleanWhereNothingIsMissing) {
  const Report report = resumed({});
  EXPECT_EQ(report.verdict, Verdict::clean);
  EXPECT_THAT(missing_pieces(report), IsEmpty());
  EXPECT_EQ(resume_part(report, "optimizer moments").state, "present");
  EXPECT_EQ(resume_part(report, "rng.torch").detail, "advanced, seed 9");
  EXPECT_EQ(resume_part(report, "rng.numpy").detail, "advanced, position 3 of 624");
  EXPECT_EQ(resume_part(report, "sampler position").place, "sampler");
}

TEST(Resume, NamesEachKeyThatIsNotThere) {
  const std::pair<std::string, std::vector<std::string>> cases[] = {
      {"model", {"weights"}},
      {"optimizer", {"optimizer moments"}},
      {"scheduler", {"scheduler"}},
      {"sampler", {"sampler position"}},
      {"rng", {"rng.torch", "rng.numpy", "rng.python"}},
      {"args", {}}};
  for (const auto& [key, pieces] : cases)
    EXPECT_EQ(missing_pieces(resumed({.without = {key}})), pieces) << key;
  EXPECT_THAT(missing_pieces(resumed({.without = {"epoch", "global_step"}})), ElementsAre("step"));
}

TEST(Resume, TellsAFreshOptimizerByItsZeros) {
  const Report zero = resumed({.moments_0 = "1", .moments_1 = "6"});
  EXPECT_THAT(missing_pieces(zero), ElementsAre("optimizer moments"));
  EXPECT_EQ(resume_part(zero, "optimizer moments").state, "fresh");
  // One parameter whose gradients are zero has zeros, and is trained.
  EXPECT_THAT(missing_pieces(resumed({.moments_0 = "1"})), IsEmpty());
  EXPECT_THAT(missing_pieces(resumed({.steps = {{0, 0}, {1, 0}}})),
              ElementsAre("optimizer moments"));
  EXPECT_THAT(missing_pieces(resumed({.steps = {}})), ElementsAre("optimizer moments"));
}

TEST(Resume, HoldsTheOptimizersStepsAgainstTheLoops) {
  const auto at = [](int step) {
    return missing_pieces(resumed({.steps = {{0, step}, {1, step}}, .last_epoch = 3}));
  };
  EXPECT_THAT(at(29), IsEmpty());
  EXPECT_THAT(at(31), IsEmpty());
  EXPECT_THAT(at(15), IsEmpty()) << "two batches a step";
  EXPECT_THAT(at(28), ElementsAre("optimizer moments"));
  EXPECT_THAT(at(32), ElementsAre("optimizer moments"));
  EXPECT_THAT(missing_pieces(resumed({.steps = {{0, 30}, {1, 7}}})),
              ElementsAre("optimizer moments"));
}

TEST(Resume, FindsParametersWithoutStateAndOutOfPlace) {
  EXPECT_THAT(missing_pieces(resumed({.steps = {{0, 30}}})), ElementsAre("optimizer moments"));
  const Report swapped = resumed({.listed = {1, 0}});
  ASSERT_FALSE(missing_pieces(swapped).empty());
  EXPECT_THAT(swapped.findings[0].summary, HasSubstr("in no order that torch writes"));
  const Report strange = resumed({.steps = {{0, 30}, {1, 30}, {2, 30}}, .listed = {0, 1, 2}});
  EXPECT_THAT(missing_pieces(strange), ElementsAre("optimizer moments"));
  EXPECT_THAT(strange.findings[0].summary, HasSubstr("shapes that no weight has"));
}

TEST(Resume, WantsNoMomentsOfFrozenParameters) {
  const auto with = [](const std::string& trains_w, const std::string& trains_b) {
    return resumed({.steps = {{0, 30}}, .model = module_of(trains_w, trains_b)});
  };
  const Report frozen = with(kTrue, kFalse);
  EXPECT_THAT(missing_pieces(frozen), IsEmpty());
  EXPECT_THAT(resume_part(frozen, "optimizer moments").detail, HasSubstr("1 frozen"));
  EXPECT_THAT(missing_pieces(with(kTrue, kTrue)), ElementsAre("optimizer moments"));
  // A copy that is frozen throughout, as averages are, tells nothing of what was trained.
  EXPECT_THAT(missing_pieces(with(kFalse, kFalse)), ElementsAre("optimizer moments"));
}

TEST(Resume, HoldsTheScheduleAgainstOptimizerAndCounts) {
  EXPECT_THAT(missing_pieces(resumed({.last_lr = 0.25})), ElementsAre("scheduler"));
  for (const std::uint32_t fits : {2u, 3u, 4u, 29u, 31u})
    EXPECT_THAT(missing_pieces(resumed({.last_epoch = fits})), IsEmpty()) << fits;
  for (const std::uint32_t odd : {0u, 1u, 5u, 10u, 28u, 60u})
    EXPECT_THAT(missing_pieces(resumed({.last_epoch = odd})), ElementsAre("scheduler")) << odd;
}

TEST(Resume, ReadsWhetherTorchsGeneratorWasDrawnFrom) {
  EXPECT_THAT(missing_pieces(resumed({.draws = 1})), IsEmpty());
  const Report seeded = resumed({.draws = 0});
  EXPECT_THAT(missing_pieces(seeded), ElementsAre("rng.torch"));
  EXPECT_EQ(resume_part(seeded, "rng.torch").detail, "as manual_seed(9) leaves it");
}

TEST(Resume, WantsAScalerAndAnAverageOnlyWhereTheyWereUsed) {
  EXPECT_THAT(missing_pieces(resumed({.settings = dict({{"fp16", kTrue}})})),
              ElementsAre("scaler"));
  EXPECT_THAT(missing_pieces(resumed({.settings = dict({{"fp16", kFalse}})})), IsEmpty());
  EXPECT_THAT(missing_pieces(resumed({.settings = dict({{"amp", kTrue}, {"bf16", kTrue}})})),
              IsEmpty());
  EXPECT_THAT(missing_pieces(resumed({.settings = dict({{"model_ema", kTrue}})})),
              ElementsAre("ema"));
  EXPECT_THAT(missing_pieces(resumed({.settings = dict({{"ema_decay", py_real(0)}})})), IsEmpty());
}

TEST(Resume, SaysOfWeightsAloneThatTheyAreAlone) {
  const Folder folder;
  const Report report =
      resume({folder.write("w.safetensors", safetensors({{"w", {1, 2}}})), ""}, std::nullopt, 1);
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_THAT(report.findings[0].summary, HasSubstr("weights alone"));
  EXPECT_EQ(report.findings[0].evidence["missing"].size(), 7u);
  EXPECT_EQ(report.findings[0].evidence["present"], Json::array({"weights"}));
}

TEST(Resume, IsUnknownWhereAPartCannotBeRead) {
  const Folder folder;
  folder.write("model.safetensors", safetensors({{"w", {1, 2}}}));
  folder.write("optimizer.pt", "PK\3\4 broken");
  folder.write("trainer_state.json", R"({"global_step": 4, "epoch": 1.0})");
  const Report report = resume({folder.path(), ""}, std::nullopt, 1);
  EXPECT_EQ(report.verdict, Verdict::unknown);
  EXPECT_EQ(resume_part(report, "optimizer moments").state, "not read");
  EXPECT_THAT(missing_pieces(report), IsEmpty());
}

Report resumed_pair(const TrainingParts& a, const TrainingParts& b) {
  const Folder folder;
  return resume({folder.write("a.pt", training_file(a)), ""},
                SubjectOptions{folder.write("b.pt", training_file(b)), ""}, 1);
}

TEST(ResumePair, MayGoOn) {
  const TrainingParts later = {.steps = {{0, 40}, {1, 40}},
                               .moments_0 = "4",
                               .lr = 0.25,
                               .last_lr = 0.25,
                               .last_epoch = 40,
                               .global_step = 40};
  const Report report = resumed_pair({}, later);  // the weights are the same bits
  std::vector<std::string> summaries;
  for (const Finding& finding : report.findings) summaries.push_back(finding.summary);
  EXPECT_THAT(summaries, testing::Contains(HasSubstr("not one bit of the weights changed")));
}

TEST(ResumePair, OfOneStepIsTheSame) {
  const Report report = resumed_pair({}, {});
  EXPECT_EQ(report.verdict, Verdict::clean);
  EXPECT_THAT(report.findings[0].summary, HasSubstr("every bit of their weights is equal"));
  EXPECT_EQ(report.resume.size(), 16u);
  EXPECT_EQ(report.resume.back().subject, "B");
}

TEST(ResumePair, NamesWhatContradicts) {
  const auto causes = [](const Report& report) {
    std::vector<std::string> names;
    for (const Finding& finding : report.findings)
      if (finding.role != Role::note) names.push_back(finding.cause);
    return names;
  };
  // B alone is in doubt, too: its optimizer and its loop count differently.
  EXPECT_THAT(causes(resumed_pair({}, {.global_step = 20})),
              testing::UnorderedElementsAre("resume.missing", "file.mixup"));
  EXPECT_THAT(causes(resumed_pair({}, {.settings = dict({{"lr", py_real(2)}})})),
              ElementsAre("config.changed"));
  EXPECT_THAT(
      causes(resumed_pair({}, {.settings = dict({{"lr", py_real(1)}, {"log_dir", text("x")}})})),
      IsEmpty());
  const TrainingParts fresh = {.steps = {{0, 10}, {1, 10}}, .global_step = 40};
  EXPECT_THAT(causes(resumed_pair({}, fresh)), testing::Contains("resume.missing"));
}

}  // namespace
}  // namespace samebits
