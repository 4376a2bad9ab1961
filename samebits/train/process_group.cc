#include "samebits/train/process_group.h"

#include <algorithm>

#include <fmt/format.h>

#include "samebits/base/json.h"

namespace samebits {
namespace {

using Message = std::vector<std::uint8_t>;

// The first byte of a message says what follows.
constexpr std::uint8_t kGood = 0;
constexpr std::uint8_t kFailed = 1;

Message message_of(const Result<Message>& mine) {
  Message message = {mine ? kGood : kFailed};
  if (mine) {
    message.insert(message.end(), mine->begin(), mine->end());
    return message;
  }
  const Error& error = mine.error();
  Json fields = {static_cast<int>(error.code),
                 error.what,
                 error.file,
                 error.expected,
                 error.found,
                 error.hint};
  if (error.offset) fields.push_back(*error.offset);
  const std::string text = fields.dump(-1, ' ', false, Json::error_handler_t::replace);
  message.insert(message.end(), text.begin(), text.end());
  return message;
}

Error error_of(const Message& message) {
  const Json fields = Json::parse(message.begin() + 1, message.end());
  Error error = {.code = static_cast<ErrorCode>(fields[0].get<int>()),
                 .what = fields[1],
                 .file = fields[2],
                 .expected = fields[3],
                 .found = fields[4],
                 .hint = fields[5]};
  if (fields.size() > 6) error.offset = fields[6];
  return error;
}

/// Of the lowest rank that failed.
Error first_error(const std::vector<Message>& all) {
  const auto failed = [](const Message& message) { return message[0] == kFailed; };
  const auto found = std::ranges::find_if(all, failed);
  Error error = error_of(*found);
  const bool said_by_all =
      std::ranges::all_of(all, [&](const Message& message) { return message == *found; });
  if (!said_by_all)
    error.what = fmt::format("rank {} of {}: {}", found - all.begin(), all.size(), error.what);
  return error;
}

/// Everybody's message. Sizes go first.
Result<std::vector<Message>> share_messages(ProcessGroup& group, const Message& mine) {
  const std::size_t size = group.size();
  std::vector<Message> all(size);
  all[group.rank()] = mine;
  const std::uint64_t my_size = mine.size();
  for (std::size_t apart = 1; apart < size; ++apart) {
    const std::size_t to = (group.rank() + apart) % size;
    const std::size_t from = (group.rank() + size - apart) % size;
    std::uint64_t its_size = 0;
    SAMEBITS_TRY_VOID(
        group.exchange(to, {reinterpret_cast<const std::uint8_t*>(&my_size), sizeof my_size}, from,
                       {reinterpret_cast<std::uint8_t*>(&its_size), sizeof its_size}));
    all[from].resize(its_size);
    SAMEBITS_TRY_VOID(group.exchange(to, mine, from, all[from]));
  }
  return all;
}

}  // namespace

Result<void> ProcessGroup::meet() {
  for (std::size_t apart = 1; apart < size(); ++apart) {
    const std::uint8_t out = 0;
    std::uint8_t in = 0;
    SAMEBITS_TRY_VOID(exchange((rank() + apart) % size(), {&out, 1},
                               (rank() + size() - apart) % size(), {&in, 1}));
  }
  return {};
}

Result<void> OneProcess::exchange(std::size_t, Bytes, std::size_t, std::span<std::uint8_t>) {
  SAMEBITS_CHECK(false && "one process has nobody to talk to");
  return {};
}

Result<std::vector<Message>> share(ProcessGroup& group, const Result<Message>& mine) {
  if (group.size() == 1)
    return mine.map([](const Message& bytes) { return std::vector<Message>(1, bytes); });
  SAMEBITS_TRY_VOID(group.meet());
  SAMEBITS_TRY(std::vector<Message> all, share_messages(group, message_of(mine)));
  for (const Message& message : all) {
    if (message[0] == kFailed) return fail(first_error(all));
  }
  for (Message& message : all) message.erase(message.begin());
  return all;
}

Result<void> agree(ProcessGroup& group, const Result<void>& mine) {
  SAMEBITS_TRY_VOID(share(group, mine.map([] { return Message(); })));
  return {};
}

}  // namespace samebits
