// Runs a fuzz target without libFuzzer: on every file of the folders given on the command line, and
// on mutations of them: the same sequence in every run, as far as its time goes. That is 5
// seconds, or as many as the environment variable SAMEBITS_FUZZ_SECONDS says.
//
// An input on which the target crashes, or which takes a minute, is left in the current directory
// as NAME.crash. Exit status: 0 when the target survived everything, 2 when there was nothing to
// run.
#include <sanitizer/common_interface_defs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr double kSeconds = 5;             // for the mutations
constexpr unsigned kSecondsOfOneRun = 60;  // no input of this size may take so long
constexpr std::uint64_t kSeed = 42;
constexpr std::size_t kLargestInput = 64 << 10;

using Input = std::vector<std::uint8_t>;

const Input* current_input = nullptr;  // for save_crash() alone
std::string crash_path;

void save_crash() {
  if (current_input == nullptr) return;
  if (std::FILE* file = std::fopen(crash_path.c_str(), "wb")) {
    std::fwrite(current_input->data(), 1, current_input->size(), file);
    std::fclose(file);
    std::fprintf(stderr, "the input is in %s\n", crash_path.c_str());
  }
}

extern "C" void end_of_patience(int) {
  std::fputs("an input takes too long\n", stderr);
  std::abort();  // whose stack the sanitizer prints
}

void run(const Input& input) {
  current_input = &input;
  alarm(kSecondsOfOneRun);
  LLVMFuzzerTestOneInput(input.data(), input.size());
  current_input = nullptr;
}

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  /// In [0, bound); bound > 0.
  std::size_t below(std::size_t bound) { return next() % bound; }

 private:
  std::uint64_t state_;
};

/// Sizes and counts that break arithmetic.
std::uint64_t edge_value(Random& random, std::size_t size) {
  const std::array<std::uint64_t, 10> values = {
      0, 1, size, size + 1, 0x7f, 0xff, 0x7fffffff, 0xffffffff, 0x7fffffffffffffff, ~0ull};
  return values[random.below(values.size())];
}

void overwrite_integer(Input& input, Random& random) {
  const std::uint64_t value = edge_value(random, input.size());
  const std::size_t width = std::size_t{1} << random.below(4);
  const std::size_t begin = random.below(input.size());
  for (std::size_t i = 0; i < width && begin + i < input.size(); ++i)
    input[begin + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

void erase_range(Input& input, Random& random) {
  const std::size_t begin = random.below(input.size());
  const std::size_t count = 1 + random.below(std::min<std::size_t>(16, input.size() - begin));
  const auto first = input.begin() + static_cast<std::ptrdiff_t>(begin);
  input.erase(first, first + static_cast<std::ptrdiff_t>(count));
}

/// Copies up to 64 bytes of `donor` (possibly `input` itself) into `input`.
void insert_range(Input& input, const Input& donor, Random& random) {
  if (donor.empty()) return;
  const std::size_t begin = random.below(donor.size());
  const std::size_t count = 1 + random.below(std::min<std::size_t>(64, donor.size() - begin));
  const auto first = donor.begin() + static_cast<std::ptrdiff_t>(begin);
  const Input bytes(first, first + static_cast<std::ptrdiff_t>(count));
  const auto place = static_cast<std::ptrdiff_t>(random.below(input.size() + 1));
  input.insert(input.begin() + place, bytes.begin(), bytes.end());
}

void mutate_once(Input& input, const Input& donor, Random& random) {
  if (input.empty()) return insert_range(input, donor, random);
  switch (random.below(7)) {
    case 0:
      input[random.below(input.size())] ^= static_cast<std::uint8_t>(1u << random.below(8));
      break;
    case 1: input[random.below(input.size())] = static_cast<std::uint8_t>(random.next()); break;
    case 2: overwrite_integer(input, random); break;
    case 3: erase_range(input, random); break;
    case 4: insert_range(input, input, random); break;
    case 5: insert_range(input, donor, random); break;
    default: input.resize(random.below(input.size())); break;
  }
}

double seconds_to_run() {
  const char* text = std::getenv("SAMEBITS_FUZZ_SECONDS");
  return text == nullptr ? kSeconds : std::strtod(text, nullptr);
}

/// One mutation of each file after the other, until the time is over; how many.
std::size_t run_mutations(const std::vector<Input>& corpus, Random& random) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::duration<double>(seconds_to_run());
  std::size_t count = 0;
  for (; Clock::now() < end; ++count) {
    Input input = corpus[count % corpus.size()];
    const std::size_t steps = 1 + random.below(4);
    for (std::size_t step = 0; step < steps; ++step)
      mutate_once(input, corpus[random.below(corpus.size())], random);
    if (input.size() <= kLargestInput) run(input);
  }
  return count;
}

/// The files of a folder in the order of their names, or one file.
std::vector<Input> read_corpus(const std::string& path) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(path)) {
    for (const auto& entry : std::filesystem::directory_iterator(path))
      files.push_back(entry.path());
  } else {
    files.emplace_back(path);
  }
  std::sort(files.begin(), files.end());
  std::vector<Input> corpus;
  for (const auto& file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) continue;
    corpus.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  return corpus;
}

}  // namespace

int main(int argc, char** argv) {
  crash_path = std::filesystem::path(argv[0]).filename().string() + ".crash";
  __sanitizer_set_death_callback(save_crash);
  std::signal(SIGALRM, end_of_patience);
  std::vector<Input> corpus;
  for (int i = 1; i < argc; ++i) {
    for (Input& input : read_corpus(argv[i])) corpus.push_back(std::move(input));
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "usage: %s FOLDER-OR-FILE...: nothing to run there\n", argv[0]);
    return 2;
  }
  for (const Input& input : corpus) run(input);
  Random random(kSeed);
  const std::size_t count = run_mutations(corpus, random);
  run({});
  std::printf("%zu files, %zu mutations of them\n", corpus.size(), count);
  return 0;
}
