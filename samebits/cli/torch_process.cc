#include "samebits/cli/torch_process.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace samebits {
namespace {

constexpr int kNotStarted = 127;
constexpr std::size_t kLastWords = 300;

/// Says on standard output what is missing, without importing any of it.
constexpr const char* kProbe =
    "import importlib.util as u\n"
    "print(*[n for n in ('samebits', 'torch', 'transformers') if u.find_spec(n) is None], "
    "sep=', ')";

/// A file in memory that ends with this object.
class MemoryFile {
 public:
  explicit MemoryFile(const char* name) : file_(::memfd_create(name, MFD_CLOEXEC)) {}
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() {
    if (file_ >= 0) ::close(file_);
  }

  int descriptor() const { return file_; }

  std::vector<std::uint8_t> bytes() const {
    const off_t size = ::lseek(file_, 0, SEEK_END);
    std::vector<std::uint8_t> all(size > 0 ? static_cast<std::size_t>(size) : 0);
    std::size_t done = 0;
    while (done < all.size()) {
      const ssize_t got =
          ::pread(file_, all.data() + done, all.size() - done, static_cast<off_t>(done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) break;
      done += static_cast<std::size_t>(got);
    }
    all.resize(done);
    return all;
  }

 private:
  int file_;
};

struct Ended {
  int status = 0;  // as waitpid() gives it
  std::vector<std::uint8_t> output;
  std::string errors;
};

/// In the child: nothing here takes memory or a lock.
[[noreturn]] void become(char* const* words, int output, int errors, pid_t parent) {
  // Ended with the program, however that ends.
  if (::prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || ::getppid() != parent) _exit(kNotStarted);
  const int nothing = ::open("/dev/null", O_RDONLY);
  if (nothing < 0 || ::dup2(nothing, STDIN_FILENO) < 0 || ::dup2(output, STDOUT_FILENO) < 0 ||
      ::dup2(errors, STDERR_FILENO) < 0)
    _exit(kNotStarted);
  ::execvp(words[0], words);
  _exit(kNotStarted);
}

Result<Ended> run_program(std::vector<std::string> words) {
  const MemoryFile output("samebits-output");
  const MemoryFile errors("samebits-errors");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = output.descriptor() < 0 || errors.descriptor() < 0 ? -1 : ::fork();
  if (child < 0)
    return fail({.code = ErrorCode::io,
                 .what = "no process can be started: " + std::string(std::strerror(errno)),
                 .file = words[0]});
  if (child == 0) become(arguments.data(), output.descriptor(), errors.descriptor(), parent);
  Ended ended;
  while (::waitpid(child, &ended.status, 0) < 0 && errno == EINTR) {
  }
  ended.output = output.bytes();
  const std::vector<std::uint8_t> said = errors.bytes();
  ended.errors.assign(said.begin(), said.end());
  return ended;
}

bool ended_well(const Ended& ended) {
  return WIFEXITED(ended.status) && WEXITSTATUS(ended.status) == 0;
}

/// The last line that says something.
std::string last_line(std::string text) {
  text.erase(text.find_last_not_of("\r\n ") + 1);
  text.erase(0, text.rfind('\n') + 1);
  return text.substr(0, kLastWords);
}

/// What keeps this interpreter from running models; "" where nothing does.
std::string lack_of(const std::string& python) {
  const Result<Ended> ended = run_program({python, "-P", "-c", kProbe});
  if (!ended) return to_string(ended.error());
  if (WIFEXITED(ended->status) && WEXITSTATUS(ended->status) == kNotStarted)
    return "cannot be started";
  if (!ended_well(*ended)) return "is no Python 3.11 or later";
  const std::string missing = last_line(std::string(ended->output.begin(), ended->output.end()));
  return missing.empty() ? "" : "lacks " + missing;
}

std::vector<std::string> candidates() {
  const char* given = std::getenv("SAMEBITS_PYTHON");
  if (given != nullptr && *given != '\0') return {given};
  std::vector<std::string> found;
  std::error_code error;
  const std::filesystem::path own = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path beside = own.parent_path() / "python3";
  if (!error && std::filesystem::exists(beside, error)) found.push_back(beside);
  found.emplace_back("python3");
  return found;
}

}  // namespace

Result<std::string> find_torch_python() {
  std::vector<std::string> lacks;
  for (const std::string& python : candidates()) {
    const std::string lack = lack_of(python);
    if (lack.empty()) return python;
    lacks.push_back(python + " " + lack);
  }
  return fail({.code = ErrorCode::unsupported,
               .what = fmt::format("no Python can run these models: {}", fmt::join(lacks, "; ")),
               .hint = "pip install samebits torch transformers, or name a Python that has them in "
                       "SAMEBITS_PYTHON"});
}

Result<std::vector<std::uint8_t>> run_torch(const std::string& python, const std::string& module,
                                            const std::vector<std::string>& words) {
  std::vector<std::string> all = {python, "-P", "-m", "samebits." + module};
  all.insert(all.end(), words.begin(), words.end());
  SAMEBITS_TRY(Ended ended, run_program(std::move(all)));
  if (ended_well(ended)) return std::move(ended.output);
  const std::string how = WIFSIGNALED(ended.status)
                              ? fmt::format("ended by signal {}", WTERMSIG(ended.status))
                              : fmt::format("ended with status {}", WEXITSTATUS(ended.status));
  const std::string words_of_it = last_line(ended.errors);
  return fail({.code = ErrorCode::io,
               .what = "PyTorch's process " + how + (words_of_it.empty() ? "" : ": " + words_of_it),
               .file = python});
}

}  // namespace samebits
