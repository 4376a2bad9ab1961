#include "samebits/checkpoint/weights_only.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "samebits/checkpoint/test_files.h"
#include "samebits/checkpoint/weights_only_names.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using namespace test_files;  // NOLINT: the vocabulary of these tests

WeightsOnlyReading reading(const std::string& value) {
  return read_as_weights_only(zip_builder::bytes_of(pickled(value)));
}

TEST(WeightsOnly, TakesTensorsAndPlainValues) {
  const std::string value = dict({{"w", tensor("0", 2)}, {"n", number(3)}, {"t", kTrue}});
  EXPECT_FALSE(reading(value).refused());
  EXPECT_EQ(reading(value).end, pickled(value).size());
}

TEST(WeightsOnly, GoesOnBehindARefusedName) {
  const auto found =
      reading(tuple({object(global("argparse", "Namespace"), dict({})),
                     call(global("my.net", "make"), {}), global("argparse", "Namespace")}));
  EXPECT_THAT(found.globals, ElementsAre("argparse.Namespace", "my.net.make"));
  EXPECT_THAT(found.obstacles, IsEmpty());
}

TEST(WeightsOnly, SpellsNamesOfPython2AsTorchDoes) {
  EXPECT_FALSE(reading(call(global("__builtin__", "set"), {"]"})).refused());
  EXPECT_THAT(reading(global("__builtin__", "long")).globals, ElementsAre("builtins.int"));
  EXPECT_THAT(reading(global("copy_reg", "_reconstructor")).globals,
              ElementsAre("copyreg._reconstructor"));
}

TEST(WeightsOnly, SomeModulesAreNeverAllowed) {
  const auto found = reading(call(global("posix", "system"), {text("x")}));
  EXPECT_THAT(found.globals, IsEmpty());
  EXPECT_THAT(found.obstacles, ElementsAre("posix.system, whose module is never allowed"));
}

TEST(WeightsOnly, ATypeOfNumpyMakesAClassOfItsOwn) {
  const std::string dtype =
      call(global("numpy", "dtype"), {text("f8"), kFalse, kTrue}) + tuple({}) + "b";
  EXPECT_THAT(reading(dtype).globals, ElementsAre("numpy.dtype", "numpy.dtypes.Float64DType"));
}

TEST(WeightsOnly, FillsDictsAndListsAlone) {
  const std::string map = call(global("collections", "defaultdict"), {}) + text("k") + "Ns";
  EXPECT_THAT(reading(map).obstacles,
              ElementsAre("SETITEM on an object of collections.defaultdict"));
  EXPECT_FALSE(
      reading(call(global("collections", "OrderedDict"), {}) + text("k") + "Ns").refused());
  EXPECT_THAT(reading("}Na").obstacles, ElementsAre("APPEND on a dict"));
}

TEST(WeightsOnly, BuildsNoPlainValue) {
  EXPECT_THAT(reading("]}b").obstacles, ElementsAre("a state for a list"));
}

TEST(WeightsOnly, StopsAtAnInstructionOfAnotherProtocol) {
  const auto found = reading("\x8c\x01x");
  EXPECT_TRUE(found.stopped);
  EXPECT_THAT(found.obstacles,
              ElementsAre("the pickle instruction 140, which that unpickler does not have"));
}

TEST(WeightsOnly, TakesNoIdButAStorages) {
  EXPECT_THAT(reading(tuple({text("module"), number(1)}) + "Q").obstacles,
              ElementsAre("a persistent id that is no storage"));
  EXPECT_FALSE(reading(storage("0", 1)).refused());
}

TEST(WeightsOnly, EveryCutEnds) {
  const std::string whole = pickled(dict({{"w", tensor("0", 2)}, {"n", number(3)}}));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_TRUE(read_as_weights_only(zip_builder::bytes_of(whole.substr(0, size))).broken);
}

TEST(WeightsOnly, EveryByteInAnyPlaceEnds) {
  const std::string whole = pickled(dict({{"w", tensor("0", 1)}}));
  for (std::size_t place = 0; place < whole.size(); ++place) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = whole;
      changed[place] = static_cast<char>(byte);
      EXPECT_LE(read_as_weights_only(zip_builder::bytes_of(changed)).end, whole.size());
    }
  }
}

TEST(WeightsOnly, NamesAreSorted) {
  EXPECT_TRUE(std::is_sorted(kWeightsOnlyNames.begin(), kWeightsOnlyNames.end()));
}

}  // namespace
}  // namespace samebits
