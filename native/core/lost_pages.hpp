// Files that are cut while they are mapped: to touch a page that is gone raises SIGBUS, which ends the
// process. A map that stands in the book here gets empty pages in their place, and is told.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace pbf {

// One map in the book. Entries are used again and never freed, because a signal may look at any time.
struct MapEntry {
    std::atomic<std::uintptr_t> first{0};
    std::atomic<std::size_t> size{0};
    std::atomic<bool> free{false};
    std::atomic<bool> lost_pages{false};
    MapEntry* next = nullptr;
};

// Keeps a map in the book for as long as it lives; has to go before the map does.
class WatchedMap {
  public:
    WatchedMap(const void* first, std::size_t size);
    ~WatchedMap();
    WatchedMap(const WatchedMap&) = delete;
    WatchedMap& operator=(const WatchedMap&) = delete;

    // Whether pages of it were gone when they were read: what was read then was zeros.
    bool lost_pages() const noexcept { return entry_->lost_pages.load(std::memory_order_acquire); }

  private:
    MapEntry* entry_;
};

}  // namespace pbf
