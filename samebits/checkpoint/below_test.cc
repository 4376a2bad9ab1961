#include "samebits/checkpoint/below.h"

#include <gmock/gmock.h>

#include "samebits/checkpoint/open.h"
#include "samebits/checkpoint/test_files.h"

namespace samebits {
namespace {

using test_files::Folder;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string below_hint(const std::string& directory) {
  const auto opened = open_checkpoint(directory);
  return opened ? "" : opened.error().hint;
}

TEST(Below, TheLastStepIsMeantFirst) {
  const Folder folder;
  for (const char* step : {"checkpoint-9", "checkpoint-10", "checkpoint-2"})
    folder.write(std::string("run/") + step + "/model.safetensors", "x");
  EXPECT_THAT(weights_below(folder.path("run")),
              ElementsAre(folder.path("run/checkpoint-10"), folder.path("run/checkpoint-9"),
                          folder.path("run/checkpoint-2")));
  EXPECT_THAT(below_hint(folder.path("run")),
              HasSubstr("Name " + folder.path("run/checkpoint-10")));
}

TEST(Below, TheCachesMainRevisionIsMeantFirst) {
  const Folder folder;
  folder.write("models--x--y/refs/main", "abc\n");
  folder.write("models--x--y/snapshots/zzz/model.safetensors", "x");
  folder.write("models--x--y/snapshots/abc/model.safetensors", "x");
  const std::string cache = folder.path("models--x--y");
  EXPECT_THAT(below_hint(cache), HasSubstr("Name " + cache + "/snapshots/abc (others: "));
}

TEST(Below, TheFolderOfSnapshotsKnowsTheMainRevisionToo) {
  const Folder folder;
  folder.write("models--x--y/refs/main", "zzz");
  folder.write("models--x--y/snapshots/zzz/model.safetensors", "x");
  folder.write("models--x--y/snapshots/abc/model.safetensors", "x");
  const std::string snapshots = folder.path("models--x--y/snapshots");
  EXPECT_THAT(weights_below(snapshots), ElementsAre(snapshots + "/zzz", snapshots + "/abc"));
}

TEST(Below, ARevisionThatLeadsElsewhereIsNotFollowed) {
  const Folder folder;
  folder.write("secret/model.safetensors", "x");
  folder.write("cache/refs/main", "../../secret");
  folder.write("cache/snapshots/abc/model.safetensors", "x");
  EXPECT_THAT(weights_below(folder.path("cache")), ElementsAre(folder.path("cache/snapshots/abc")));
}

TEST(Below, LinksToDirectoriesAreNotFollowed) {
  const Folder folder;
  folder.write("run/step-1/model.safetensors", "x");
  std::filesystem::create_directory_symlink(folder.path("run"), folder.path("run/again"));
  EXPECT_THAT(weights_below(folder.path("run")), ElementsAre(folder.path("run/step-1")));
}

TEST(Below, DeepAndWideDirectoriesEndTheSearch) {
  const Folder folder;
  folder.write("deep/a/b/c/d/e/f/model.safetensors", "x");
  EXPECT_THAT(weights_below(folder.path("deep")), IsEmpty());
  for (int i = 0; i < 6000; ++i) folder.write("wide/" + std::to_string(i) + ".txt", "");
  folder.write("wide/z/model.safetensors", "x");
  EXPECT_LE(weights_below(folder.path("wide")).size(), 1U);
}

TEST(Below, FilesOfWeightsAreNamedWhereNoDirectoryIsAModel) {
  const Folder folder;
  folder.write("runs/1/last.ckpt", "x");
  folder.write("runs/1/best.ckpt", "x");
  folder.write("runs/1/optimizer.pt", "x");
  EXPECT_THAT(weights_below(folder.path("runs")), SizeIs(2));
  EXPECT_EQ(hint_below(folder.path("nowhere")), "");
}

}  // namespace
}  // namespace samebits
