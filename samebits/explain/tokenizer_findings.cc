#include "samebits/explain/tokenizer_findings.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>

#include <fmt/format.h>

#include "samebits/base/mapped_file.h"
#include "samebits/explain/subjects.h"

namespace samebits {
namespace {

constexpr const char* kWhole = "tokenizer.json";
/// What a tokenizer without that file is made of.
constexpr auto kParts =
    std::to_array<const char*>({"vocab.txt", "vocab.json", "merges.txt", "spiece.model",
                                "tokenizer.model", "sentencepiece.bpe.model", "added_tokens.json"});
constexpr auto kRules =
    std::to_array<const char*>({"normalizer", "pre_tokenizer", "post_processor"});

using TokenIds = std::map<std::string, std::int64_t>;

struct TokenizerChange {
  std::vector<std::string> details;
  Json fields = Json::object();      // {"normalizer": [A's, B's]}; of long ones how long they are
  std::size_t moved = 0, alone = 0;  // tokens with another id, tokens of one side
};

std::string beside(const Subject& subject, const char* name) {
  return subject.checkpoint->path + "/" + name;
}

std::shared_ptr<const MappedFile> open_beside(const Subject& subject, const char* name) {
  auto file = MappedFile::open(beside(subject, name));
  return file ? *std::move(file) : nullptr;
}

/// Token -> id, of all forms that a vocabulary has: {"a": 0}, [["a", -1.5], ...].
TokenIds vocabulary(const Json& tokenizer) {
  TokenIds ids;
  if (tokenizer.contains("model") && tokenizer["model"].is_object() &&
      tokenizer["model"].contains("vocab")) {
    const Json& vocab = tokenizer["model"]["vocab"];
    std::int64_t next = 0;
    for (const auto& [name, value] : vocab.items()) {
      if (vocab.is_object() && value.is_number_integer()) ids[name] = value.get<std::int64_t>();
      if (vocab.is_array() && value.is_array() && !value.empty() && value[0].is_string())
        ids[value[0].get<std::string>()] = next;
      ++next;
    }
  }
  if (tokenizer.contains("added_tokens") && tokenizer["added_tokens"].is_array())
    for (const Json& token : tokenizer["added_tokens"])
      if (token.is_object() && token.contains("content") && token["content"].is_string() &&
          token.contains("id") && token["id"].is_number_integer())
        ids[token["content"].get<std::string>()] = token["id"].get<std::int64_t>();
  return ids;
}

void compare_vocabularies(const TokenIds& left, const TokenIds& right, TokenizerChange* change) {
  std::vector<std::string> shown;
  constexpr std::size_t kShown = 4;
  for (const auto& [token, id] : left) {
    const auto other = right.find(token);
    if (other == right.end()) {
      ++change->alone;
    } else if (other->second != id) {
      ++change->moved;
      if (shown.size() < kShown)
        shown.push_back(
            fmt::format("{}: {} against {}", json_text(Json(token)), id, other->second));
    }
  }
  for (const auto& [token, id] : right) change->alone += left.contains(token) ? 0 : 1;
  if (change->moved + change->alone == 0) return;
  change->fields["vocabulary"] = Json::array({left.size(), right.size()});
  if (change->moved > 0)
    change->details.push_back(
        fmt::format("{} another id, {}{}", counted(change->moved, "token", "has", "have"),
                    fmt::join(shown, ", "), change->moved > kShown ? ", ..." : ""));
  if (change->alone > 0)
    change->details.push_back(counted(change->alone, "token", "stands", "stand") +
                              " in one of the two only");
}

/// "a b" for ["a", "b"], as older files write a merge.
Json settled_merges(Json merges) {
  for (Json& each : merges)
    if (each.is_array() && each.size() == 2 && each[0].is_string() && each[1].is_string())
      each = each[0].get<std::string>() + " " + each[1].get<std::string>();
  return merges;
}

/// Fields of the model beside its vocabulary. What is absent, null, false or empty is not there.
void compare_models(const Json& a, const Json& b, TokenizerChange* change) {
  const auto model_of = [](const Json& json) {
    return json.contains("model") && json["model"].is_object() ? json["model"] : Json::object();
  };
  const Json left = model_of(a), right = model_of(b);
  std::set<std::string> names;
  for (const Json* side : {&left, &right})
    for (const auto& [name, value] : side->items()) names.insert(name);
  names.erase("vocab");
  const auto part = [](const Json& model, const std::string& name) {
    Json value = model.contains(name) ? model[name] : Json();
    if (value == false || value == Json("")) value = Json();
    return name == "merges" && value.is_array() ? settled_merges(std::move(value)) : value;
  };
  for (const std::string& name : names) {
    const Json one = part(left, name), two = part(right, name);
    if (one == two || (name == "type" && (one.is_null() || two.is_null()))) continue;
    const bool is_long = one.is_structured() || two.is_structured();
    change->fields["model." + name] =
        is_long ? Json::array({one.size(), two.size()}) : Json::array({one, two});
    change->details.push_back(
        is_long ? fmt::format("its {} differ", name)
                : fmt::format("its {}: {} against {}", name, json_text(one), json_text(two)));
  }
}

/// Tokens that added_tokens.json adds to those of tokenizer.json.
void add_tokens_beside(const Subject& subject, TokenIds* ids) {
  const auto file = open_beside(subject, "added_tokens.json");
  const Result<Json> json =
      file ? parse_json(file->bytes(), beside(subject, "added_tokens.json")) : Result<Json>(Json());
  if (!json || !json->is_object()) return;
  for (const auto& [token, id] : json->items())
    if (id.is_number_integer()) ids->try_emplace(token, id.get<std::int64_t>());
}

/// Whether added_tokens.json is not the same on both sides.
bool other_tokens_beside(const Subject& a, const Subject& b) {
  const auto left = open_beside(a, "added_tokens.json"),
             right = open_beside(b, "added_tokens.json");
  if (!left || !right) return left != right;
  return !std::ranges::equal(left->bytes(), right->bytes());
}

/// Tokens with a task, by the file that both directories have: {"pad_token": "[PAD]"}.
void compare_special_tokens(const Subject& a, const Subject& b, TokenizerChange* change) {
  constexpr const char* kFile = "special_tokens_map.json";
  const auto read = [&](const Subject& subject) -> Json {
    const auto file = open_beside(subject, kFile);
    const Result<Json> json =
        file ? parse_json(file->bytes(), beside(subject, kFile)) : Result<Json>(Json());
    return json ? *json : Json();
  };
  const Json left = read(a), right = read(b);
  if (!left.is_object() || !right.is_object()) return;
  const auto text_of = [](const Json& map, const std::string& name) {
    const Json value = map.contains(name) ? map[name] : Json();
    return value.is_object() && value.contains("content") ? value["content"] : value;
  };
  std::set<std::string> names;
  for (const Json* side : {&left, &right})
    for (const auto& [name, value] : side->items())
      if (name.ends_with("_token")) names.insert(name);
  for (const std::string& name : names) {
    const Json one = text_of(left, name), two = text_of(right, name);
    if (one == two) continue;
    change->fields[name] = Json::array({one, two});
    change->details.push_back(
        fmt::format("its {}: {} against {}", name, json_text(one), json_text(two)));
  }
}

/// Nothing where a file is no JSON object.
std::optional<TokenizerChange> compare_whole(const Subject& a, const Subject& b) {
  const auto left = open_beside(a, kWhole), right = open_beside(b, kWhole);
  if (!left || !right) return std::nullopt;
  TokenizerChange change;
  compare_special_tokens(a, b, &change);
  if (std::ranges::equal(left->bytes(), right->bytes()) && !other_tokens_beside(a, b))
    return change;
  const Result<Json> one = parse_json(left->bytes(), beside(a, kWhole));
  const Result<Json> two = parse_json(right->bytes(), beside(b, kWhole));
  if (!one || !two || !one->is_object() || !two->is_object()) return std::nullopt;
  TokenIds ids_a = vocabulary(*one), ids_b = vocabulary(*two);
  add_tokens_beside(a, &ids_a);
  add_tokens_beside(b, &ids_b);
  compare_vocabularies(ids_a, ids_b, &change);
  compare_models(*one, *two, &change);
  const auto part = [](const Json& json, const char* name) {
    return json.contains(name) ? json[name] : Json();
  };
  for (const char* name : kRules)
    if (part(*one, name) != part(*two, name)) {
      change.fields[name] = Json::array({part(*one, name), part(*two, name)});
      change.details.push_back(fmt::format("its {} differs", name));
    }
  return change;
}

TokenizerChange compare_parts(const Subject& a, const Subject& b) {
  TokenizerChange change;
  for (const char* name : kParts) {
    const auto left = open_beside(a, name), right = open_beside(b, name);
    if (!left || !right || std::ranges::equal(left->bytes(), right->bytes())) continue;
    change.fields[name] = Json::array({left->size(), right->size()});
    change.details.push_back(fmt::format("{} differs", name));
  }
  return change;
}

}  // namespace

void find_tokenizer_changes(Report& report, const Subject& a, const Subject& b, Role role) {
  if (a.checkpoint->kind != CheckpointKind::hf_directory ||
      b.checkpoint->kind != CheckpointKind::hf_directory)
    return;
  TokenizerChange change = compare_whole(a, b).value_or(compare_parts(a, b));
  if (change.fields.empty()) return;
  std::vector<std::string> names;
  for (const auto& [name, values] : change.fields.items()) names.push_back(name);
  Finding finding{.cause = "input.preprocessing",
                  .role = role,
                  .proof = Proof::observed,
                  .subjects = {a.label, b.label}};
  finding.summary =
      change.moved > 0
          ? fmt::format("texts become other ids: {} another id in {}'s tokenizer",
                        counted(change.moved, "token", "has", "have"), b.label)
          : fmt::format("the tokenizers differ in {}: a text may become other ids", some_of(names));
  finding.details = std::move(change.details);
  finding.evidence = {
      {"fields", std::move(change.fields)}, {"moved", change.moved}, {"alone", change.alone}};
  finding.remedy = "Use one tokenizer for both: the one with which the model was trained";
  add_finding(report, std::move(finding));
}

}  // namespace samebits
