// Models of the ViT family inside larger ones.
#include "samebits/explain/tensor_roles.h"

#include <gmock/gmock.h>

#include "samebits/family/name_table.h"

namespace samebits {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

void add_valueless(const std::string& name, const Shape& shape, std::vector<NamedTensor>* tensors) {
  tensors->push_back(
      {.name = name, .view = *TensorView::valueless(DType::float32, shape), .roles = {}});
}

void add_vit(model::Library library, const std::string& prefix, std::vector<NamedTensor>* tensors) {
  const model::ModelClass& vit = *model::find_class(library, "ViTModel");
  model::Fields fields;
  for (const auto& [letter, size] :
       {std::pair('D', 48), {'M', 96}, {'I', 3}, {'P', 8}, {'W', 8}, {'X', 17}, {'Y', 48}})
    fields[letter] = size;
  fields.layers = 2;
  fields.patches = 16;
  fields.parts = vit.always | vit.assumed | model::kPooler | model::kQkvBias;
  const std::vector<model::TensorSpec> specs = *model::tensors_of(library, vit, fields);
  for (const model::TensorSpec& spec : specs)
    add_valueless(prefix + spec.name, spec.shape, tensors);
}

std::vector<std::string> roles_of(const std::vector<NamedTensor>& tensors,
                                  const std::string& name) {
  for (const NamedTensor& tensor : tensors)
    if (tensor.name == name) return tensor.roles;
  return {"no such tensor"};
}

TEST(TensorRoles, AModelInsideALargerOneHasItsRoles) {
  std::vector<NamedTensor> tensors;
  add_vit(model::Library::transformers5, "encoder.", &tensors);
  for (int i = 0; i < 20; ++i)
    add_valueless("predictor." + std::to_string(i) + ".weight", {48, 48}, &tensors);
  add_roles(&tensors);
  EXPECT_THAT(roles_of(tensors, "encoder.layers.1.attention.o_proj.weight"),
              ElementsAre("1:attention_output.weight"));
  EXPECT_THAT(roles_of(tensors, "predictor.0.weight"), IsEmpty());
}

TEST(TensorRoles, OfSeveralModelsEachHasItsPrefix) {
  std::vector<NamedTensor> tensors;
  add_vit(model::Library::transformers4, "student.", &tensors);
  add_vit(model::Library::transformers4, "teacher.", &tensors);
  add_roles(&tensors);
  EXPECT_THAT(roles_of(tensors, "student.encoder.layer.0.output.dense.bias"),
              ElementsAre("student.:0:mlp_out.bias"));
  EXPECT_THAT(roles_of(tensors, "teacher.encoder.layer.0.output.dense.bias"),
              ElementsAre("teacher.:0:mlp_out.bias"));
}

TEST(TensorRoles, HalfAModelHasNone) {
  std::vector<NamedTensor> tensors;
  add_vit(model::Library::transformers4, "encoder.", &tensors);
  std::erase_if(tensors, [](const NamedTensor& tensor) {
    return tensor.name.find("dense") != std::string::npos;
  });
  for (int i = 0; i < 20; ++i)
    add_valueless("predictor." + std::to_string(i) + ".weight", {48, 48}, &tensors);
  add_roles(&tensors);
  for (const NamedTensor& tensor : tensors) EXPECT_THAT(tensor.roles, IsEmpty()) << tensor.name;
}

}  // namespace
}  // namespace samebits
