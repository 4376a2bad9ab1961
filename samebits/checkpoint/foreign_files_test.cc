#include "samebits/checkpoint/foreign_files.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/directory_kinds.h"
#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using namespace test_files;  // NOLINT: the vocabulary of these tests
using namespace std::literals;

std::string foreign_error_of(const std::string& bytes) {
  const Folder folder;
  const auto opened = open_checkpoint(folder.write("file", bytes));
  if (!opened) return to_string(opened.error());
  return opened->unread.empty() ? "" : to_string(opened->unread[0]);
}

struct ForeignSample {
  std::string bytes;
  const char* what;
};

TEST(ForeignFiles, AreNamedForWhatTheyAre) {
  const std::string rest(100, '\x07');
  const std::string uneven = rest + "\xff\xfe";
  const ForeignSample samples[] = {
      {"\x89HDF\r\n\x1a\n" + uneven, "an HDF5 file"},
      {"ftrt" + uneven, "a TensorRT engine"},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "a Git LFS pointer"},
      {"<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code></Error>", "(AccessDenied)"},
      {"\xef\xbb\xbf<?xml version='1.0'?><Error><Code>BlobNotFound</Code></Error>",
       "(BlobNotFound)"},
      {"\n <!DOCTYPE html><html><title>Log in</title>", "with the title Log in"},
      {"<?xml version=\"1.0\"?>\n<net name=\"a\" version=\"11\">", "an OpenVINO model"},
      {"{\"error\": \"gated\"}", "perhaps the error of a server"},
      {"{\"weight_map\": {}}", "the JSON index of a sharded model"},
      {"Entry not found", "begins with \"Entry not found\""},
      {std::string(5000, '\0'), "nothing but zeros (5000 bytes)"},
      {"\x81\xa6params\x80" + uneven, "a msgpack file"},
      {"\x82\xa4step\x03\xa6params\x80" + uneven, "a msgpack file"},  // EXT1 to a pickle machine
      {"\x08\x04\x12\x03\x0a\x01x\xa2\x1f\x02\x0a\x00"s, "a Core ML model"},
      {"\x08\x01\x12\x02\x0a\x00"s, "a TensorFlow SavedModel"},
      {rest + "\x57\xfb\x80\x8b\x24\x75\x47\xdb", "the index of a TensorFlow checkpoint"},
      {"model_checkpoint_path: \"m\"\n", "TensorFlow's list of checkpoints"},
      {std::string(12, '\x05') + "\x09" + std::string(8, '\x05') + "\x1a\x0d" + "brain.Event:2",
       "TensorFlow's event log"},
      {"\x78\x5e" + uneven, "a zlib stream"},
      {"\x5d\0\0\x80\0"s + uneven, "an LZMA file"},
      {"\x28\xb5\x2f\xfd" + uneven, "a zstd file"},
      {"\x1f\x8b\x08" + uneven, "a gzip file"},
  };
  for (const ForeignSample& sample : samples)
    EXPECT_THAT(foreign_error_of(sample.bytes), HasSubstr(sample.what));
}

TEST(ForeignFiles, TextsThatAreCutAndCodesWithoutAnEndAreNamedToo) {
  EXPECT_THAT(foreign_error_of("<?xml?><Error><Code>" + std::string(10'000, 'x')),
              HasSubstr("error page"));
  EXPECT_THAT(foreign_error_of("<html><title>" + std::string(10'000, 'x')),
              HasSubstr("a web page"));
  EXPECT_THAT(foreign_error_of("<?xml?><Error><Code>a\x1b[2Jb</Code></Error>"),
              testing::Not(HasSubstr("\x1b")));
}

TEST(ForeignFiles, LongTextsAndManyFieldsAreReadInLinearTime) {
  std::string fields;
  for (int i = 0; i < 2'000'000; ++i) fields += "\x0a\x00"s;
  EXPECT_THAT(foreign_error_of(fields), HasSubstr("not a checkpoint that samebits knows"));
  EXPECT_THAT(foreign_error_of("a" + std::string(4'000'000, '\n')),
              HasSubstr("text, which begins"));
}

TEST(ForeignFiles, AJoblibFileIsNamedBesideWhatItsPickleNames) {
  const std::string wrapper = global("joblib.numpy_pickle", "NumpyArrayWrapper") + ")\x81";
  const std::string error = foreign_error_of("\x80\x04" + wrapper + "\x93NUMPY");
  EXPECT_THAT(error, HasSubstr("this is a joblib file"));
  EXPECT_THAT(error, HasSubstr("numpy.savez"));
}

std::string zip_with(const std::vector<std::pair<std::string, std::string>>& files) {
  std::vector<zip_builder::Record> records;
  for (const auto& [name, data] : files) records.push_back(zip_builder::stored(name, data));
  return zip_builder::archive(records).whole();
}

TEST(ForeignFiles, ArchivesAreNamedByTheirMembers) {
  EXPECT_THAT(foreign_error_of(zip_with({{"a-1.dist-info/WHEEL", "x"}})),
              HasSubstr("a Python wheel"));
  EXPECT_THAT(foreign_error_of(zip_with({{"m/archive_format", "pt2"}})),
              HasSubstr("a torch.export archive"));
  EXPECT_THAT(
      foreign_error_of(zip_with({{"1.png", "\x89PNG\r\n\x1a\n"}, {"2.png", "\x89PNG\r\n\x1a\n"}})),
      HasSubstr("a zip archive of other files: 1.png, 2.png"));
  EXPECT_THAT(
      foreign_error_of(zip_with({{"model/model.safetensors", safetensors({{"w", {1, 2}}})}})),
      HasSubstr("a zip archive of other files: model/model.safetensors"));
  EXPECT_THAT(foreign_error_of(
                  zip_with({{"a/model.pth", torch_zip(tensor("0", 1), {{"0", floats({1})}})}})),
              HasSubstr("a zip archive of other files: a/model.pth"));
}

TEST(ForeignFiles, APickleInAnArchiveIsListedWhateverItLooksLike) {
  const Folder folder;
  const auto opened = open_checkpoint(
      folder.write("m.zip", zip_with({{"notes.txt", "cos\nsystem\n(S'true'\ntR."}})));
  ASSERT_TRUE(opened);
  ASSERT_EQ(opened->calls.size(), 1U);
  EXPECT_EQ(opened->calls[0].global, "os.system");
}

std::string distributed_error(const Folder& folder, const std::string& name) {
  const auto opened = open_checkpoint(folder.path(name));
  return opened ? "" : to_string(opened.error());
}

TEST(DirectoryKinds, DistributedCheckpointsAreNamed) {
  const Folder folder;
  folder.write("dcp/.metadata", "x");
  folder.write("dcp/__0_0.distcp", "x");
  folder.write("dcp/meta.pt", "x");
  folder.write("lost/__0_0.distcp", "x");
  folder.write("fsdp/optimizer_0/.metadata", "x");
  folder.write("fsdp/pytorch_model_fsdp_0/.metadata", "x");
  EXPECT_THAT(distributed_error(folder, "dcp"), HasSubstr("dcp/.metadata: byte 0"));
  EXPECT_THAT(distributed_error(folder, "lost"), HasSubstr("one shard without the .metadata"));
  EXPECT_THAT(distributed_error(folder, "fsdp"),
              HasSubstr("pytorch_model_fsdp_0/.metadata: byte 0"));
}

TEST(DirectoryKinds, DeepSpeedsFilesAreReadAndNamedWhereTheyCannotBe) {
  const Folder folder;
  folder.write("ds/latest", "global_step2");
  folder.write("ds/global_step2/mp_rank_00_model_states.pt", "x");
  folder.write("ds/global_step2/zero_pp_rank_0_mp_rank_00_optim_states.pt", "x");
  folder.write("z3/global_step2/zero_pp_rank_0_mp_rank_00_model_states.pt", "x");
  folder.write("z3/global_step2/zero_pp_rank_0_mp_rank_00_optim_states.pt", "x");
  EXPECT_THAT(distributed_error(folder, "ds"),
              HasSubstr("global_step2/mp_rank_00_model_states.pt: this is text"));
  EXPECT_THAT(distributed_error(folder, "z3"), HasSubstr("z3"));
  EXPECT_THAT(distributed_error(folder, "z3/global_step2"),
              HasSubstr("zero_pp_rank_0_mp_rank_00_model_states.pt: this is text"));
}

TEST(DirectoryKinds, NumbersWhoseDescriptionLiesBesideThem) {
  const Folder folder;
  const std::string numbers = "\xff\xfe\x01\x02\x03";
  folder.write("m.ckpt.index", "x");
  folder.write("m.onnx", "x");
  folder.write("ov.xml", "x");
  for (const auto& [name, what] :
       {std::pair("m.ckpt.data-00000-of-00001", "TensorFlow"), std::pair("m.onnx.data", "ONNX"),
        std::pair("ov.bin", "OpenVINO")}) {
    const auto opened = open_checkpoint(folder.write(name, numbers));
    ASSERT_FALSE(opened);
    EXPECT_THAT(opened.error().hint, HasSubstr(what));
  }
  EXPECT_EQ(hint_beside(folder.path("other.bin")), "");
}

}  // namespace
}  // namespace samebits
