#include "samebits/cli/mpi_group.h"

#include <dlfcn.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "samebits/base/json.h"
#include "samebits/cli/process.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

/// By which variables an implementation tells a process what it is.
struct MpiVariables {
  const char *library, *name, *rank, *size, *rank_here;
};
constexpr MpiVariables kImplementations[] = {
    {"openmpi", "Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
     "OMPI_COMM_WORLD_LOCAL_RANK"},
    {"mpich", "MPICH", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"},
};

std::optional<std::size_t> number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return std::nullopt;
  const std::string_view digits = text;
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

/// Beside the program, or where an installation has it.
std::string shim_path(const std::string& library) {
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  const std::string name = "samebits-mpi-" + library + ".so";
  const fs::path installed = folder.parent_path() / "lib" / "samebits" / name;
  return (fs::exists(installed, error) ? installed : folder / name).string();
}

/// Stays open until the process ends: MPI's libraries cannot be closed.
Result<const samebits_mpi*> open_shim(const MpiLaunch& launch) {
  const std::string path = shim_path(launch.library);
  const Error wrong = {
      .code = ErrorCode::io,
      .what = fmt::format("mpirun of {} started {} processes, and the library by which they would "
                          "be one training cannot be used",
                          launch.name, launch.size),
      .file = path,
      .hint = "Build samebits where the headers of this MPI are installed, or start one process"};
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    Error error = wrong;
    error.found = ::dlerror();
    return fail(std::move(error));
  }
  const auto function =
      reinterpret_cast<samebits_mpi_function>(::dlsym(library, SAMEBITS_MPI_FUNCTION));
  const samebits_mpi* functions = function == nullptr ? nullptr : function();
  if (functions != nullptr && functions->version == SAMEBITS_MPI_VERSION) return functions;
  Error error = wrong;
  error.expected = fmt::format("version {}", SAMEBITS_MPI_VERSION);
  error.found = functions == nullptr ? "none" : fmt::format("version {}", functions->version);
  return fail(std::move(error));
}

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// The processors that this process may run on, as text.
std::string processors_text() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return "";
  std::string text;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) text += std::to_string(i) + " ";
  }
  return text;
}

/// Also of one whose end its parent has not asked for yet.
bool has_ended(pid_t process) {
  const std::string stat = first_line(fmt::format("/proc/{}/stat", process));
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == std::string::npos) return true;
  const char state = stat[name_end + 2];
  return state == 'Z' || state == 'X';
}

class Stopwatch {
 public:
  explicit Stopwatch(double* total) : total_(total) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() {
    *total_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  double* total_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace

std::optional<MpiLaunch> mpi_launch() {
  for (const MpiVariables& each : kImplementations) {
    const auto rank = number_in_environment(each.rank);
    const auto size = number_in_environment(each.size);
    if (!rank || !size || *size < 2) continue;
    const auto here = number_in_environment(each.rank_here);
    return MpiLaunch{each.library, each.name, *rank, *size, here.value_or(*rank) == 0};
  }
  return std::nullopt;
}

Result<std::unique_ptr<MpiGroup>> MpiGroup::open(const MpiLaunch& launch) {
  SAMEBITS_TRY(const samebits_mpi* functions, open_shim(launch));
  std::unique_ptr<MpiGroup> group(new MpiGroup(functions));
  int rank = 0;
  int size = 0;
  const int code = functions->open(&rank, &size);
  set_signals();  // MPI's libraries have set their own
  if (code != 0) return fail(group->error_of(code));
  group->rank_ = static_cast<std::size_t>(rank);
  group->size_ = static_cast<std::size_t>(size);
  if (group->size_ != launch.size) {
    return fail({.code = ErrorCode::inconsistent,
                 .what = launch.name + " is not the MPI whose mpirun started these processes",
                 .expected = fmt::format("{} processes", launch.size),
                 .found = std::to_string(size)});
  }
  SAMEBITS_TRY_VOID(group->get_acquainted());
  return group;
}

/// Who runs where.
Result<void> MpiGroup::get_acquainted() {
  peers_.resize(size_);
  const Json mine = {first_line("/proc/sys/kernel/random/boot_id"), processors_text(), ::getpid()};
  const std::string text = mine.dump();
  SAMEBITS_TRY(const auto all, share(*this, std::vector<std::uint8_t>(text.begin(), text.end())));
  for (std::size_t i = 0; i < size_; ++i) {
    const Json its = Json::parse(all[i].begin(), all[i].end());
    peers_[i] = {.process = its[2], .machine = its[0], .processors = its[1]};
  }
  const Peer me = peers_[rank_];
  sharing_ = static_cast<std::size_t>(std::ranges::count_if(peers_, [&](const Peer& each) {
    return each.machine == me.machine && each.processors == me.processors;
  }));
  for (Peer& each : peers_) {
    if (each.machine != me.machine || ::kill(each.process, 0) != 0) each.process = 0;
  }
  return {};
}

std::vector<std::size_t> MpiGroup::ended_ranks() const {
  std::vector<std::size_t> ended;
  for (std::size_t i = 0; i < peers_.size(); ++i) {
    if (peers_[i].process != 0 && has_ended(peers_[i].process)) ended.push_back(i);
  }
  return ended;
}

bool MpiGroup::lowest_alive() const {
  const std::vector<std::size_t> ended = ended_ranks();
  return static_cast<std::size_t>(
             std::ranges::count_if(ended, [&](std::size_t rank) { return rank < rank_; })) == rank_;
}

int MpiGroup::give_up(void* group) {
  const auto* self = static_cast<const MpiGroup*>(group);
  return !self->finishing_ && !self->ended_ranks().empty() ? 1 : 0;
}

Error MpiGroup::error_of(int code) const {
  const std::vector<std::size_t> ended = ended_ranks();
  if (!ended.empty())
    return {
        .code = ErrorCode::io,
        .what = fmt::format("{} {} of {} {} ended, and with {} the training",
                            ended.size() == 1 ? "rank" : "ranks", fmt::join(ended, ", "), size_,
                            ended.size() == 1 ? "has" : "have", ended.size() == 1 ? "it" : "them"),
        .hint =
            "What was saved is whole: samebits train --resume goes on from it, with any "
            "number of processes"};
  std::array<char, 512> text{};
  functions_->error_text(code, text.data(), text.size());
  return {.code = ErrorCode::io,
          .what = fmt::format("rank {} of {}: MPI failed: {}", rank_, size_, text.data())};
}

Result<void> MpiGroup::exchange(std::size_t to, Bytes out, std::size_t from,
                                std::span<std::uint8_t> in) {
  const Stopwatch watch(&communication_s_);
  const int code =
      functions_->exchange(static_cast<int>(to), out.data(), out.size(), static_cast<int>(from),
                           in.data(), in.size(), give_up, this);
  if (code == 0) return {};
  failed_ = true;
  return fail(error_of(code));
}

Result<void> MpiGroup::meet() {
  const double before = communication_s_;
  {
    const Stopwatch watch(&waiting_s_);
    SAMEBITS_TRY_VOID(ProcessGroup::meet());
  }
  communication_s_ = before;
  return {};
}

void MpiGroup::finish() {
  finishing_ = true;
  if (!failed_ && meet()) functions_->close();
}

void MpiGroup::abort(int status) {
  functions_->abort(status);
  ::_exit(status);
}

}  // namespace samebits
