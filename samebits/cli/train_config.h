// --config of samebits train: the training's own options as JSON, or a model's config.json.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace samebits {

/// To be added before every other option of the command, whose values it gives: what stands on the
/// command line goes before what a file says. A file that is a model's config goes to
/// `model_config`. A member that is no option of the command is a usage error that names it.
void add_train_config(CLI::App* command, std::string* model_config);

}  // namespace samebits
