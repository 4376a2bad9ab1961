#include "samebits/train/data_set.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "samebits/checkpoint/open.h"
#include "samebits/image/decode.h"
#include "samebits/tensor/digest.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

std::string digest_of(Bytes bytes) {
  const Digest128 digest = fast_digest(bytes);
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

std::string digest_of(const TensorView& view) {
  const Digest128 digest = fast_digest(view);
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

const StoredTensor* find_tensor(const Checkpoint& file, const std::string& name) {
  for (const StoredTensor& tensor : file.entries) {
    if (tensor.path == name && tensor.readable) return &tensor;
  }
  return nullptr;
}

Error no_tensor(const std::string& path, const std::string& name, const std::string& expected) {
  return {.code = ErrorCode::usage,
          .what = "the data has no tensor called " + name,
          .file = path,
          .expected = expected};
}

std::string described(const StoredTensor& tensor) {
  return fmt::format("{} {}", info(tensor.view.dtype()).torch, shape_text(tensor.view.shape()));
}

bool is_picture(const fs::path& path) {
  std::string end = path.extension().string();
  for (char& c : end) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return end == ".jpg" || end == ".jpeg" || end == ".png";
}

/// Names in a directory for which `wanted`, in the order of their bytes.
template <class Wanted>
Result<std::vector<std::string>> names_in(const fs::path& path, Wanted wanted) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(path, error), end; !error && at != end; at.increment(error)) {
    if (wanted(*at)) names.push_back(at->path().filename().string());
  }
  if (error) return fail({.code = ErrorCode::io, .what = error.message(), .file = path.string()});
  std::ranges::sort(names);
  return names;
}

Result<std::vector<std::string>> pictures_in(const fs::path& path) {
  return names_in(path, [](const fs::directory_entry& entry) {
    std::error_code error;
    return entry.is_regular_file(error) && is_picture(entry.path());
  });
}

}  // namespace

Result<DataSet> DataSet::open(const std::string& path, const DataNeeds& needs) {
  DataSet data;
  data.image_size_ = needs.channels * needs.height * needs.width;
  data.height_ = needs.height;
  data.width_ = needs.width;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    SAMEBITS_TRY_VOID(data.open_pictures(path, needs));
  } else {
    SAMEBITS_TRY_VOID(data.open_tensors(path, needs));
  }
  SAMEBITS_TRY_VOID(data.check_labels(path, needs));
  return data;
}

Result<void> DataSet::open_tensors(const std::string& path, const DataNeeds& needs) {
  SAMEBITS_TRY(Checkpoint opened, open_checkpoint(path));
  file_ = std::make_shared<const Checkpoint>(std::move(opened));
  const std::string wanted =
      fmt::format("float32 [samples, {}, {}, {}]", needs.channels, needs.height, needs.width);
  const StoredTensor* images = find_tensor(*file_, "images");
  if (images == nullptr) return fail(no_tensor(path, "images", wanted));
  const Shape& shape = images->view.shape();
  const bool fits = images->view.dtype() == DType::float32 && shape.size() == 4 && shape[0] > 0 &&
                    shape[1] == static_cast<std::int64_t>(needs.channels) &&
                    shape[2] == static_cast<std::int64_t>(needs.height) &&
                    shape[3] == static_cast<std::int64_t>(needs.width);
  if (!fits) {
    return fail({.code = ErrorCode::inconsistent,
                 .what = "the images have another shape than the model takes",
                 .file = path,
                 .expected = wanted,
                 .found = described(*images)});
  }
  images_ = images->view;
  size_ = static_cast<std::size_t>(shape[0]);
  std::string digests = digest_of(images_);
  const StoredTensor* labels = find_tensor(*file_, "labels");
  if (needs.classes == 0 || labels == nullptr) {
    digest_ = digest_of(bytes_of(digests));
    return {};
  }
  if (labels->view.dtype() != DType::int64 || labels->view.shape() != Shape{shape[0]}) {
    return fail({.code = ErrorCode::inconsistent,
                 .what = "the labels are none of these images",
                 .file = path,
                 .expected = fmt::format("int64 [{}]", size_),
                 .found = described(*labels)});
  }
  std::vector<std::uint8_t> buffer;
  const Bytes bytes = labels->view.row_major_bytes(buffer);
  labels_.resize(size_);
  std::memcpy(labels_.data(), bytes.data(), bytes.size());
  digests += digest_of(labels->view);
  digest_ = digest_of(bytes_of(digests));
  return {};
}

Result<void> DataSet::open_pictures(const std::string& path, const DataNeeds& needs) {
  if (needs.preprocessing.is_null()) {
    return fail({.code = ErrorCode::usage,
                 .what = "pictures need the model's preprocessor_config.json, which it has not",
                 .file = path,
                 .hint = "Put it beside the model's config.json"});
  }
  SAMEBITS_TRY(processor_, image_processor(needs.preprocessing, "preprocessor_config.json"));
  SAMEBITS_TRY(
      const std::vector<std::string> classes, names_in(path, [](const fs::directory_entry& entry) {
        std::error_code error;
        return entry.is_directory(error) && !entry.path().filename().string().starts_with('.');
      }));
  const bool labelled = !classes.empty();
  std::string digests;
  const auto add = [&](const fs::path& folder, const std::string& below) -> Result<void> {
    SAMEBITS_TRY(const std::vector<std::string> names, pictures_in(folder));
    for (const std::string& name : names) {
      pictures_.push_back((folder / name).string());
      SAMEBITS_TRY(const auto file, MappedFile::open(pictures_.back()));
      digests += below + name + '\0' + digest_of(file->bytes());
    }
    return {};
  };
  if (!labelled) SAMEBITS_TRY_VOID(add(path, ""));
  for (std::size_t i = 0; i < classes.size(); ++i) {
    SAMEBITS_TRY_VOID(add(fs::path(path) / classes[i], classes[i] + "/"));
    if (needs.classes > 0) labels_.resize(pictures_.size(), static_cast<std::int64_t>(i));
  }
  size_ = pictures_.size();
  digest_ = digest_of(bytes_of(digests));
  if (size_ > 0) return {};
  return fail(
      {.code = ErrorCode::usage,
       .what = "the folder has no pictures",
       .file = path,
       .expected = "JPEG or PNG files, in one folder for each class where there are labels"});
}

Result<void> DataSet::check_labels(const std::string& path, const DataNeeds& needs) const {
  if (needs.classes == 0) return {};
  if (labels_.empty()) {
    return fail({.code = ErrorCode::usage,
                 .what = "a classifier learns from labels, and the data has none",
                 .file = path,
                 .expected = "the tensor labels, int64 [samples], or one folder for each class"});
  }
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    if (labels_[i] >= 0 && static_cast<std::uint64_t>(labels_[i]) < needs.classes) continue;
    return fail({.code = ErrorCode::inconsistent,
                 .what = fmt::format("the label of sample {} is none of the model's classes", i),
                 .file = path,
                 .expected = fmt::format("0 to {}", needs.classes - 1),
                 .found = std::to_string(labels_[i])});
  }
  return {};
}

Result<void> DataSet::read(std::size_t sample, float* out) const {
  if (pictures_.empty()) {
    std::vector<std::uint8_t> buffer;
    const Bytes bytes = images_.row_major_range(sample * image_size_, image_size_, buffer);
    std::memcpy(out, bytes.data(), bytes.size());
    return {};
  }
  const std::string& path = pictures_[sample];
  SAMEBITS_TRY(const auto file, MappedFile::open(path));
  SAMEBITS_TRY(RgbImage image, decode_image(file->bytes(), path));
  SAMEBITS_TRY(const PixelValues pixels, process_image(processor_, std::move(image)));
  if (pixels.height != height_ || pixels.width != width_) {
    return fail({.code = ErrorCode::inconsistent,
                 .what = "the picture has another size after preprocessing than the model takes",
                 .file = path,
                 .expected = fmt::format("{} x {}", height_, width_),
                 .found = fmt::format("{} x {}", pixels.height, pixels.width)});
  }
  std::ranges::copy(pixels.values, out);
  return {};
}

}  // namespace samebits
