// OVF, written: work planes as they come, then the job's shell and the tables.
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "buildfile/formats.hpp"
#include "buildfile/ovf.hpp"

namespace pbf::buildfile {
namespace {

using namespace ovf;

// Most bytes of a message: what other readers of protobuf take.
constexpr std::uint64_t kMostMessageBytes = 0x7fffffff;

struct Bounds {
    float x_min = std::numeric_limits<float>::infinity();
    float y_min = std::numeric_limits<float>::infinity();
    float x_max = -std::numeric_limits<float>::infinity();
    float y_max = -std::numeric_limits<float>::infinity();

    void add(float x, float y) noexcept {
        x_min = std::min(x_min, x);
        y_min = std::min(y_min, y);
        x_max = std::max(x_max, x);
        y_max = std::max(y_max, y);
    }
    void add(const Bounds& other) noexcept {
        add(other.x_min, other.y_min);
        add(other.x_max, other.y_max);
    }
    bool empty() const noexcept { return x_min > x_max; }
    WireWriter message() const {
        WireWriter out;
        out.float32(1, x_min);
        out.float32(2, y_min);
        out.float32(3, x_max);
        out.float32(4, y_max);
        return out;
    }
};

class OvfWriter final : public BuildWriter {
  public:
    OvfWriter(ByteSink& sink, const WriteOptions& options) : sink_(sink) {
        if (!options.empty()) {
            throw FormatError(ErrorCode::unsupported, 0,
                              "OVF has no option '" + options.front().first + "'");
        }
    }

    void begin(const Header& header) override {
        header_ = header;
        number_styles();
        name_job_losses(header_, [this](const std::string& what) { lose(what); });
        sink_.put_text(kMagic);
        sink_.put(std::int64_t{0});
    }

    void layer(const LayerView& layer) override {
        const std::uint64_t begin = sink_.position();
        planes_.push_back(begin);
        sink_.put(std::int64_t{0});
        WireWriter positions;
        Bounds bounds;
        std::int64_t blocks = 0;
        for (std::size_t row = 0; row < layer.kind.size(); ++row) {
            if (layer.kind[row] == static_cast<std::uint8_t>(Kind::jump)) {
                lose("jumps: OVF has none, a scanner jumps between blocks");
                continue;
            }
            positions.varint(sink_.position());
            put_block(layer, row, bounds);
            ++blocks;
        }
        const std::uint64_t shell = sink_.position();
        put_delimited(plane_shell(layer.z_mm, blocks, bounds));
        WireWriter table;
        table.unsigned_number(lut::kShell, shell);
        if (blocks > 0) {
            table.text(lut::kPositions, positions.bytes());
        }
        patch(begin, sink_.position());
        put_delimited(table);
        if (!bounds.empty()) {
            bounds_.add(bounds);
        }
    }

    void finish() override {
        const std::uint64_t shell = sink_.position();
        const JobLosses lose_one = [this](const std::string& what) { lose(what); };
        put_delimited(job_shell(header_, keys_, planes_.size(),
                                bounds_.empty() ? WireWriter() : bounds_.message(), lose_one));
        WireWriter positions;
        for (const std::uint64_t plane : planes_) {
            positions.varint(plane);
        }
        WireWriter table;
        table.unsigned_number(lut::kShell, shell);
        if (!planes_.empty()) {
            table.text(lut::kPositions, positions.bytes());
        }
        patch(kMagic.size(), sink_.position());
        put_delimited(table);
    }

  private:
    // Styles may belong to models elsewhere; here one number names one style. Those that share a
    // number get new ones.
    void number_styles() {
        std::set<std::int32_t> taken;
        for (const BuildStyle& style : header_.build_styles) {
            taken.insert(style.build_style_id);
        }
        std::set<std::int32_t> given;
        std::int32_t next = 0;
        for (const BuildStyle& style : header_.build_styles) {
            std::int32_t key = style.build_style_id;
            if (key == kNoId || !given.insert(key).second) {
                if (key != kNoId) {
                    lose("numbers of build styles that several models share");
                }
                while (taken.contains(next)) {
                    ++next;
                }
                key = next;
                taken.insert(key);
                given.insert(key);
            }
            keys_.push_back(key);
            numbers_.try_emplace({style.model_id, style.build_style_id}, key);
            has_style_zero_ |= key == 0;
        }
    }

    std::int32_t key_of(std::int32_t model, std::int32_t style) const {
        for (const std::int32_t owner : {model, kNoId}) {
            const auto found = numbers_.find({owner, style});
            if (found != numbers_.end()) {
                return found->second;
            }
        }
        return style;
    }

    void put_block(const LayerView& layer, std::size_t row, Bounds& bounds) {
        const auto kind = static_cast<Kind>(layer.kind[row]);
        const auto first = static_cast<std::size_t>(layer.offset[row]);
        const auto count = static_cast<std::size_t>(layer.count[row]);
        if (kind == Kind::hatch && count % 2 != 0) {
            fail("a hatch has half a vector");
        }
        interleaved_.resize(2 * count);
        for (std::size_t point = 0; point < count; ++point) {
            const float x = layer.x_mm[first + point];
            const float y = layer.y_mm[first + point];
            if (!std::isfinite(x) || !std::isfinite(y)) {
                fail("a coordinate is not finite");
            }
            interleaved_[2 * point] = x;
            interleaved_[2 * point + 1] = y;
            bounds.add(x, y);
        }
        const std::uint64_t payload = interleaved_.size() * sizeof(float);
        const std::uint64_t points =
            payload == 0 ? 0 : 1 + varint_size(payload) + payload;  // the message of the points
        ids_.clear();
        put_ids(layer, row);
        const std::uint64_t whole = 1 + varint_size(points) + points + ids_.bytes().size();
        if (whole > kMostMessageBytes) {
            fail("a geometry of " + std::to_string(whole) + " bytes is more than a message holds");
        }
        head_.clear();
        head_.varint(whole);
        head_.tag(kind == Kind::contour ? block::kLines
                                        : (kind == Kind::hatch ? block::kHatches : block::kPoints),
                  WireType::length);
        head_.varint(points);
        if (payload > 0) {
            head_.tag(1, WireType::length);
            head_.varint(payload);
        }
        sink_.put_text(head_.bytes());
        sink_.write(interleaved_.data(), static_cast<std::size_t>(payload));
        sink_.put_text(ids_.bytes());
    }

    void put_ids(const LayerView& layer, std::size_t row) {
        const std::int32_t model = layer.model_id[row];
        const std::int32_t style = layer.build_style_id[row];
        const std::int32_t laser = layer.laser_id[row];
        if (style != kNoId) {
            ids_.signed_number(block::kMarkingParams, key_of(model, style));
        } else if (has_style_zero_) {
            lose("that geometries have no build style: they get number 0");
        }
        // OVF has no way to name none. Where no geometry has one, laser 0 is nobody else's.
        (laser == kNoId ? without_laser_ : with_laser_) = true;
        if (without_laser_ && with_laser_) {
            lose("that some geometries have no laser: they get laser 0");
        }
        if (laser != kNoId && laser != 0) {
            ids_.signed_number(block::kLaser, laser);
        }
        if (model != kNoId) {
            WireWriter meta;
            meta.signed_number(block::kMetaPart, model);
            ids_.message(block::kMeta, meta);
        }
    }

    WireWriter plane_shell(double z_mm, std::int64_t blocks, const Bounds& bounds) {
        WireWriter shell;
        if (std::isnan(z_mm)) {
            lose("that the height of a layer is not known: it is 0");
        } else {
            const auto z = static_cast<float>(z_mm);
            if (!std::isfinite(z)) {
                fail("z = " + std::to_string(z_mm) + " mm is no 32-bit float");
            }
            shell.float32(plane::kZ, z);
        }
        shell.signed_number(plane::kBlockCount, blocks);
        shell.signed_number(plane::kNumber, static_cast<std::int64_t>(planes_.size()) - 1);
        if (!bounds.empty()) {
            WireWriter meta;
            meta.message(plane::kMetaBounds, bounds.message());
            shell.message(plane::kMeta, meta);
        }
        return shell;
    }

    void put_delimited(const WireWriter& message) {
        if (message.bytes().size() > kMostMessageBytes) {
            fail("a message of " + std::to_string(message.bytes().size()) + " bytes is too large");
        }
        head_.clear();
        head_.varint(message.bytes().size());
        sink_.put_text(head_.bytes());
        sink_.put_text(message.bytes());
    }

    void patch(std::uint64_t at, std::uint64_t position) {
        const auto value = static_cast<std::int64_t>(position);
        sink_.patch(at, &value, sizeof value);
    }

    [[noreturn]] void fail(const std::string& what) const {
        throw FormatError(ErrorCode::not_representable, sink_.position(),
                          "layer " + std::to_string(planes_.size() - (planes_.empty() ? 0 : 1)) +
                              ": " + what);
    }

    ByteSink& sink_;
    Header header_;
    std::vector<std::int32_t> keys_;  // of header_.build_styles
    std::map<std::pair<std::int32_t, std::int32_t>, std::int32_t> numbers_;
    bool has_style_zero_ = false;
    bool with_laser_ = false;
    bool without_laser_ = false;
    std::vector<std::uint64_t> planes_;
    Bounds bounds_;
    std::vector<float> interleaved_;
    WireWriter ids_;
    WireWriter head_;
};

}  // namespace

std::unique_ptr<BuildWriter> make_ovf_writer(ByteSink& sink, const WriteOptions& options) {
    return std::make_unique<OvfWriter>(sink, options);
}

}  // namespace pbf::buildfile
