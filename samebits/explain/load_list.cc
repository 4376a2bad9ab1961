#include "samebits/explain/load_list.h"

#include <filesystem>
#include <map>
#include <set>

#include "samebits/checkpoint/open.h"
#include "samebits/model/repair.h"

namespace samebits {
namespace {

Error wrong_form(const std::string& file) {
  return {
      .code = ErrorCode::malformed,
      .what = "the list of names and shapes has another form",
      .file = file,
      .expected =
          R"([["fc.weight", [10, 32]], ...], [{"name": ..., "shape": [...]}, ...] or {"fc.weight": [10, 32], ...})"};
}

Result<Shape> read_shape(const Json& json, const std::string& file) {
  if (!json.is_array()) return fail(wrong_form(file));
  Shape shape;
  for (const Json& size : json) {
    if (!size.is_number_integer() || size.get<std::int64_t>() < 0) return fail(wrong_form(file));
    shape.push_back(size.get<std::int64_t>());
  }
  return shape;
}

Result<model::StoredShape> read_row(const Json& row, const std::string& file) {
  const bool pair = row.is_array() && row.size() == 2 && row[0].is_string();
  const bool object =
      row.is_object() && row.contains("name") && row["name"].is_string() && row.contains("shape");
  if (!pair && !object) return fail(wrong_form(file));
  SAMEBITS_TRY(Shape shape, read_shape(pair ? row[1] : row["shape"], file));
  return model::StoredShape{pair ? row[0].get<std::string>() : row["name"].get<std::string>(),
                            std::move(shape)};
}

Result<std::vector<model::StoredShape>> read_json_list(const Json& json, const std::string& file) {
  std::vector<model::StoredShape> shapes;
  if (json.is_array()) {
    for (const Json& row : json) {
      SAMEBITS_TRY(model::StoredShape shape, read_row(row, file));
      shapes.push_back(std::move(shape));
    }
    return shapes;
  }
  if (!json.is_object()) return fail(wrong_form(file));
  for (const auto& [name, sizes] : json.items()) {
    SAMEBITS_TRY(Shape shape, read_shape(sizes, file));
    shapes.push_back({name, std::move(shape)});
  }
  return shapes;
}

bool is_json(Bytes bytes) {
  const std::string_view text = as_text(bytes);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '[' || text[first] == '{');
}

}  // namespace

bool is_load_list(const std::string& target) {
  std::error_code error;
  return std::filesystem::exists(target, error);
}

Result<std::vector<model::StoredShape>> read_load_list(const std::string& target) {
  std::error_code error;
  if (!std::filesystem::is_directory(target, error)) {
    SAMEBITS_TRY(const auto file, MappedFile::open(target));
    if (is_json(file->bytes())) {
      SAMEBITS_TRY(const Json json, parse_json(file->bytes(), target));
      return read_json_list(json, target);
    }
  }
  SAMEBITS_TRY(const Checkpoint checkpoint, open_checkpoint(target));
  std::vector<model::StoredShape> shapes;
  if (!checkpoint.has_weights()) return shapes;
  for (const std::uint32_t index : checkpoint.weights().weights)
    shapes.push_back({checkpoint.entries[index].name, checkpoint.entries[index].view.shape()});
  return shapes;
}

LoadReport load_into_list(const std::vector<model::StoredShape>& target,
                          const std::vector<model::StoredShape>& tensors,
                          const std::string& target_name) {
  LoadReport load;
  load.target = target_name;
  load.way = "load_state_dict(strict=False)";
  load.target_tensors = target.size();
  load.silent = true;
  std::map<std::string, const Shape*> offered;
  for (const model::StoredShape& tensor : tensors) offered.emplace(tensor.name, &tensor.shape);
  std::set<std::string> wanted;
  for (const model::StoredShape& tensor : target) {
    wanted.insert(tensor.name);
    const auto found = offered.find(tensor.name);
    if (found == offered.end()) {
      load.random.push_back(tensor.name);
    } else if (*found->second != tensor.shape) {
      load.mismatched.push_back(tensor.name);
    } else {
      ++load.loaded;
    }
  }
  for (const model::StoredShape& tensor : tensors) {
    if (wanted.count(tensor.name) == 0) load.dropped.push_back(tensor.name);
  }
  return load;
}

}  // namespace samebits
