// Ranks that are threads of one process, for tests of what several ranks do.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "samebits/train/process_group.h"

namespace samebits::test_ranks {

/// What is on its way, by sender and receiver.
struct Mailboxes {
  std::mutex mutex;
  std::condition_variable filled;
  std::map<std::pair<std::size_t, std::size_t>, std::deque<std::vector<std::uint8_t>>> messages;
};

class ThreadGroup : public ProcessGroup {
 public:
  ThreadGroup(Mailboxes& mail, std::size_t rank, std::size_t size)
      : mail_(mail), rank_(rank), size_(size) {}

  std::size_t rank() const override { return rank_; }
  std::size_t size() const override { return size_; }

  Result<void> exchange(std::size_t to, Bytes out, std::size_t from,
                        std::span<std::uint8_t> in) override {
    std::unique_lock lock(mail_.mutex);
    mail_.messages[{rank_, to}].emplace_back(out.begin(), out.end());
    mail_.filled.notify_all();
    auto& box = mail_.messages[{from, rank_}];
    mail_.filled.wait(lock, [&] { return !box.empty(); });
    SAMEBITS_CHECK(box.front().size() == in.size());
    std::copy(box.front().begin(), box.front().end(), in.begin());
    box.pop_front();
    return {};
  }

 private:
  Mailboxes& mail_;
  std::size_t rank_, size_;
};

/// `body` on so many ranks at a time; nothing may be left in the mailboxes.
inline void run_ranks(std::size_t size, const std::function<void(ProcessGroup&)>& body) {
  Mailboxes mail;
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < size; ++rank)
    threads.emplace_back([&mail, &body, rank, size] {
      ThreadGroup group(mail, rank, size);
      body(group);
    });
  for (std::thread& thread : threads) thread.join();
  for (const auto& [pair, box] : mail.messages) SAMEBITS_CHECK(box.empty());
}

}  // namespace samebits::test_ranks
