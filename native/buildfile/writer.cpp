#include "buildfile/writer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace pbf::buildfile {
namespace {

class FileSink final : public ByteSink {
  public:
    FileSink(std::FILE* file) noexcept : file_(file) {}
    ~FileSink() override { std::fclose(file_); }

    void write(const void* data, std::size_t size) override {
        if (size != 0 && std::fwrite(data, 1, size, file_) != size) {
            fail();
        }
        position_ += size;
    }

    void patch(std::uint64_t offset, const void* data, std::size_t size) override {
        if (::fseeko(file_, static_cast<off_t>(offset), SEEK_SET) != 0 ||
            std::fwrite(data, 1, size, file_) != size || ::fseeko(file_, 0, SEEK_END) != 0) {
            fail();
        }
    }

    void flush() override {
        if (std::fflush(file_) != 0) {
            fail();
        }
    }

  private:
    [[noreturn]] void fail() const {
        throw FormatError(ErrorCode::io, position_,
                          std::string("the file cannot be written: ") + std::strerror(errno));
    }
    std::FILE* file_;
};

}  // namespace

void MemorySink::write(const void* data, std::size_t size) {
    const auto* first = static_cast<const std::uint8_t*>(data);
    bytes_.insert(bytes_.end(), first, first + size);
    position_ += size;
}

void MemorySink::patch(std::uint64_t offset, const void* data, std::size_t size) {
    std::memcpy(bytes_.data() + offset, data, size);
}

std::unique_ptr<ByteSink> open_file_sink(const std::string& path) {
    std::FILE* file = std::fopen(path.c_str(), "wbe");
    if (file == nullptr) {
        throw FormatError(ErrorCode::io, 0,
                          std::string("the file cannot be made: ") + std::strerror(errno));
    }
    return std::make_unique<FileSink>(file);
}

void BuildWriter::lose(const std::string& what) {
    if (std::find(lost_.begin(), lost_.end(), what) == lost_.end()) {
        lost_.push_back(what);
    }
}

}  // namespace pbf::buildfile
