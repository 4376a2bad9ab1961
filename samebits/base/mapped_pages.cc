#include "samebits/base/mapped_pages.h"

#include <sys/mman.h>
#include <unistd.h>

#include <functional>

namespace samebits {
namespace {

/// 4096 bytes, or on AArch64 up to 65536.
std::uint64_t page_size() {
  static const long size = ::sysconf(_SC_PAGESIZE);
  return size > 0 ? static_cast<std::uint64_t>(size) : 4096;
}

}  // namespace

void give_back(const MappedFile& file, Bytes part) {
  const Bytes all = file.bytes();
  const std::less<> before;  // of any two pointers
  if (part.empty() || before(part.data(), all.data()) ||
      before(all.data() + all.size(), part.data() + part.size()))
    return;
  const auto offset = static_cast<std::uint64_t>(part.data() - all.data());
  // Pages that lie in it as a whole.
  const std::uint64_t begin = (offset + page_size() - 1) / page_size() * page_size();
  const std::uint64_t end = (offset + part.size()) / page_size() * page_size();
  if (begin < end)
    ::madvise(const_cast<std::uint8_t*>(all.data()) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace samebits
