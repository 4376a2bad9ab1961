// Source: the image processors of transformers 4.57.6 and 5.24.0 (ViT, DeiT, Bit, CLIP), slow, fast
// and as feature extractors: what their constructors assume and what save_pretrained writes.
#include <array>
#include <optional>

#include "samebits/base/float_mode.h"
#include "samebits/compare/config.h"
#include "samebits/compare/field_map.h"
#include "samebits/family/word_list.h"

namespace samebits {
namespace {

struct PreprocessingField {
  std::string_view name;
  FieldEffect effect;
  std::string_view why;
  std::string_view gate;  // the field that turns this one on; "" where nothing does
};

constexpr FieldEffect kMovesOutputs = FieldEffect::outputs;
constexpr FieldEffect kNoEffect = FieldEffect::nothing;
constexpr std::string_view kLayout = "says how the input is laid out, or the output";

constexpr auto kFields = std::to_array<PreprocessingField>({
    {"do_resize", kMovesOutputs, "images are resized or not", ""},
    {"size", kMovesOutputs, "images are resized to another size", "do_resize"},
    {"resample", kMovesOutputs, "another interpolation", "do_resize"},
    {"do_center_crop", kMovesOutputs, "images are cropped or not", ""},
    {"crop_size", kMovesOutputs, "images are cropped to another size", "do_center_crop"},
    {"crop_pct", kMovesOutputs, "images are resized to another size before the crop", "do_resize"},
    {"do_rescale", kMovesOutputs, "pixels are scaled to 0 ... 1 or not", ""},
    {"rescale_factor", kMovesOutputs, "pixels are scaled by another factor", "do_rescale"},
    {"offset", kMovesOutputs, "pixels are shifted or not", "do_rescale"},
    {"do_normalize", kMovesOutputs, "pixels are normalized or not", ""},
    {"image_mean", kMovesOutputs, "another mean is subtracted", "do_normalize"},
    {"image_std", kMovesOutputs, "pixels are divided by another deviation", "do_normalize"},
    {"do_convert_rgb", kMovesOutputs, "images that are not RGB are converted or not", ""},
    {"do_flip_channel_order", kMovesOutputs, "the order of channels is reversed or not", ""},
    {"do_pad", kMovesOutputs, "images are padded or not", ""},
    {"pad_size", kMovesOutputs, "images are padded to another size", "do_pad"},
    {"data_format", kMovesOutputs, kLayout, ""},
    {"input_data_format", kMovesOutputs, kLayout, ""},
    {"device", FieldEffect::numerics, "another device rounds otherwise", ""},
    {"do_reduce_labels", FieldEffect::training, "changes labels, not images", ""},
    {"default_to_square", kNoEffect, "says how to read a size, and both sizes are read", ""},
    {"disable_grouping", kNoEffect, "chooses how images are batched", ""},
    {"return_tensors", kNoEffect, "the container of the same values", ""},
    {"image_seq_length", kNoEffect, "read by text processors only", ""},
    {"processor_class", kNoEffect, "bookkeeping of the library", ""},
    {"valid_processor_keys", kNoEffect, "names arguments that a call may have", ""},
    {"_valid_processor_keys", kNoEffect, "names arguments that a call may have", ""},
    {"auto_map", FieldEffect::unknown, "code beside the weights would run", ""},
});

/// What an absent field means. A row for a class stands before the row for all of them.
struct PreprocessingDefault {
  std::string_view processors;  // "" for every class
  std::string_view name;
  std::string_view fallback;  // JSON
};

constexpr std::string_view kSquare = R"({"height": 224, "width": 224})";
constexpr std::string_view kHalf = "[0.5, 0.5, 0.5]";
constexpr std::string_view kClipMean = "[0.48145466, 0.4578275, 0.40821073]";
constexpr std::string_view kClipStd = "[0.26862954, 0.26130258, 0.27577711]";

constexpr auto kDefaults = std::to_array<PreprocessingDefault>({
    {"ViT DeiT Bit CLIP", "do_resize", "true"},
    {"ViT DeiT Bit CLIP", "do_rescale", "true"},
    {"ViT DeiT Bit CLIP", "do_normalize", "true"},
    {"ViT", "size", kSquare},
    {"ViT", "resample", "2"},
    {"ViT DeiT", "image_mean", kHalf},
    {"ViT DeiT", "image_std", kHalf},
    {"DeiT", "size", R"({"height": 256, "width": 256})"},
    {"DeiT Bit CLIP", "resample", "3"},
    {"DeiT Bit CLIP", "do_center_crop", "true"},
    {"DeiT Bit CLIP", "crop_size", kSquare},
    {"Bit CLIP", "size", R"({"shortest_edge": 224})"},
    {"Bit CLIP", "image_mean", kClipMean},
    {"Bit CLIP", "image_std", kClipStd},
    {"Bit CLIP", "do_convert_rgb", "true"},
    {"", "rescale_factor", "0.00392156862745098"},
    {"", "data_format", "\"channels_first\""},
    {"", "device", "\"cpu\""},
    {"", "do_center_crop", "false"},
    {"", "do_convert_rgb", "false"},
    {"", "do_flip_channel_order", "false"},
    {"", "do_pad", "false"},
});

// PIL's numbers: the index is the number.
constexpr auto kResampling = std::to_array<std::string_view>(
    {"nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"});

bool remove_suffix(std::string& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.resize(text.size() - suffix.size());
  return true;
}

struct ProcessorClass {
  std::string name;     // as it stands in the file
  std::string family;   // "ViT"; "" where the file names no class
  std::string backend;  // "fast", "pil"; "" for the plain name
};

ProcessorClass processor_class(const Json& json) {
  const FieldMap fields = fields_of(json);
  ProcessorClass result{.name = text_of(fields, "image_processor_type")};
  if (result.name.empty()) result.name = text_of(fields, "feature_extractor_type");
  result.family = result.name;
  if (remove_suffix(result.family, "Fast")) result.backend = "fast";
  if (remove_suffix(result.family, "Pil")) result.backend = "pil";
  if (!remove_suffix(result.family, "ImageProcessor"))
    remove_suffix(result.family, "FeatureExtractor");
  return result;
}

bool is_known(const std::string& family) { return lists_word(kDefaults[0].processors, family); }

const PreprocessingDefault* default_of(std::string_view name, const std::string& family) {
  for (const PreprocessingDefault& row : kDefaults) {
    if (row.name == name && (row.processors.empty() || lists_word(row.processors, family)))
      return &row;
  }
  return nullptr;
}

/// 224, [224, 224] and {"height": 224, "width": 224} are one size; where a class does not square
/// its sizes, 224 is the shortest edge.
void unify_size(FieldMap& fields, std::string_view name, bool squares) {
  const auto found = fields.find(name);
  if (found == fields.end()) return;
  Json& value = found->second.value;
  Json first = value.is_number() ? value : Json();
  Json second = first;
  if (value.is_array() && value.size() == 2) {
    first = value[0];
    second = value[1];
  } else if (!value.is_number()) {
    return;
  }
  const bool one_edge = value.is_number() && !squares;
  value = one_edge ? Json{{"shortest_edge", std::move(first)}}
                   : Json{{"height", std::move(first)}, {"width", std::move(second)}};
}

/// One number for all channels is that number for each of three.
void unify_channels(FieldMap& fields, std::string_view name) {
  const auto found = fields.find(name);
  if (found == fields.end() || !found->second.value.is_number()) return;
  const Json channel = found->second.value;
  found->second.value = Json::array({channel, channel, channel});
}

/// "PILImageResampling.BICUBIC" and "bicubic" are 3.
void unify_resample(FieldMap& fields) {
  std::string name = text_of(fields, "resample");
  name.erase(0, name.rfind('.') + 1);  // npos + 1 is 0
  for (char& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  for (std::size_t number = 0; number < kResampling.size(); ++number) {
    if (name == kResampling[number]) fields.find("resample")->second.value = number;
  }
}

/// null switches a step off where the class would do it, and means nothing elsewhere.
void read_null_switches(FieldMap& fields, const Json& json, const std::string& family) {
  for (const PreprocessingField& field : kFields) {
    const PreprocessingDefault* row = default_of(field.name, family);
    const auto found = json.find(std::string(field.name));
    if (found != json.end() && found->is_null() && row != nullptr && row->fallback == "true")
      fields.insert_or_assign(std::string(field.name), FieldValue{false, false});
  }
}

FieldMap normalized_processor(const Json& json, const ProcessorClass& processor) {
  FieldMap fields = fields_of(json);
  read_null_switches(fields, json, processor.family);
  const Json* to_square = find_value(fields, "default_to_square");
  const bool squares = to_square != nullptr && to_square->is_boolean()
                           ? to_square->get<bool>()
                           : processor.family != "Bit" && processor.family != "CLIP";
  for (const PreprocessingField& field : kFields) {
    if (const PreprocessingDefault* row = default_of(field.name, processor.family))
      assume(fields, field.name, Json::parse(row->fallback));
  }
  unify_size(fields, "size", squares);
  unify_size(fields, "crop_size", true);
  for (const std::string_view name : {"image_mean", "image_std"}) unify_channels(fields, name);
  unify_resample(fields);
  for (const char* name : {"image_processor_type", "feature_extractor_type", "default_to_square"})
    fields.erase(name);
  return fields;
}

const PreprocessingField* find_field(std::string_view name) {
  for (const PreprocessingField& field : kFields) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

bool is_off(const FieldMap& fields, std::string_view gate) {
  const Json* value = find_value(fields, gate);
  return value != nullptr && value->is_boolean() && !value->get<bool>();
}

bool is_on(const FieldMap& fields, std::string_view gate) {
  const Json* value = find_value(fields, gate);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

/// Whether every image leaves with the same height and width before it may be padded: by a resize
/// to both, or a crop, of a class that has no procedure of its own.
bool makes_one_size(const FieldMap& fields, const ProcessorClass& processor) {
  constexpr std::string_view kCommonProcedure = "ViT DeiT Bit CLIP Siglip";
  const auto has_both = [&](std::string_view size) {
    const Json* value = find_value(fields, size);
    return value != nullptr && value->is_object() && value->contains("height") &&
           value->contains("width");
  };
  if (!lists_word(kCommonProcedure, processor.family)) return false;
  return (is_on(fields, "do_resize") && has_both("size")) ||
         (is_on(fields, "do_center_crop") && has_both("crop_size"));
}

/// Padding to the largest of images that have one size adds nothing.
bool pads_nothing(const FieldMap& fields, const ProcessorClass& processor) {
  return is_off(fields, "do_pad") ||
         (find_value(fields, "pad_size") == nullptr && makes_one_size(fields, processor));
}

/// Fields of a feature extractor of sound that none of its features depends on.
FieldJudgement judge_audio(const std::string& family, const std::string& name) {
  if (family == "Whisper" && name == "do_normalize")
    return {kNoEffect, "an argument of the call alone; the file's value is not read"};
  if (family == "Whisper" && name == "return_attention_mask")
    return {kNoEffect, "a mask stands beside the same features or not"};
  return {FieldEffect::unknown, ""};
}

FieldJudgement judge(const FieldMap& a, const FieldMap& b, const std::string& name) {
  const PreprocessingField* field = find_field(std::string_view(name).substr(0, name.find('.')));
  if (field == nullptr) return {FieldEffect::unknown, "a field that is not in the table"};
  if (!field->gate.empty() && is_off(a, field->gate) && is_off(b, field->gate))
    return {kNoEffect, std::string(field->gate) + " is false on both sides"};
  return {field->effect, std::string(field->why)};
}

/// What it means that the classes differ, where it means anything.
std::optional<FieldJudgement> judge_classes(const ProcessorClass& a, const ProcessorClass& b,
                                            bool resizes) {
  if (a.family.empty() || b.family.empty()) return std::nullopt;
  const bool one_procedure = is_known(a.family) && is_known(b.family);
  if (a.family != b.family && !one_procedure)
    return FieldJudgement{FieldEffect::unknown, "another class may prepare images otherwise"};
  if (a.backend == b.backend || !resizes) return std::nullopt;
  return FieldJudgement{
      FieldEffect::numerics,
      "Fast means torchvision in transformers 4, the plain name Pillow there, and "
      "in 5 every name torchvision, each where torchvision is installed; the two "
      "round differently"};
}

}  // namespace

bool prepares_audio(const Json& preprocessing) {
  return preprocessing.is_object() && preprocessing.contains("sampling_rate");
}

std::vector<FieldDifference> compare_preprocessing(const Json& a, const Json& b) {
  const FloatMode contract;
  const ProcessorClass class_a = processor_class(a);
  const ProcessorClass class_b = processor_class(b);
  // A file that names no class is read as the other's class would.
  FieldMap left = normalized_processor(a, class_a.family.empty() ? class_b : class_a);
  FieldMap right = normalized_processor(b, class_b.family.empty() ? class_a : class_b);
  const bool resizes = !is_off(left, "do_resize") || !is_off(right, "do_resize");
  const auto classes = judge_classes(class_a, class_b, resizes);
  if (classes) {
    left.insert_or_assign("image_processor_type", FieldValue{class_a.name, false});
    right.insert_or_assign("image_processor_type", FieldValue{class_b.name, false});
  }
  const bool audio = prepares_audio(a) || prepares_audio(b);
  const std::string family = class_a.family == class_b.family ? class_a.family : "";
  const bool no_padding = pads_nothing(left, class_a) && pads_nothing(right, class_b);
  return compare_fields(left, right, [&](const std::string& name) {
    if (audio) return judge_audio(family, name);
    if (name == "do_pad" && no_padding)
      return FieldJudgement{kNoEffect, "all images have one size by then, and none is padded"};
    return classes && name == "image_processor_type" ? *classes : judge(left, right, name);
  });
}

}  // namespace samebits
