#include "samebits/convert/convert.h"

#include <memory>

#include <fmt/format.h>

#include "samebits/cli/commands.h"
#include "samebits/cli/conversion.h"
#include "samebits/cli/offered_words.h"
#include "samebits/cli/progress.h"
#include "samebits/cli/targets.h"
#include "samebits/convert/planned_bytes.h"

namespace samebits {
namespace {

struct ConvertCommand {
  ConvertRequest request;
  std::string format, dtype, shard_size;
  ReportOptions report;

  Result<void> read_options() {
    const std::size_t colon = format.find(':');
    const auto known = format_from_name(format.substr(0, colon));
    if (!known)
      return fail({.code = ErrorCode::usage,
                   .what = "--to: there is no format of that name",
                   .expected = format_names(),
                   .found = format});
    request.format = *known;
    if (colon != std::string::npos) request.class_name = format.substr(colon + 1);
    if (!dtype.empty()) {
      request.dtype = dtype_from_torch(dtype);
      if (!request.dtype || !can_cast_to(*request.dtype))
        return fail({.code = ErrorCode::usage,
                     .what = "--dtype: that is no type to cast to",
                     .expected = "float64, float32, float16 or bfloat16",
                     .found = dtype});
    }
    if (!shard_size.empty()) {
      request.shard_bytes = parse_size(shard_size);
      if (!request.shard_bytes)
        return fail({.code = ErrorCode::usage,
                     .what = "--shard-size: that is no size",
                     .expected = "a whole number with KB, MB, GB or TB",
                     .found = shard_size});
    }
    return check_combinations();
  }

  Result<void> check_combinations() const {
    const bool directory = request.format == ConvertFormat::hf;
    const bool keeps = request.format <= ConvertFormat::npz;
    const auto only = [](const char* option, const char* formats) {
      return fail(
          {.code = ErrorCode::usage, .what = fmt::format("{} is for --to {}", option, formats)});
    };
    if (!directory && !shard_size.empty()) return only("--shard-size", "hf");
    if (keeps && !request.config_path.empty()) return only("--config", "hf or a library");
    if (keeps && !request.class_name.empty()) return only(":ClassName", "hf or a library");
    if (!keeps && !request.strip_prefix.empty())
      return only("--strip-prefix", "safetensors, torch or npz; the others find it");
    return {};
  }

  int run() {
    if (const Result<void> read = read_options(); !read) return failed(read.error());
    const Result<std::vector<SubjectOptions>> subjects =
        choose_subjects({request.input}, report.keys);
    if (!subjects) return failed(subjects.error());
    request.key = subjects->front().key;
    request.threads = report.thread_count();
    const bool file = request.format != ConvertFormat::hf;
    if (const Result<void> free = check_targets({{"OUT", file ? request.output : ""}},
                                                {request.input, request.config_path});
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
          ->add_option("--to", chosen->format,
                       "safetensors, torch (a state_dict), npz: names stay; hf (a directory that "
                       "transformers 4 and 5 load in full), timm, mae, torchvision: that library's "
                       "names, with :ClassName where needed")
          ->type_name("FORMAT")
          ->required();
  offer_words(format, {"safetensors", "torch", "npz", "hf", "timm", "mae", "torchvision"});
  CLI::Option* dtype =
      command
          ->add_option("--dtype", chosen->dtype, "of all floating tensors: bfloat16, float16, ...")
          ->type_name("TYPE");
  offer_words(dtype, {"float64", "float32", "float16", "bfloat16"});
  command
      ->add_option("--shard-size", chosen->shard_size,
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
      "Writes the same tensors in another container, under a library's names, or in another type. "
      "What was written is read back and compared bit for bit before it gets its name; what cannot "
      "be written exactly is refused by name. Exit status: 0, or 2 where nothing was written.");
  command->add_option("IN", chosen->request.input, "a file or directory of weights, of any format")
      ->required();
  command->add_option("OUT", chosen->request.output, "the file or directory to write")->required();
  add_convert_options(command, chosen.get());
  command->footer("example\n  samebits convert model.ckpt hf/ --to hf --config config.json");
  command->callback([chosen, status] { *status = chosen->run(); });
}

}  // namespace samebits
