#include "samebits/convert/convert.h"

#include <memory>

#include <fmt/format.h>

#include "samebits/cli/commands.h"
#include "samebits/cli/offered_words.h"
#include "samebits/cli/options.h"
#include "samebits/cli/progress.h"
#include "samebits/cli/targets.h"
#include "samebits/convert/convert_words.h"
#include "samebits/report/conversion.h"

namespace samebits {
namespace {

struct ConvertCommand {
  ConvertRequest request;
  ConvertWords words;
  ReportOptions report;

  int run() {
    if (const Result<void> read = read_words(words, &request); !read) return failed(read.error());
    const Result<std::vector<SubjectOptions>> subjects =
        choose_subjects({request.input}, report.keys);
    if (!subjects) return failed(subjects.error());
    request.key = subjects->front().key;
    request.threads = report.thread_count();
    const bool file = request.format != ConvertFormat::hf;
    if (const Result<void> free =
            check_targets({{"OUT", file ? request.output : ""}},
                          {request.input, request.config_path, request.adapter});
        !free)
      return failed(free.error());
    const Result<Converted> done = work();
    if (!done) return failed(done.error());
    return write_output(conversion_text(*done, request.input, report.json)) ? 0 : 2;
  }

  int failed(const Error& error) const {
    return command_error("convert", {request.input}, error, report);
  }

  Result<Converted> work() const {
    const Progress progress("writing " + request.output);
    return convert(request);
  }
};

void add_convert_options(CLI::App* command, ConvertCommand* chosen) {
  CLI::Option* format =
      command
          ->add_option("--to", chosen->words.format,
                       "safetensors, torch (a state_dict), npz: names stay; hf (a directory that "
                       "transformers 4 and 5 load in full), timm, mae, torchvision: that library's "
                       "names, with :ClassName where needed")
          ->type_name("FORMAT")
          ->required();
  offer_words(format, {"safetensors", "torch", "npz", "hf", "timm", "mae", "torchvision"});
  CLI::Option* dtype = command
                           ->add_option("--dtype", chosen->words.dtype,
                                        "of all floating tensors: bfloat16, float16, ...")
                           ->type_name("TYPE");
  offer_words(dtype, {"float64", "float32", "float16", "bfloat16"});
  command
      ->add_option("--shard-size", chosen->words.shard_size,
                   "hf: no file of weights is larger, as 5GB or 500MB")
      ->type_name("SIZE");
  command
      ->add_option("--strip-prefix", chosen->request.strip_prefix,
                   "what all names begin with, and are written without: model.")
      ->type_name("PREFIX");
  command
      ->add_option("--config", chosen->request.config_path,
                   "the config.json of a model that carries none")
      ->type_name("FILE");
  command
      ->add_option("--adapter", chosen->request.adapter,
                   "a LoRA that is merged into IN: peft's directory; its adapter_config.json alone "
                   "where the factors stand in IN")
      ->type_name("DIR");
  command->add_flag("--dequantize", chosen->request.dequantize,
                    "write quantized weights as the numbers that they say, to the bit as their "
                    "library does");
  command->add_flag("--force", chosen->request.force, "replace what stands under the name OUT");
  command->add_flag("--json", chosen->report.json, "say as JSON what was written (docs/json.md)");
  add_reading_options(command, &chosen->report);
}

}  // namespace

void add_convert(CLI::App* program, int* status) {
  const auto chosen = std::make_shared<ConvertCommand>();
  CLI::App* command = program->add_subcommand(
      "convert",
      "Write it so that it loads there\n"
      "Writes the same tensors in another container, under a library's names, in another type, or "
      "with a LoRA merged into them. "
      "What was written is read back and compared bit for bit before it gets its name; what cannot "
      "be written exactly is refused by name. Exit status: 0, or 2 where nothing was written.");
  accept_hub_names(command->add_option("IN", chosen->request.input,
                                       "a file or directory of weights, of any format"))
      ->required();
  command->add_option("OUT", chosen->request.output, "the file or directory to write")->required();
  add_convert_options(command, chosen.get());
  command->footer("example\n  samebits convert model.ckpt hf/ --to hf --config config.json");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
