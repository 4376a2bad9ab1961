#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "samebits/base/mapped_file.h"
#include "samebits/explain/check.h"
#include "samebits/explain/diff.h"
#include "samebits/explain/explain.h"
#include "samebits/explain/inspect.h"
#include "samebits/explain/resume.h"
#include "samebits/explain/verify.h"
#include "samebits/python/bindings.h"
#include "samebits/python/held_checkpoint.h"
#include "samebits/python/input_argument.h"
#include "samebits/python/text.h"
#include "samebits/python/work.h"
#include "samebits/report/html.h"
#include "samebits/report/json.h"
#include "samebits/report/terminal.h"

namespace samebits::python {
namespace {

namespace nb = nanobind;
using namespace nb::literals;
using WallClock = std::chrono::steady_clock;

/// Keeps the bytes that its checkpoints borrow.
struct HeldReport {
  std::shared_ptr<const Report> report;
  nb::object owners;
};

HeldReport hold(Report report, nb::object owners) {
  return {std::make_shared<const Report>(std::move(report)), std::move(owners)};
}

std::optional<NameFilter> filter_of(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return value_of(NameFilter::make(*text));
}

HeldReport diff_of(const nb::list& subjects, int threads, const std::optional<std::string>& filter,
                   const std::optional<double>& rtol, const std::optional<double>& atol) {
  const std::vector<SubjectOptions> options = subjects_options(subjects);
  Scope scope{.filter = filter_of(filter)};
  if (rtol || atol) scope.tolerance = {rtol.value_or(0), atol.value_or(0)};
  return hold(
      apart([&] { return diff(options.front(), options.back(), thread_count(threads), scope); }),
      subjects);
}

Json config_of(const std::string& path) {
  if (path.empty()) return {};
  const auto file = value_of(MappedFile::open(path));
  Json parsed = value_of(parse_json(file->bytes(), path));
  if (parsed.is_object()) return parsed;
  raise({.code = ErrorCode::malformed, .what = "the config is no JSON object", .file = path});
}

/// What PyTorch gave already.
TorchRuns torch_document_of(const std::optional<nb::bytes>& document) {
  if (!document) return {};
  const auto* begin = static_cast<const std::uint8_t*>(document->data());
  return [bytes = std::vector<std::uint8_t>(begin, begin + document->size())]() {
    return Result<std::vector<std::uint8_t>>(bytes);
  };
}

HeldReport explain_of(const nb::list& subjects, const nb::dict& input, int threads, bool files_only,
                      const nb::bytes& config, const std::string& fields, double budget,
                      const std::optional<std::string>& filter,
                      const std::optional<nb::bytes>& torch) {
  const WallClock::time_point begin = WallClock::now();
  const auto more = [begin, budget] {
    return std::chrono::duration<double>(WallClock::now() - begin).count() < budget;
  };
  const std::string config_path = string_of(config);
  const ExplainOptions options{.threads = thread_count(threads),
                               .files_only = files_only,
                               .input = input_request(input),
                               .config = config_of(config_path),
                               .config_path = config_path,
                               .fields = json_argument(fields),
                               .more = more,
                               .torch = torch_document_of(torch),
                               .scope = {.filter = filter_of(filter)}};
  const std::vector<SubjectOptions> all = subjects_options(subjects);
  return hold(apart([&] { return explain(all, options); }), subjects);
}

HeldReport inspect_of(const nb::bytes& path, const std::string& key, int threads, bool deep,
                      bool sha256, const std::optional<std::string>& filter) {
  const InspectOptions options{.deep = deep || sha256,
                               .sha256 = sha256,
                               .threads = thread_count(threads),
                               .key = key,
                               .filter = filter_of(filter)};
  const std::string name = string_of(path);
  return hold(apart([&] { return inspect(name, options); }), nb::none());
}

/// Of two subjects: what is loaded, and the target.
HeldReport check_of(const nb::list& subjects, int threads, const std::optional<std::string>& filter,
                    const std::optional<nb::bytes>& torch) {
  const std::vector<SubjectOptions> both = subjects_options(subjects);
  std::optional<NameFilter> taken = filter_of(filter);
  const TorchLoad loaded = torch_document_of(torch);
  Report made = value_of(apart([&] {
    return loaded ? check(both.front(), both.back().path, thread_count(threads), loaded)
                  : check(both.front(), both.back(), thread_count(threads));
  }));
  made.scope.filter = std::move(taken);
  return hold(std::move(made), subjects);
}

HeldReport resume_of(const nb::list& subjects, int threads) {
  const std::vector<SubjectOptions> all = subjects_options(subjects);
  const std::optional<SubjectOptions> next =
      all.size() > 1 ? std::optional(all.back()) : std::nullopt;
  return hold(apart([&] { return resume(all.front(), next, thread_count(threads)); }), subjects);
}

HeldReport verify_of(const nb::list& subjects, const nb::bytes& lock, int threads) {
  const SubjectOptions subject = subjects_options(subjects).front();
  const std::string path = string_of(lock);
  return hold(apart([&] { return verify(subject, path, thread_count(threads)); }), subjects);
}

}  // namespace

void bind_reports(nb::module_& module) {
  nb::class_<HeldReport>(module, "Report")
      .def("json", [](const HeldReport& held) { return text_of(json_text(*held.report)); })
      .def("html", [](const HeldReport& held) { return text_of(render_html(*held.report)); })
      .def(
          "text",
          [](const HeldReport& held, bool color, int width, bool all) {
            return text_of(
                render_terminal(*held.report, {.color = color, .width = width, .all = all}));
          },
          "color"_a, "width"_a, "all"_a)
      .def_prop_ro("verdict",
                   [](const HeldReport& held) { return verdict_name(held.report->verdict); })
      .def_prop_ro("exit_status", [](const HeldReport& held) { return exit_status(*held.report); });
  module.def("diff", diff_of, "subjects"_a, "threads"_a, "filter"_a.none(), "rtol"_a.none(),
             "atol"_a.none());
  module.def("explain", explain_of, "subjects"_a, "input"_a, "threads"_a, "files_only"_a,
             "config"_a, "fields"_a, "budget"_a, "filter"_a.none(), "torch"_a.none());
  module.def("inspect", inspect_of, "path"_a, "key"_a, "threads"_a, "deep"_a, "sha256"_a,
             "filter"_a.none());
  module.def("check", check_of, "subjects"_a, "threads"_a, "filter"_a.none(), "torch"_a.none());
  module.def("resume", resume_of, "subjects"_a, "threads"_a);
  module.def("verify", verify_of, "subjects"_a, "lock"_a, "threads"_a);
}

}  // namespace samebits::python
