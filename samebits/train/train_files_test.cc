// What a training keeps beside its weights: options, directories, metrics, the order of samples.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

#include "samebits/base/test_folder.h"
#include "samebits/train/metrics_file.h"
#include "samebits/train/run_folder.h"
#include "samebits/train/sample_order.h"
#include "samebits/train/train_options.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

TEST(TrainOptions, AreReadAsTheyWereWritten) {
  TrainOptions options;
  options.data = "d";
  options.steps = 12;
  options.adamw.beta2 = 0.95;
  options.schedule = Schedule::Kind::cosine;
  options.decay_all = false;
  options.keep = 3;
  options.torch_tails = true;
  options.layer_decay = 0.75;
  const Result<TrainOptions> read = options_from_json(options_json(options), "f");
  ASSERT_TRUE(read);
  EXPECT_EQ(options_json(*read), options_json(options));
}

TEST(TrainOptions, OfAnotherFormAreAnError) {
  const Json whole = options_json({});
  for (const auto& [name, value] : whole.items()) {
    Json absent = whole;
    absent.erase(name);
    EXPECT_EQ(options_from_json(absent, "f").error().code, ErrorCode::malformed) << name;
    Json other = whole;
    other[name] = Json::array();
    EXPECT_FALSE(options_from_json(other, "f")) << name;
  }
  for (const auto& [name, value] :
       std::initializer_list<std::pair<const char*, Json>>{{"batch", 0U},
                                                           {"batch", std::uint64_t{1} << 63},
                                                           {"accumulate", std::uint64_t{1} << 63},
                                                           {"leaf", 0U},
                                                           {"steps", std::uint64_t{1} << 63},
                                                           {"mask_ratio", -0.5},
                                                           {"mask_ratio", 1.5},
                                                           {"schedule", "step"}}) {
    Json odd = whole;
    odd[name] = value;
    EXPECT_FALSE(options_from_json(odd, "f")) << name;
  }
  EXPECT_FALSE(options_from_json(Json(), "f"));
}

TEST(TrainOptions, TheUsualLeafIsAQuarterOfTheBatch) {
  const std::pair<std::size_t, std::size_t> leaves[] = {{1, 1},  {4, 1},  {7, 1},  {8, 2},
                                                        {15, 2}, {16, 4}, {999, 4}};
  for (const auto& [batch, leaf] : leaves) EXPECT_EQ(TrainOptions::usual_leaf(batch), leaf);
}

Result<void> write_file(const std::string& directory) {
  std::ofstream(directory + "/f") << "x";
  return {};
}

TEST(RunFolder, KeepsTheNewestAndRemovesWhatWasLeft) {
  const test_files::Folder folder;
  const std::string path = folder.path() + "/run";
  fs::create_directories(path + "/.samebits.12.tmp");
  fs::create_directories(path + "/.removed.step-4");
  fs::create_directories(path + "/step-04");
  const Result<RunFolder> run = RunFolder::open(path + "/");
  ASSERT_TRUE(run);
  EXPECT_FALSE(fs::exists(path + "/.samebits.12.tmp"));
  EXPECT_FALSE(fs::exists(path + "/.removed.step-4"));
  for (const std::uint64_t step : {9U, 10U, 100U}) ASSERT_TRUE(run->save(step, 2, write_file));
  EXPECT_THAT(*run->steps(), testing::ElementsAre(10, 100));
  EXPECT_TRUE(fs::exists(run->step_path(100) + "/f"));
  EXPECT_EQ(RunFolder::open(path).error().code, ErrorCode::usage);  // it is locked
}

TEST(RunFolder, ACheckpointThatFailsLeavesNothing) {
  const test_files::Folder folder;
  const Result<RunFolder> run = RunFolder::open(folder.path());
  ASSERT_TRUE(run);
  const auto fails = [](const std::string& directory) -> Result<void> {
    (void)write_file(directory);
    return fail({.code = ErrorCode::io, .what = "full"});
  };
  EXPECT_FALSE(run->save(1, 0, fails));
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

std::string text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(MetricsFile, ForgetsStepsThatAreDoneAgain) {
  const test_files::Folder folder;
  const std::string path = folder.path() + "/metrics.csv";
  {
    Result<MetricsFile> file = MetricsFile::open(path, 0, true);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->add_loss(0, 0, 0.5F));
    ASSERT_TRUE(file->add_validation(0, 0, 1));
    ASSERT_TRUE(file->add_loss(1, 1, 0.1F));
  }
  std::ofstream(path, std::ios::app) << "1,2,0.2";  // a row that a kill cut
  ASSERT_TRUE(MetricsFile::open(path, 1, true));
  EXPECT_EQ(text_of_file(path), "epoch,step,train_loss,val_loss\r\n0,0,0.5,\r\n0,0,,1.0\r\n");
}

TEST(MetricsFile, NumbersAreThoseOfPython) {
  const std::pair<double, const char*> numbers[] = {
      {1, "1.0"},        {0.25, "0.25"},       {1e-5, "1e-05"},
      {1e16, "1e+16"},   {123456, "123456.0"}, {0.0001, "0.0001"},
      {-2, "-2.0"},      {0, "0.0"},           {1e15, "1000000000000000.0"},
      {INFINITY, "inf"}, {1.5e300, "1.5e+300"}};
  for (const auto& [value, text] : numbers) EXPECT_EQ(python_number(value), text);
}

TEST(SampleOrder, GoesOnFromAnyPosition) {
  SampleOrder order(3, 7);
  for (int epoch = 0; epoch < 3; ++epoch) {
    std::vector<bool> seen(7);
    while (order.left() > 0) {
      SampleOrder other(99, 7);
      ASSERT_TRUE(other.resume(order.epoch_state(), order.epoch(), order.position()));
      EXPECT_EQ(other.take(1)[0], order.take(1)[0]);
      EXPECT_EQ(other.epoch(), order.epoch());
    }
    order.next_epoch();
  }
  EXPECT_FALSE(order.resume(order.epoch_state(), 0, 8));
  EXPECT_FALSE(order.resume({}, 0, 0));
}

}  // namespace
}  // namespace samebits
