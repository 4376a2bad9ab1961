#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "samebits/checkpoint/torch_load.h"
#include "samebits/report/sections.h"
#include "samebits/report/text.h"

namespace samebits {
namespace {

std::string mode_text(const Checkpoint& checkpoint) {
  if (checkpoint.modules.empty()) return "";
  const std::size_t training = checkpoint.training_modules();
  if (training == 0) return "eval";
  return fmt::format("{} of {} in training mode", grouped(training),
                     quantity(checkpoint.modules.size(), "module"));
}

// The library that matters most, where several are named.
std::string producer_text(const Checkpoint& checkpoint) {
  constexpr const char* kOrder[] = {"transformers", "lightning", "pytorch-lightning", "timm",
                                    "torch"};
  if (!checkpoint.producer.is_object()) return "";
  for (const char* library : kOrder) {
    const auto found = checkpoint.producer.find(library);
    if (found != checkpoint.producer.end()) return library + (" " + value_text(*found));
  }
  return "";
}

std::string weights_from_text(const Checkpoint& checkpoint) {
  if (checkpoint.candidates.size() < 2) return "";
  const std::string& key = checkpoint.weights().key;
  return key.empty() ? "weights from the top" : fmt::format("weights from \"{}\"", key);
}

// Only where it is not the one that every machine has.
std::string devices_text(const Checkpoint& checkpoint) {
  std::vector<std::string> names = devices(checkpoint);
  if (std::none_of(names.begin(), names.end(), needs_map_location)) return "";
  return fmt::format("saved on {}", fmt::join(names, ", "));
}

std::string details(const Subject& subject) {
  const Checkpoint& checkpoint = *subject.checkpoint;
  std::vector<std::string> phrases = {checkpoint.description.empty() ? checkpoint.model_type
                                                                     : checkpoint.description};
  if (checkpoint.has_weights()) {
    phrases.push_back(quantity(checkpoint.weights().weights.size(), "tensor"));
  }
  if (checkpoint.kind == CheckpointKind::trace)
    phrases.push_back(quantity(checkpoint.entries.size(), "point"));
  phrases.push_back(weights_from_text(checkpoint));
  phrases.push_back(producer_text(checkpoint));
  phrases.push_back(mode_text(checkpoint));
  phrases.push_back(devices_text(checkpoint));
  if (!subject.config_borrowed_from.empty()) {
    phrases.push_back(fmt::format("(config from {})", subject.config_borrowed_from));
  }
  std::string text;
  for (const std::string& phrase : phrases) {
    if (phrase.empty()) continue;
    text += (text.empty() ? "" : "   ") + phrase;
  }
  return text;
}

}  // namespace

void subjects_section(const Report& report, Screen* screen) {
  std::vector<std::vector<std::string>> rows;
  for (const Subject& subject : report.subjects) {
    if (subject.checkpoint) {
      rows.push_back(
          {subject.label, subject.path, kind_label(subject.checkpoint->kind), details(subject)});
    } else {
      rows.push_back({subject.label, subject.path, "could not be read", ""});
    }
  }
  screen->table(Screen::kIndent,
                {{},
                 {.give = Column::Give::elide},
                 {.give = Column::Give::wrap},
                 {.give = Column::Give::wrap}},
                rows);
}

}  // namespace samebits
