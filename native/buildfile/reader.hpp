// The interface of all readers: a header and an index first, then any layer by its number.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "buildfile/model.hpp"
#include "core/byte_source.hpp"

namespace pbf::buildfile {

// An opened build file. Const functions may run in many threads at once.
class BuildReader {
  public:
    virtual ~BuildReader() = default;
    BuildReader(const BuildReader&) = delete;
    BuildReader& operator=(const BuildReader&) = delete;

    const Header& header() const noexcept { return header_; }
    const std::vector<LayerInfo>& layers() const noexcept { return layers_; }
    // What opening found wrong and went on after. Empty unless it was told to tolerate damage;
    // declared numbers that do not agree with the content (warnings) stand in `warnings`.
    const std::vector<Damage>& damage() const noexcept { return damage_; }
    const std::vector<Damage>& warnings() const noexcept { return warnings_; }
    const ByteSource& source() const noexcept { return *source_; }

    // Appends the geometries of a layer. Throws FormatError for a damaged layer, and then leaves `out`
    // as it was.
    void read_layer(std::size_t index, Geometries& out) const;

  protected:
    BuildReader(std::shared_ptr<const ByteSource> source, const Limits& limits)
        : limits_(limits), source_(std::move(source)) {}

    // Appends layer `index`, which exists; `layer` of its rows is `index`, geometry_id counts from 0.
    virtual void decode_layer(std::size_t index, Geometries& out) const = 0;

    Bytes bytes() const noexcept { return source_->bytes(); }

    // Throws limit_exceeded if adding `points` in one more geometry to what `begin` began is too much.
    void check_layer_limits(const Geometries& out, Geometries::Mark begin, std::uint64_t points,
                            std::uint64_t offset) const;

    Limits limits_;
    Header header_;
    std::vector<LayerInfo> layers_;
    std::vector<Damage> damage_;
    std::vector<Damage> warnings_;

  private:
    std::shared_ptr<const ByteSource> source_;
};

struct OpenOptions {
    Limits limits;
    // False: what is damaged throws. True: opening keeps what can be read and notes the rest in damage().
    bool tolerate_damage = false;
};

// The format of a file by its first (and, for some, last) bytes: "cli", "sli", "tlv" (mtt or slm),
// "ovf", "amxml", "zip", or "" where none is recognised.
std::string_view sniff(Bytes bytes) noexcept;

// Opens bytes as a format; throws FormatError, also for a format that is none of these.
std::unique_ptr<BuildReader> open_build(std::string_view format,
                                        std::shared_ptr<const ByteSource> source,
                                        const OpenOptions& options);

}  // namespace pbf::buildfile
