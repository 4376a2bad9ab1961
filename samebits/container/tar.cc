#include "samebits/container/tar.h"

#include <algorithm>
#include <utility>

#include "samebits/base/limits.h"
#include "samebits/container/member_name.h"
#include "samebits/container/tar_header.h"

namespace samebits {
namespace {

using tar::Extension;
using tar::Header;
using tar::kBlock;

class TarReader {
 public:
  TarReader(Bytes file, const std::string& path) : reader_(file, path) {}

  Result<TarArchive> read() {
    while (!ended_ && reader_.remaining() > 0) SAMEBITS_TRY_VOID(read_header());
    if (!ended_) note("the archive has no end mark", reader_.offset());
    if (ended_ && !tar::is_zero(reader_.rest()))
      note("bytes follow the end of the archive", reader_.offset());
    if (next_.name || next_.size || next_.sparse)
      note("an extended header stands before no member", reader_.offset());
    note_duplicates();
    return std::move(archive_);
  }

 private:
  void note(std::string what, std::uint64_t offset) {
    archive_.notes.push_back({std::move(what), offset});
  }
  tl::unexpected<Error> error(ErrorCode code, std::string what, std::uint64_t offset) const {
    return fail({.code = code, .what = std::move(what), .file = reader_.file(), .offset = offset});
  }

  Result<void> read_header() {
    const std::uint64_t at = reader_.offset();
    SAMEBITS_TRY(const Bytes block, reader_.take(kBlock, "a tar header"));
    if (tar::is_zero(block)) {
      ended_ = true;
      return {};
    }
    SAMEBITS_TRY(Header header, tar::parse_header(block, reader_.file(), at));
    switch (header.type) {
      case 'x':
      case 'X':
      case 'g':
      case 'L':
      case 'K': return read_extension(header, at);
      case 'S':
        return error(ErrorCode::unsupported, "the member " + header.name + " is sparse", at);
      default: return read_member(std::move(header), at);
    }
  }

  /// The data of one header, and the padding after it.
  Result<Bytes> take_data(std::uint64_t size, const std::string& name) {
    SAMEBITS_TRY(const Bytes data, reader_.take(size, "the member " + name));
    const std::uint64_t padding = (kBlock - size % kBlock) % kBlock;
    // A last member without its padding is complete all the same.
    SAMEBITS_TRY_VOID(reader_.take(std::min(padding, reader_.remaining()), "padding"));
    return data;
  }

  Result<void> read_extension(const Header& header, std::uint64_t at) {
    const std::uint64_t begin = reader_.offset();
    SAMEBITS_TRY(const Bytes data, take_data(header.size, header.name));
    if (header.type == 'g') {
      Extension global;
      SAMEBITS_TRY_VOID(tar::parse_pax(data, reader_.file(), begin, global));
      if (global.name || global.size || global.sparse)
        note("a global extended header sets a name or a size, which this reader ignores", at);
      return {};
    }
    if (next_.name)
      note("a member has two extended headers, and readers differ in their choice", at);
    if (header.type == 'L') {
      const std::string_view name = as_text(data);
      next_.name = std::string(name.substr(0, name.find('\0')));
    } else if (header.type != 'K') {
      SAMEBITS_TRY_VOID(tar::parse_pax(data, reader_.file(), begin, next_));
    }
    return {};
  }

  Result<void> read_member(Header header, std::uint64_t at) {
    const Extension extension = std::exchange(next_, {});
    if (extension.name) header.name = *extension.name;
    if (extension.size) header.size = *extension.size;
    if (extension.sparse)
      return error(ErrorCode::unsupported, "the member " + header.name + " is sparse", at);
    if (archive_.members.size() >= kLimits.archive_entries)
      return error(ErrorCode::limit, "the tar archive has too many members", at);
    // Links, devices and directories have no data, whatever size their header states.
    const bool has_data = header.type < '1' || header.type > '6';
    if (!has_data && header.size != 0)
      note("the member " + header.name + " has no data, but states a size", at);
    if (header.type != '0' && header.type != '5')
      note("the member " + header.name + " is no regular file (type " + header.type + ")", at);
    if (const char* risk = member_name_risk(header.name))
      note("the member " + header.name + " has a name that " + risk, at);
    const std::uint64_t size = has_data ? header.size : 0;
    const std::uint64_t begin = reader_.offset();
    SAMEBITS_TRY_VOID(take_data(size, header.name));
    archive_.members.push_back({std::move(header.name), header.type, begin, size, at});
    return {};
  }

  void note_duplicates() {
    std::vector<const TarMember*> order;
    for (const TarMember& member : archive_.members) order.push_back(&member);
    std::ranges::sort(order, {}, [](const TarMember* member) {
      return std::pair(std::string_view(member->name), member->header);
    });
    for (std::size_t i = 1; i < order.size(); ++i)
      if (order[i - 1]->name == order[i]->name)
        note("there is more than one member " + order[i]->name, order[i]->header);
  }

  ByteReader reader_;
  TarArchive archive_;
  Extension next_;
  bool ended_ = false;
};

}  // namespace

bool TarArchive::looks_like(Bytes file) {
  if (file.size() < kBlock) return false;
  const Bytes block = file.first(kBlock);
  return tar::has_magic(block) || tar::checksum_holds(block);
}

Result<TarArchive> TarArchive::open(Bytes file, const std::string& path) {
  return TarReader(file, path).read();
}

const TarMember* TarArchive::find(std::string_view name) const {
  const auto found = std::find_if(members.rbegin(), members.rend(),
                                  [&](const TarMember& member) { return member.name == name; });
  return found == members.rend() ? nullptr : &*found;
}

}  // namespace samebits
