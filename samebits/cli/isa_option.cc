#include "samebits/cli/isa_option.h"

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "samebits/cli/offered_words.h"

namespace samebits {
namespace {

std::vector<std::string> isa_names() {
  std::vector<std::string> names;
  for (const Isa isa : built_isas()) names.emplace_back(isa_name(isa));
  return names;
}

}  // namespace

void add_isa_option(CLI::App* command, std::string* isa) {
  CLI::Option* option = command
                            ->add_option("--isa", *isa,
                                         fmt::format("{} (default: the fastest of this machine)",
                                                     fmt::join(isa_names(), ", ")))
                            ->type_name("NAME")
                            ->check(CLI::IsMember(isa_names()).description(""));
  offer_words(option, isa_names());
}

Result<KernelChoice> chosen_kernels(const std::string& isa) {
  if (isa.empty()) return default_kernels();
  for (const Isa wanted : built_isas()) {
    if (isa != isa_name(wanted)) continue;
    if (const KernelTable* table = kernel_table(wanted)) return KernelChoice{table, "--isa"};
  }
  return fail({.code = ErrorCode::usage, .what = "--isa " + isa + ": this machine has no " + isa});
}

}  // namespace samebits
