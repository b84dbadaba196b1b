#include "core/lost_pages.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <mutex>

namespace pbf {
namespace {

std::atomic<MapEntry*> book{nullptr};
std::mutex handling;  // who installs the handler
struct sigaction before {};  // what was there, for faults that are not ours
std::atomic<bool> gave_up{false};
std::size_t page_bytes = 4096;

// Of a fault in a map of the book: puts empty pages from there to the end of the map. A file is cut at its
// end, so what stands behind is gone as well. Only calls that are safe in a handler.
bool mend(std::uintptr_t at) noexcept {
    for (MapEntry* entry = book.load(std::memory_order_acquire); entry != nullptr;
         entry = entry->next) {
        const std::uintptr_t first = entry->first.load(std::memory_order_acquire);
        const std::size_t size = entry->size.load(std::memory_order_acquire);
        if (size == 0 || at < first || at - first >= size) {
            continue;
        }
        const std::uintptr_t page = at / page_bytes * page_bytes;
        void* const got = ::mmap(reinterpret_cast<void*>(page), first + size - page, PROT_READ,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
        if (got == MAP_FAILED) {
            return false;
        }
        entry->lost_pages.store(true, std::memory_order_release);
        return true;
    }
    return false;
}

void on_bus_error(int signal, siginfo_t* info, void*) {
    if (info->si_code > 0 && mend(reinterpret_cast<std::uintptr_t>(info->si_addr))) {
        return;  // to the same instruction, which now finds a page
    }
    // Not ours: as if this handler had never been here. A second time would mean that the one before
    // leads back to this one.
    struct sigaction ends {};
    ends.sa_handler = SIG_DFL;
    ::sigaction(signal, gave_up.exchange(true) ? &ends : &before, nullptr);
    if (info->si_code <= 0) {
        ::raise(signal);  // sent, not caused: nothing will raise it again
    }
}

// Installs the handler, also where somebody has installed another since.
void watch_bus_errors() noexcept {
    const std::lock_guard guard(handling);
    struct sigaction now {};
    if (::sigaction(SIGBUS, nullptr, &now) != 0 ||
        ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_bus_error)) {
        return;
    }
    before = now;
    page_bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    struct sigaction ours {};
    ours.sa_sigaction = on_bus_error;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    ::sigemptyset(&ours.sa_mask);
    ::sigaction(SIGBUS, &ours, nullptr);
}

MapEntry* take_entry() {
    for (MapEntry* entry = book.load(std::memory_order_acquire); entry != nullptr;
         entry = entry->next) {
        bool is_free = true;
        if (entry->free.compare_exchange_strong(is_free, false)) {
            return entry;
        }
    }
    auto* const entry = new MapEntry;
    entry->next = book.load(std::memory_order_relaxed);
    while (!book.compare_exchange_weak(entry->next, entry, std::memory_order_release,
                                       std::memory_order_relaxed)) {
    }
    return entry;
}

}  // namespace

WatchedMap::WatchedMap(const void* first, std::size_t size) : entry_(take_entry()) {
    entry_->lost_pages.store(false, std::memory_order_relaxed);
    entry_->first.store(reinterpret_cast<std::uintptr_t>(first), std::memory_order_release);
    entry_->size.store(size, std::memory_order_release);
    watch_bus_errors();
}

WatchedMap::~WatchedMap() {
    entry_->size.store(0, std::memory_order_release);
    entry_->free.store(true, std::memory_order_release);
}

}  // namespace pbf
