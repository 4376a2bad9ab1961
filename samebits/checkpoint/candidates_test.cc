#include "samebits/checkpoint/candidates.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace test_files;  // NOLINT: the vocabulary of these tests

const std::string kDictOfTensors = dict({{"w", tensor("0", 1)}, {"b", tensor("0", 1)}});
const std::string kAdam =
    dict({{"state", dict({{"0", dict({{"exp_avg", tensor("0", 1)}})}})}, {"param_groups", "]"}});

std::string net() {
  return object(global("my.net", "Net"), dict({{"training", kFalse},
                                               {"_parameters", dict({{"w", tensor("0", 1)}})},
                                               {"_modules", dict({})}}));
}

std::string generator_state() {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              {storage("0", 4, "ByteStorage"), number(0), tuple({number(4)}), tuple({number(1)}),
               kFalse, call(global("collections", "OrderedDict"), {})});
}

class Candidates : public testing::Test {
 protected:
  Checkpoint open(const std::string& value) {
    auto checkpoint =
        open_checkpoint(folder_.write("file.pth", torch_zip(value, {{"0", floats({1})}})));
    EXPECT_TRUE(checkpoint);
    return *std::move(checkpoint);
  }
  /// The keys in the order of preference.
  std::vector<std::string> keys(const std::string& value) {
    std::vector<std::string> found;
    for (const Candidate& candidate : open(value).candidates) found.push_back(candidate.key);
    return found;
  }
  /// The paths of the tensors that are taken.
  std::vector<std::string> taken(const std::string& value) {
    const Checkpoint checkpoint = open(value);
    std::vector<std::string> found;
    if (!checkpoint.has_weights()) return found;
    for (const std::uint32_t index : checkpoint.weights().weights)
      found.push_back(checkpoint.entries[index].path);
    return found;
  }
  Folder folder_;
};

TEST_F(Candidates, OneUnnamedDictBesideTrainingIsTheModel) {
  for (const char* sign : {"epoch", "step", "iteration", "global_step", "best_optimizer", "rng"}) {
    EXPECT_THAT(keys(dict({{"encoder", kDictOfTensors}, {sign, number(3)}})),
                ElementsAre("encoder"))
        << sign;
  }
  EXPECT_THAT(keys(dict({{"encoder", kDictOfTensors}, {"adam", kAdam}})), ElementsAre("encoder"));
}

TEST_F(Candidates, OneUnnamedDictAloneIsPartOfTheWhole) {
  EXPECT_THAT(keys(dict({{"encoder", kDictOfTensors}})), ElementsAre(""));
  EXPECT_THAT(taken(dict({{"encoder", kDictOfTensors}})), ElementsAre("encoder.w", "encoder.b"));
  EXPECT_THAT(keys(dict({{"encoder", kDictOfTensors}, {"name", text("x")}})), ElementsAre(""));
}

TEST_F(Candidates, SeveralUnnamedDictsAreAChoiceBehindTheWhole) {
  const std::string two = dict({{"encoder", kDictOfTensors}, {"head", kDictOfTensors}});
  EXPECT_THAT(keys(two), ElementsAre("", "encoder", "head"));
  EXPECT_THAT(
      keys(dict({{"encoder", kDictOfTensors}, {"head", kDictOfTensors}, {"epoch", number(1)}})),
      ElementsAre("", "encoder", "head"));
}

TEST_F(Candidates, AUsualNameComesBeforeOthersAndBeforeTheWhole) {
  EXPECT_THAT(keys(dict({{"encoder", kDictOfTensors}, {"ema", kDictOfTensors}})),
              ElementsAre("ema", "encoder"));
  EXPECT_THAT(
      keys(dict(
          {{"ema", kDictOfTensors}, {"model", kDictOfTensors}, {"state_dict", kDictOfTensors}})),
      ElementsAre("state_dict", "model", "ema"));
  EXPECT_THAT(keys(dict({{"model", kDictOfTensors}, {"scale", tensor("0", 1)}})),
              ElementsAre("model"));
}

TEST_F(Candidates, TensorsAtTheTopAreAStateDict) {
  EXPECT_THAT(keys(dict({{"w", tensor("0", 1)}, {"head", kDictOfTensors}})), ElementsAre(""));
  EXPECT_THAT(keys(dict({{"w", tensor("0", 1)}, {"epoch", number(1)}})), ElementsAre(""));
  // A generator's state is no weight.
  EXPECT_THAT(keys(dict({{"rng_state", generator_state()}, {"head", kDictOfTensors}})),
              ElementsAre("head"));
  EXPECT_THAT(keys(dict({{"rng_proj", tensor("0", 1)}, {"head", kDictOfTensors}})),
              ElementsAre(""));
}

TEST_F(Candidates, AnOptimizerIsNone) {
  EXPECT_THAT(keys(kAdam), IsEmpty());
  EXPECT_THAT(keys(dict({{"adam", kAdam}})), IsEmpty());
  EXPECT_THAT(keys(dict({{"state", kDictOfTensors}, {"epoch", number(1)}})), ElementsAre("state"));
  EXPECT_THAT(keys(dict({{"rng_states", kDictOfTensors}})), IsEmpty());
}

TEST_F(Candidates, AModuleIsTakenFromWhereItStands) {
  EXPECT_THAT(keys(net()), ElementsAre(""));
  EXPECT_THAT(keys(dict({{"net_of_mine", net()}})), ElementsAre("net_of_mine"));
  EXPECT_THAT(keys(dict({{"one", net()}, {"two", kDictOfTensors}})), ElementsAre("one", "two"));
}

TEST_F(Candidates, AUsualNameOneLevelDownIsSeen) {
  EXPECT_THAT(
      keys(dict({{"model", dict({{"state_dict", kDictOfTensors}, {"hparams", dict({})}})}})),
      ElementsAre("model.state_dict"));
  EXPECT_THAT(keys(dict({{"best", dict({{"mine", net()}})}})), ElementsAre("best.mine"));
  EXPECT_THAT(keys(dict({{"model", dict({{"inner", kDictOfTensors}})}})), ElementsAre("model"));
}

TEST_F(Candidates, OfASequenceTheModelIsTakenOrAll) {
  EXPECT_THAT(keys(tuple({kDictOfTensors, kAdam})), ElementsAre("0"));
  EXPECT_THAT(keys(tuple({number(3), net()})), ElementsAre("1"));
  EXPECT_THAT(keys(tuple({kDictOfTensors, kDictOfTensors})), ElementsAre("0", "1"));
  EXPECT_THAT(keys(tuple({tensor("0", 1), tensor("0", 1)})), ElementsAre(""));
  EXPECT_THAT(keys(tuple({number(3)})), IsEmpty());
}

TEST_F(Candidates, ADeepTensorIsFoundToALimit) {
  std::string five = tensor("0", 1);
  for (int i = 0; i < 5; ++i) five = dict({{"x", five}});
  EXPECT_THAT(keys(dict({{"deep", five}})), ElementsAre(""));
}

TEST(Names, OfGeneratorsAreKnown) {
  for (const char* key : {"rng", "RNG", "rng_state", "cuda_rng_state", "torch_random_state",
                          "rng_cpu", "numpy_rng", "random_rng_state", "generator_state"})
    EXPECT_TRUE(is_rng_key(key)) << key;
  for (const char* key :
       {"ring", "state", "string_", "generator", "generator_state_dict", "orange"})
    EXPECT_FALSE(is_rng_key(key)) << key;
}

TEST(Names, OfAveragesAreKnown) {
  for (const char* key : {"ema", "EMA", "ema_model", "model_ema", "model_ema_state",
                          "shadow_params", "averaged", "swa_model", "teacher", "callbacks.ema"})
    EXPECT_TRUE(is_average_key(key)) << key;
  for (const char* key : {"model", "cinema", "schema", "teachers", "ema.model", "emax", "swap"})
    EXPECT_FALSE(is_average_key(key)) << key;
}

}  // namespace
}  // namespace samebits
