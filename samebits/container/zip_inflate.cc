#include "samebits/container/zip_inflate.h"

#include <algorithm>
#include <limits>
#include <new>

#include <zlib.h>

#include "samebits/base/limits.h"

namespace samebits::zip {
namespace {

/// zlib's raw inflate state, released at the end of its scope.
class Inflater {
 public:
  Inflater() { ready_ = inflateInit2(&stream_, -MAX_WBITS) == Z_OK; }
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  bool ready() const { return ready_; }

  int run(Bytes in, std::span<std::uint8_t> out) {
    stream_.next_in = in.data();
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = out.data();
    stream_.avail_out = static_cast<uInt>(out.size());
    return inflate(&stream_, Z_FINISH);
  }
  std::uint64_t consumed() const { return stream_.total_in; }
  std::uint64_t produced() const { return stream_.total_out; }

 private:
  z_stream stream_{};
  bool ready_ = false;
};

}  // namespace

Result<void> inflate_entry(const ZipEntry& entry, Bytes deflated, const std::string& path,
                           std::vector<std::uint8_t>& buffer) {
  Inflater inflater;
  const auto error = [&](ErrorCode code, const std::string& what) {
    return fail({.code = code,
                 .what = "the record " + entry.name + " " + what,
                 .file = path,
                 .offset = entry.data_offset + inflater.consumed()});
  };
  std::uint64_t most = 0;
  if (!checked_mul(deflated.size(), kLimits.inflate_factor, &most)) most = kLimits.inflate_bytes;
  if (entry.size > kLimits.inflate_bytes)
    return error(ErrorCode::limit, "inflates to more than this program allows");
  if (entry.size > most)
    return error(ErrorCode::limit, "declares more bytes than it can inflate to");
  if (deflated.size() > std::numeric_limits<uInt>::max())
    return error(ErrorCode::inconsistent, "is deflated to far more bytes than it declares");
  if (!inflater.ready()) throw std::bad_alloc();

  buffer.resize(entry.size + 1);  // one more: to see where it gives more than it declares
  const int status = inflater.run(deflated, buffer);
  if (status == Z_MEM_ERROR) throw std::bad_alloc();
  if (inflater.produced() > entry.size)
    return error(ErrorCode::inconsistent, "inflates to more bytes than it declares");
  buffer.resize(inflater.produced());
  if (status == Z_BUF_ERROR)
    return error(ErrorCode::truncated, "ends before its deflated data does");
  if (status != Z_STREAM_END) return error(ErrorCode::malformed, "holds broken deflated data");
  if (inflater.produced() < entry.size)
    return error(ErrorCode::inconsistent, "inflates to fewer bytes than it declares");
  if (inflater.consumed() != deflated.size())
    return error(ErrorCode::inconsistent, "holds bytes after the end of its deflated data");
  return {};
}

}  // namespace samebits::zip
