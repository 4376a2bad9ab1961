#include "samebits/explain/load_codes.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/explain/load_contents.h"
#include "samebits/explain/subjects.h"
#include "samebits/quantized/forms.h"

namespace samebits {
namespace {

using CodeNames = std::set<std::string>;

CodeNames code_names(const std::vector<std::string>& names) { return {names.begin(), names.end()}; }

/// What the target takes, by name.
struct TakenNames {
  CodeNames dropped, random, mismatched;
  explicit TakenNames(const LoadReport& load)
      : dropped(code_names(load.dropped)),
        random(code_names(load.random)),
        mismatched(code_names(load.mismatched)) {}
};

/// The class of a weight that is pickled as an object of parts: "torchao.quantization.Int8Tensor".
std::string pickled_class(const LayerSource& source, const std::string& weight,
                          const std::vector<std::string>& parts) {
  constexpr std::string_view kClass = "class ";
  for (const std::string& part : parts) {
    const StoredTensor* tensor = source.find(part);
    if (tensor == nullptr || !part.starts_with(weight + ".") || !tensor->note.starts_with(kClass))
      continue;
    const std::string text = tensor->note.substr(kClass.size());
    return text.substr(0, text.find(' '));
  }
  return "";
}

struct CodeReading {
  CodeNames forms, pickled;  // pickled: classes
};

void note_layer(const LayerSource& source, const std::string& layer,
                const std::vector<std::string>& parts, const TakenNames& places,
                CodeReading& reading, CodesWithoutScales& codes) {
  const std::string weight = layer + ".weight";
  CodeNames lost;
  for (const std::string& part : parts)
    if (places.dropped.contains(part)) lost.insert(part);
  if (lost.empty()) return;
  const StoredTensor* stored = source.find(weight);
  const bool is_code = stored != nullptr && is_narrow_type(stored->view.dtype());
  if (is_code && places.mismatched.contains(weight))
    codes.packed.push_back(weight);
  else if (is_code && !lost.contains(weight))
    codes.raw.push_back(weight);
  else if (stored == nullptr && places.random.contains(weight))
    codes.absent.push_back(weight);
  else
    return;
  codes.parts.merge(lost);
  const auto read = read_quantized(source, layer, parts);
  codes.readable = codes.readable && read && read->exact;
  reading.forms.insert(read ? read->form : "");
  if (std::string type = pickled_class(source, weight, parts); !type.empty())
    reading.pickled.insert(std::move(type));
}

std::string form_clause(const CodesWithoutScales& codes) {
  return codes.form.empty() ? "" : " (" + codes.form + ")";
}

std::vector<std::string> weights_in(const CodesWithoutScales& codes) {
  std::vector<std::string> names = codes.packed;
  names.insert(names.end(), codes.raw.begin(), codes.raw.end());
  return names;
}

std::string codes_summary(const CodesWithoutScales& codes) {
  const std::string form = form_clause(codes);
  if (codes.packed.empty())
    return fmt::format(
        "{} taken as raw codes{}: the target has no place for {} scales, and takes the codes for "
        "the numbers",
        counted(codes.raw.size(), "weight", "is", "are"), form,
        codes.raw.size() == 1 ? "its" : "their");
  return fmt::format("{} packed codes{} of another shape than the numbers that the target takes",
                     counted(codes.packed.size(), "tensor", "holds", "hold"), form);
}

}  // namespace

void note_codes(const Checkpoint& checkpoint, LoadReport& load) {
  if (load.dropped.empty() || (!load.raises.empty() && !load.remedy.empty())) return;
  const LayerSource source(checkpoint);
  const TakenNames places(load);
  CodeReading reading;
  for (const auto& [layer, parts] : quantized_layers(checkpoint))
    note_layer(source, layer, parts, places, reading, load.codes);
  if (reading.forms.size() == 1) load.codes.form = *reading.forms.begin();
  if (reading.pickled.empty() || load.codes.absent.empty()) return;
  const std::vector<std::string>& names = load.codes.absent;
  end_with_error(
      load,
      fmt::format("RuntimeError: {} {}, which no parameter of numbers takes, {}{}",
                  counted(names.size(), "tensor", "is of", "are of"), *reading.pickled.begin(),
                  names[0], names.size() > 1 ? " among them" : ""),
      codes_remedy(load));
}

std::string codes_remedy(const LoadReport& load) {
  return load.codes.readable
             ? "Write the numbers that the codes say, under the same names: samebits convert --to "
               "safetensors --dequantize"
             : "Dequantize the weights with the library that made them, and save the numbers";
}

bool are_scales_alone(const LoadReport& load) {
  return std::ranges::all_of(
      load.dropped, [&](const std::string& name) { return load.codes.parts.contains(name); });
}

void find_codes(Report& report, const LoadReport& load) {
  const std::vector<std::string> names = weights_in(load.codes);
  if (names.empty()) return;
  Finding finding{.cause = "weights.quantized",
                  .role = Role::risk,
                  .proof = Proof::observed,
                  .subjects = {"A"}};
  finding.summary = codes_summary(load.codes);
  if (!load.raises.empty())
    finding.details.push_back("the load ends with an error: " + load.raises);
  finding.details.push_back(fmt::format(
      "{} dropped, which {}: {}", counted(load.codes.parts.size(), "tensor", "is", "are"),
      load.codes.parts.size() == 1 ? "says what its codes mean" : "say what the codes mean",
      some_of({load.codes.parts.begin(), load.codes.parts.end()})));
  finding.evidence = {{"count", names.size()},
                      {"tensors", name_list(names)},
                      {"target", load.target},
                      {"way", load.way}};
  finding.remedy = codes_remedy(load);
  add_finding(report, std::move(finding));
}

}  // namespace samebits
