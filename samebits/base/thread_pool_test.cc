#include "samebits/base/thread_pool.h"

#include <chrono>
#include <new>
#include <stdexcept>
#include <string>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace samebits {
namespace {

TEST(ThreadPool, CallsEveryItemOnce) {
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::size_t count : {0U, 1U, 2U, 100U}) {
      std::vector<int> calls(count, 0);
      pool.run(count, [&](std::size_t i) { ++calls[i]; });
      EXPECT_EQ(calls, std::vector<int>(count, 1));
    }
  }
}

TEST(ThreadPool, ManyShortRunsFollowEachOther) {
  ThreadPool pool(3);
  std::atomic<std::size_t> sum = 0;
  for (int round = 0; round < 2000; ++round) pool.run(5, [&](std::size_t i) { sum += i; });
  EXPECT_EQ(sum, 2000U * 10);
}

TEST(ThreadPool, ItemsAreHandedOutTogether) {
  ThreadPool pool(4);
  for (const std::size_t together : {0U, 1U, 3U, 99U, 100U, 1000U}) {
    std::vector<int> calls(100, 0);
    pool.run(calls.size(), [&](std::size_t i) { ++calls[i]; }, together);
    EXPECT_EQ(calls, std::vector<int>(100, 1)) << together;
  }
}

TEST(ThreadPool, WorkThatIsWorthNoThreadStartsNone) {
  int started = 0;
  ThreadPool pool(4, [&](std::function<void()> work) {
    ++started;
    return try_start(std::move(work));
  });
  const auto caller = std::this_thread::get_id();
  const auto body = [&](std::size_t) { EXPECT_EQ(std::this_thread::get_id(), caller); };
  pool.run(1, body);
  pool.run(100, body, 100);
  EXPECT_EQ(started, 0);
  pool.run(100, [](std::size_t) {}, 50);
  EXPECT_EQ(started, 1);  // two pieces
  pool.run(100, [](std::size_t) {});
  EXPECT_EQ(started, 3);
}

/// Whether a second thread takes part: the first item waits for it a while.
bool is_helped(ThreadPool& pool, std::size_t together, int milliseconds) {
  std::atomic<bool> helped = false;
  pool.run(
      4,
      [&](std::size_t item, std::size_t thread) {
        helped = helped || thread > 0;
        for (int i = 0; item == 0 && i < 10 * milliseconds && !helped; ++i)
          std::this_thread::sleep_for(std::chrono::microseconds(100));
      },
      together);
  return helped;
}

TEST(ThreadPool, WhereNobodyComesInTimeTheCallerWorksAloneForAWhile) {
  std::atomic<bool> away = true;
  ThreadPool pool(2, [&](std::function<void()> work) {
    return try_start([&away, work = std::move(work)] {
      while (away) std::this_thread::sleep_for(std::chrono::microseconds(100));
      work();
    });
  });
  for (int round = 0; round < 100; ++round) pool.run(4, [](std::size_t) {}, 2);
  away = false;
  EXPECT_TRUE(is_helped(pool, 1, 1000)) << "items that are large by themselves are handed out";
  EXPECT_FALSE(is_helped(pool, 2, 20));
  bool helped = false;
  for (int round = 0; round < 6000 && !helped; ++round) helped = is_helped(pool, 2, 2);
  EXPECT_TRUE(helped) << "others are asked again some time";
}

TEST(ThreadPool, NoTwoCallsAtATimeHaveOneThread) {
  ThreadPool pool(3);
  std::vector<std::atomic<int>> inside(3);
  pool.run(300, [&](std::size_t, std::size_t thread) {
    EXPECT_EQ(++inside.at(thread), 1);
    std::this_thread::yield();
    --inside[thread];
  });
}

TEST(ThreadPool, TheExceptionOfTheLowestItemIsThrown) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 100; ++round) {
      const auto body = [](std::size_t i) {
        if (i % 10 == 7) throw std::runtime_error(std::to_string(i));
      };
      try {
        pool.run(100, body, static_cast<std::size_t>(1 + round % 4));
        FAIL() << "nothing was thrown";
      } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "7");
      }
    }
    std::vector<int> calls(50, 0);  // the pool is as good as before
    pool.run(calls.size(), [&](std::size_t i) { ++calls[i]; });
    EXPECT_EQ(calls, std::vector<int>(50, 1));
  }
}

TEST(ThreadPool, ItemsBehindOneThatFailedAreLeftOut) {
  ThreadPool pool(3);
  std::atomic<int> calls = 0;
  const auto body = [&](std::size_t) {
    ++calls;
    throw std::bad_alloc();
  };
  EXPECT_THROW(pool.run(100'000, body), std::bad_alloc);
  EXPECT_LE(calls, 3);  // each thread stops at the first
}

TEST(ThreadPool, WhereTheSystemHasNoMoreThreadsThereAreFewer) {
  for (const int available : {0, 1, 2}) {
    int started = 0;
    ThreadPool pool(4, [&](std::function<void()> work) {
      return started++ < available ? try_start(std::move(work)) : std::thread();
    });
    for (int round = 0; round < 3; ++round) {
      std::vector<int> calls(100, 0);
      pool.run(calls.size(), [&](std::size_t i) { ++calls[i]; });
      EXPECT_EQ(calls, std::vector<int>(100, 1));
      EXPECT_EQ(pool.threads(), available + 1);
    }
    EXPECT_EQ(started, available + 1) << "it asks no more once it was refused";
  }
}

// As under ulimit -u, which counts the threads of a user: a child without privileges may not start
// one more.
TEST(ThreadPool, TheSystemsOwnRefusalIsNoEnd) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none = {1, 1};
    if (setgid(65534) != 0 || setuid(65534) != 0 || setrlimit(RLIMIT_NPROC, &none) != 0) _exit(3);
    std::atomic<int> sum = 0;
    ThreadPool pool(4);
    pool.run(100, [&](std::size_t i) { sum += static_cast<int>(i); });
    _exit(sum == 4950 && pool.threads() == 1 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 3) GTEST_SKIP() << "needs to run as root";
  EXPECT_EQ(status, 0);
}

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

TEST(ThreadPool, WhoWaitsGivesItsProcessorAway) {
  ThreadPool pool(3);
  pool.run(3, [](std::size_t) {});
  const double before = processor_seconds();
  // Two workers wait for work here, and then the caller for the one that has some.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto caller = std::this_thread::get_id();
  std::atomic<bool> begun = false;
  pool.run(2, [&](std::size_t) {
    if (std::this_thread::get_id() == caller) {
      for (int i = 0; i < 100 && !begun; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } else {
      begun = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  });
  EXPECT_LT(processor_seconds() - before, 0.05);
}

TEST(ThreadPool, LessThanOneThreadIsOne) { EXPECT_EQ(ThreadPool(0).threads(), 1); }

}  // namespace
}  // namespace samebits
