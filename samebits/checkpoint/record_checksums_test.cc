// Checksums of zip records: that hold, that do not, and that are not there.
#include "samebits/checkpoint/record_checksums.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using namespace test_files;  // NOLINT: the vocabulary of these tests

struct Stored {
  std::string name, data;
  bool checksum = true;
};

std::string zip_of(const std::vector<Stored>& records) {
  std::vector<zip_builder::Record> made;
  for (const Stored& each : records) {
    made.push_back(zip_builder::stored(each.name, each.data));
    if (!each.checksum) made.back().local.crc = made.back().central.crc = 0;
  }
  return zip_builder::archive(made).whole();
}

class RecordChecksums : public testing::Test {
 protected:
  /// A state dict of two tensors, w and v.
  Checkpoint open(const Stored& w, const Stored& v, bool others = true, bool deep = false) {
    const std::string value = pickled(dict({{"w", tensor("0", 2)}, {"v", tensor("1", 2)}}));
    const std::string bytes = zip_of({{"archive/data.pkl", value, others},
                                      {"archive/version", "3\n", others},
                                      {"archive/data/0", w.data, w.checksum},
                                      {"archive/data/1", v.data, v.checksum}});
    return std::move(*open_checkpoint(folder_.write("file.pth", bytes), {.deep = deep}));
  }
  std::vector<std::string> oddities(const Checkpoint& checkpoint) {
    std::vector<std::string> all;
    for (const Oddity& each : checkpoint.oddities) all.push_back(each.summary);
    return all;
  }
  const std::string values_ = floats({1, 2}), zeros_ = floats({0, 0});
  Folder folder_;
};

TEST_F(RecordChecksums, ARecordThatIsWholeHasNoFault) {
  const Checkpoint checkpoint = open({"", values_}, {"", zeros_});
  EXPECT_THAT(faults_of_records(checkpoint, {0, 1}, RecordCheck::checksums, 1), IsEmpty());
}

TEST_F(RecordChecksums, ADamagedRecordIsNamedWithBothChecksums) {
  std::string bytes = zip_of(
      {{"archive/data.pkl", pickled(dict({{"w", tensor("0", 2)}}))}, {"archive/data/0", values_}});
  bytes[bytes.find(values_) + 1] ^= 4;
  const auto checkpoint = open_checkpoint(folder_.write("file.pth", bytes), {});
  const auto faults = faults_of_records(*checkpoint, {0}, RecordCheck::checksums, 1);
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].record, "archive/data/0");
  EXPECT_EQ(faults[0].stored, zip_builder::crc_of(values_));
  EXPECT_NE(faults[0].computed, faults[0].stored);
  EXPECT_FALSE(faults[0].unwritten);
  EXPECT_THAT(faults[0].entries, ElementsAre(0U));
  EXPECT_THAT(faults_of_records(*checkpoint, {}, RecordCheck::checksums, 1), IsEmpty());
}

TEST_F(RecordChecksums, ZerosWithoutAChecksumWereNeverWritten) {
  const Checkpoint checkpoint = open({"", zeros_, false}, {"", values_});
  const auto faults = faults_of_records(checkpoint, {0, 1}, RecordCheck::zeros, 1);
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_TRUE(faults[0].unwritten);
  EXPECT_THAT(faults[0].entries, ElementsAre(0U));
  EXPECT_THAT(oddities(checkpoint), ElementsAre(HasSubstr("data/0 were never written")));
  EXPECT_FALSE(lacks_checksums(checkpoint));
}

TEST_F(RecordChecksums, ZerosBesideValuesThatWereFilledInMayBeValues) {
  const Checkpoint checkpoint = open({"", zeros_, false}, {"", values_, false});
  EXPECT_THAT(faults_of_records(checkpoint, {0, 1}, RecordCheck::zeros, 1), IsEmpty());
  ASSERT_EQ(checkpoint.oddities.size(), 1U);
  EXPECT_EQ(checkpoint.oddities[0].kind, Oddity::Kind::skipped);
  EXPECT_THAT(oddities(checkpoint), ElementsAre(HasSubstr("2 of 2 storages have no checksum")));
}

TEST_F(RecordChecksums, AnArchiveWithoutChecksumsIsNotDamaged) {
  const Checkpoint checkpoint = open({"", zeros_, false}, {"", values_, false}, false, true);
  EXPECT_THAT(faults_of_records(checkpoint, {0, 1}, RecordCheck::checksums, 1), IsEmpty());
  EXPECT_THAT(oddities(checkpoint), ElementsAre(HasSubstr("written without checksums")));
  EXPECT_TRUE(lacks_checksums(checkpoint));
}

TEST_F(RecordChecksums, AnArchiveOfZerosWithoutChecksumsHoldsNoValues) {
  const Checkpoint checkpoint = open({"", zeros_, false}, {"", zeros_, false}, false);
  EXPECT_EQ(faults_of_records(checkpoint, {0, 1}, RecordCheck::zeros, 1).size(), 2U);
}

TEST_F(RecordChecksums, DeepReadingNamesWhatWasNeverWritten) {
  const Checkpoint checkpoint = open({"", zeros_, false}, {"", values_}, true, true);
  EXPECT_THAT(oddities(checkpoint), Contains(HasSubstr("archive/data/0 were never written")));
  EXPECT_THAT(oddities(checkpoint), Not(Contains(HasSubstr("does not hold"))));
}

}  // namespace
}  // namespace samebits
