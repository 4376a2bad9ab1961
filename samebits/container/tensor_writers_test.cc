#include "samebits/container/tensor_writers.h"

#include <gmock/gmock.h>

#include "samebits/container/safetensors.h"
#include "samebits/container/zip.h"
#include "samebits/container/zip_writer.h"

namespace samebits {
namespace {

Blob blob_of_bytes(std::vector<std::uint8_t> bytes) {
  return {bytes.size(), [bytes](const ByteSink& sink) { return sink(bytes); }};
}

class Sink {
 public:
  ByteSink sink() {
    return [this](Bytes more) -> Result<void> {
      bytes.insert(bytes.end(), more.begin(), more.end());
      return {};
    };
  }
  std::vector<std::uint8_t> bytes;
};

TensorsToWrite some_tensors() {
  return {.tensors = {{"flag", DType::boolean, {1}, 0},
                      {"w", DType::float32, {2}, 1},
                      {"tied", DType::float32, {2}, 1}},
          .blobs = {blob_of_bytes({1}), blob_of_bytes({0, 0, 128, 63, 0, 0, 0, 64})}};
}

TEST(StreamSafetensors, LargeElementsStandFirstAndTiesInTheMetadata) {
  Sink out;
  ASSERT_TRUE(stream_safetensors(some_tensors(), {{"format", "pt"}}, out.sink()));
  const auto read = SafetensorsFile::open(out.bytes, "x");
  ASSERT_TRUE(read) << to_string(read.error());
  ASSERT_EQ(read->entries.size(), 2U);
  EXPECT_EQ(read->entries[0].name, "tied");
  EXPECT_EQ(read->entries[0].begin % 64, 0U);
  EXPECT_EQ(read->entries[1].name, "flag");
  EXPECT_THAT(read->metadata, testing::UnorderedElementsAre(testing::Pair("format", "pt"),
                                                            testing::Pair("w", "tied")));
}

TEST(StreamTorchArchive, RecordsBeginAtMultiplesOf64AndTiesAreOneStorage) {
  Sink out;
  ASSERT_TRUE(stream_torch_archive(some_tensors(), "", out.sink()));
  const auto zip = ZipArchive::open(out.bytes, "x");
  ASSERT_TRUE(zip) << to_string(zip.error());
  std::size_t storages = 0;
  for (const ZipEntry& record : zip->entries()) {
    EXPECT_EQ(record.data_offset % 64, 0U) << record.name;
    storages += record.name.starts_with("archive/data/") ? 1 : 0;
  }
  EXPECT_EQ(storages, 2U);
}

TEST(StreamNpz, HasOneArrayForEachName) {
  Sink out;
  ASSERT_TRUE(stream_npz(some_tensors(), out.sink()));
  const auto zip = ZipArchive::open(out.bytes, "x");
  ASSERT_TRUE(zip) << to_string(zip.error());
  EXPECT_EQ(zip->entries().size(), 3U);
}

TEST(StreamNpz, ATensorWithoutElementsHasTheChecksumOfItsHeader) {
  const TensorsToWrite empty{.tensors = {{"e", DType::float32, {0, 3}, 0}},
                             .blobs = {{0, [](const ByteSink& sink) { return sink({}); }}}};
  Sink out;
  ASSERT_TRUE(stream_npz(empty, out.sink()));
  const auto zip = ZipArchive::open(out.bytes, "x");
  ASSERT_TRUE(zip);
  EXPECT_EQ(zip->actual_crc32(zip->entries()[0]), zip->entries()[0].crc32);
}

TEST(TensorWriters, ANameTwiceIsAnError) {
  TensorsToWrite twice = some_tensors();
  twice.tensors[1].name = "flag";
  Sink out;
  for (const Result<void>& written :
       {stream_safetensors(twice, {}, out.sink()), stream_torch_archive(twice, "", out.sink()),
        stream_npz(twice, out.sink())}) {
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, ErrorCode::inconsistent);
  }
}

TEST(TensorWriters, AnErrorOfTheSinkEndsThem) {
  const ByteSink full = [](Bytes) -> Result<void> {
    return fail({.code = ErrorCode::io, .what = "cannot write"});
  };
  EXPECT_EQ(stream_safetensors(some_tensors(), {}, full).error().code, ErrorCode::io);
  EXPECT_EQ(stream_torch_archive(some_tensors(), "model", full).error().code, ErrorCode::io);
  EXPECT_EQ(stream_npz(some_tensors(), full).error().code, ErrorCode::io);
}

// Five gigabytes without a byte in memory: only headers are kept.
TEST(ZipWriterTest, LargeRecordsAndOffsetsHaveZip64Fields) {
  constexpr std::uint64_t kLarge = 5'000'000'000;
  const std::vector<std::uint8_t> block(1 << 20);
  std::vector<std::uint8_t> headers;
  std::uint64_t at = 0;
  const ByteSink sink = [&](Bytes bytes) -> Result<void> {
    if (bytes.size() < block.size()) headers.insert(headers.end(), bytes.begin(), bytes.end());
    at += bytes.size();
    return {};
  };
  const Blob zeros{kLarge, [&](const ByteSink& to) -> Result<void> {
                     for (std::uint64_t left = kLarge; left > 0;) {
                       const std::uint64_t size = std::min<std::uint64_t>(left, block.size());
                       SAMEBITS_TRY_VOID(to(Bytes(block).first(size)));
                       left -= size;
                     }
                     return {};
                   }};
  ZipWriter zip(sink);
  ASSERT_TRUE(zip.add("large", zeros, 64));
  ASSERT_TRUE(zip.add("behind", std::string("x"), 64));
  ASSERT_TRUE(zip.finish());
  const std::string text(headers.begin(), headers.end());
  EXPECT_GT(at, kLarge);
  EXPECT_NE(text.find("PK\6\6"), std::string::npos);
  EXPECT_NE(text.find("PK\6\7"), std::string::npos);
  std::string size;
  for (int i = 0; i < 8; ++i) size += static_cast<char>(kLarge >> (8 * i) & 0xff);
  EXPECT_NE(text.find(size + size), std::string::npos);
}

}  // namespace
}  // namespace samebits
