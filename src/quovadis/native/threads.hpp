// A pool of threads that share out numbered jobs. Each thread has scratch memory that is kept between kernels.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace quovadis {

class Scratch {
 public:
  ~Scratch() { std::free(memory_); }
  // At least `bytes`, aligned to a cache line; what was there before is lost.
  void* reserve(std::size_t bytes) {
    if (bytes > size_) {
      std::free(memory_);
      size_ = (bytes + kPage - 1) / kPage * kPage;
      memory_ = std::aligned_alloc(kPage, size_);
      if (memory_ == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
      // One page in place of 512: kernels jump about in it.
      madvise(memory_, size_, MADV_HUGEPAGE);
#endif
    }
    return memory_;
  }

 private:
  static constexpr std::size_t kPage = 1 << 21;
  void* memory_ = nullptr;
  std::size_t size_ = 0;
};

using Job = std::function<void(std::int64_t job, Scratch& scratch)>;

class Threads {
 public:
  explicit Threads(int count) : scratch_(count) {
    for (int i = 1; i < count; ++i) workers_.emplace_back([this, i] { work(i); });
  }

  ~Threads() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      ++generation_;
    }
    wake_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  // Scratch memory that all threads share, kept and lost like theirs.
  void* reserve_shared(std::size_t bytes) { return shared_.reserve(bytes); }

  // Runs jobs 0 … count - 1, in no order, and returns when all are done. One call at a time.
  void run(std::int64_t count, const Job& job) {
    if (workers_.empty() || count < 2) {
      for (std::int64_t i = 0; i < count; ++i) job(i, scratch_[0]);
      return;
    }
    job_ = &job;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    busy_.store(static_cast<int>(workers_.size()), std::memory_order_relaxed);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ++generation_;
    }
    wake_.notify_all();
    take(0);
    for (int spins = 0; spins < kSpins; ++spins)
      if (busy_.load(std::memory_order_acquire) == 0) return;
    // Another program, or the decoder, has a worker's processor: once this one is idle the worker can move here.
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [&] { return busy_.load(std::memory_order_acquire) == 0; });
  }

 private:
  // Kernels follow each other within microseconds: a short wait costs less than going to sleep.
  static constexpr int kSpins = 20000;

  void take(int thread) {
    for (;;) {
      const std::int64_t i = next_.fetch_add(1, std::memory_order_relaxed);
      if (i >= count_) return;
      (*job_)(i, scratch_[thread]);
    }
  }

  void work(int thread) {
    std::uint64_t seen = 0;
    for (;;) {
      for (int spins = 0; generation_.load(std::memory_order_acquire) == seen && spins < kSpins; ++spins) {
      }
      if (generation_.load(std::memory_order_acquire) == seen) {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_acquire) != seen; });
      }
      seen = generation_.load(std::memory_order_acquire);
      if (stopping_) return;
      take(thread);
      if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        { std::lock_guard<std::mutex> lock(mutex_); }
        done_.notify_one();
      }
    }
  }

  std::vector<Scratch> scratch_;
  Scratch shared_;
  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<std::int64_t> next_{0};
  std::atomic<int> busy_{0};
  const Job* job_ = nullptr;
  std::int64_t count_ = 0;
  bool stopping_ = false;
};

}  // namespace quovadis
