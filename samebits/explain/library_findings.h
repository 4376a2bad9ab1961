// Whole modules of one ViT as two libraries build it: timm's against torchvision's.
//
// Source: timm 1.0.31 models/vision_transformer.py, torchvision 0.29.1
// models/vision_transformer.py, transformers 5.24.0 models/vit/modeling_vit.py (read).
#pragma once

#include "samebits/explain/report.h"

namespace samebits {

/// Where both sides are whole modules of one ViT of two libraries, of classes of libraries only and
/// without hooks: holds what both state (heads, eps of norms, activations, pooling) against each
/// other. config.changed where that differs, else a note, code.version. False for all other
/// pairs, whose trees are compared.
bool find_library_changes(Report& report, const Subject& a, const Subject& b);

}  // namespace samebits
