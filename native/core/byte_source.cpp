#include "core/byte_source.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "core/lost_pages.hpp"

namespace pbf {
namespace {

[[noreturn]] void fail_io(const std::string& what, int error) {
    throw FormatError(ErrorCode::io, 0, what + ": " + std::strerror(error));
}

class MappedFile final : public ByteSource {
  public:
    MappedFile(int descriptor, void* address, const struct stat& facts)
        : ByteSource(Bytes(static_cast<const std::uint8_t*>(address),
                           static_cast<std::size_t>(facts.st_size))),
          descriptor_(descriptor),
          address_(address),
          changed_(facts.st_mtim) {
        if (address_ != nullptr) {
            watched_.emplace(address_, size());
        }
    }

    ~MappedFile() override {
        watched_.reset();
        if (address_ != nullptr) {
            ::munmap(address_, size());
        }
        ::close(descriptor_);
    }

    void release(std::size_t first, std::size_t last) const noexcept override {
        // Whole pages only, and none that [first, last) shares with its neighbours.
        const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
        const std::size_t begin = (first + page - 1) / page * page;
        const std::size_t end = last == size() ? last : last / page * page;
        if (address_ != nullptr && begin < end) {
            ::madvise(static_cast<std::uint8_t*>(address_) + begin, end - begin, MADV_DONTNEED);
        }
    }

    void check_unchanged() const override {
        struct stat facts {};
        if (::fstat(descriptor_, &facts) != 0) {
            fail_io("the file cannot be looked at", errno);
        }
        const auto now = static_cast<std::uint64_t>(facts.st_size);
        if (now < size() || (watched_ && watched_->lost_pages())) {
            throw FormatError(ErrorCode::io, std::min<std::uint64_t>(now, size()),
                              "the file has become shorter since it was opened");
        }
        if (now != size() || facts.st_mtim.tv_sec != changed_.tv_sec ||
            facts.st_mtim.tv_nsec != changed_.tv_nsec) {
            throw FormatError(ErrorCode::io, 0, "the file has been written to since it was opened");
        }
    }

  private:
    int descriptor_;
    void* address_;
    struct timespec changed_;
    std::optional<WatchedMap> watched_;
};

}  // namespace

std::shared_ptr<const ByteSource> map_file(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        fail_io("the file cannot be opened", errno);
    }
    struct stat facts {};
    if (::fstat(descriptor, &facts) != 0) {
        const int error = errno;
        ::close(descriptor);
        fail_io("the file cannot be looked at", error);
    }
    if (!S_ISREG(facts.st_mode)) {
        ::close(descriptor);
        throw FormatError(ErrorCode::io, 0, "it is not a regular file");
    }
    const auto size = static_cast<std::size_t>(facts.st_size);
    void* address = nullptr;
    if (size > 0) {
        address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (address == MAP_FAILED) {
            const int error = errno;
            ::close(descriptor);
            fail_io("the file cannot be mapped", error);
        }
    }
    return std::make_shared<MappedFile>(descriptor, address, facts);
}

}  // namespace pbf
