// The interface of all writers: a header, then layer by layer, in bounded memory.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "buildfile/model.hpp"

namespace pbf::buildfile {

// Where written bytes go.
class ByteSink {
  public:
    virtual ~ByteSink() = default;
    virtual void write(const void* data, std::size_t size) = 0;
    // Writes over bytes that were written before.
    virtual void patch(std::uint64_t offset, const void* data, std::size_t size) = 0;
    // Makes sure that what was written can be read; throws FormatError(io) if it cannot.
    virtual void flush() {}
    std::uint64_t position() const noexcept { return position_; }

    template <typename T>
    void put(T value) {
        write(&value, sizeof(T));
    }
    void put_text(std::string_view text) { write(text.data(), text.size()); }

  protected:
    std::uint64_t position_ = 0;
};

class MemorySink final : public ByteSink {
  public:
    void write(const void* data, std::size_t size) override;
    void patch(std::uint64_t offset, const void* data, std::size_t size) override;
    std::vector<std::uint8_t> take() noexcept { return std::move(bytes_); }
    const std::vector<std::uint8_t>& bytes() const noexcept { return bytes_; }

  private:
    std::vector<std::uint8_t> bytes_;
};

// A file, written anew; errors are FormatError(io).
std::unique_ptr<ByteSink> open_file_sink(const std::string& path);

// The geometries of one layer: columns as in Geometries, offsets into x_mm and y_mm.
struct LayerView {
    double z_mm;
    std::span<const std::uint8_t> kind;
    std::span<const std::int32_t> model_id;
    std::span<const std::int32_t> build_style_id;
    std::span<const std::int32_t> laser_id;
    std::span<const std::uint8_t> closed;
    std::span<const std::int64_t> offset;
    std::span<const std::int64_t> count;
    std::span<const float> x_mm;
    std::span<const float> y_mm;
};

// Options by name, each format its own: {"variant": "ascii"}, {"unit_mm": "0.01"}.
using WriteOptions = std::vector<std::pair<std::string, std::string>>;

// Writes one build: begin() once, layer() for each layer from the bottom, finish() once.
// What the format cannot hold throws not_representable (a coordinate out of range, for example) or,
// where it is only left out (a laser id, a build style), is named once in lost().
class BuildWriter {
  public:
    virtual ~BuildWriter() = default;
    virtual void begin(const Header& header) = 0;
    virtual void layer(const LayerView& layer) = 0;
    virtual void finish() = 0;
    const std::vector<std::string>& lost() const noexcept { return lost_; }

  protected:
    void lose(const std::string& what);
    std::vector<std::string> lost_;
};

// The writer of a format; `sink` outlives it. Throws FormatError for an unknown format or option.
std::unique_ptr<BuildWriter> make_writer(std::string_view format, ByteSink& sink,
                                         const WriteOptions& options);

}  // namespace pbf::buildfile
