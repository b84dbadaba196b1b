#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "buildfile/cli_binary.hpp"
#include "buildfile/cli_header_out.hpp"
#include "buildfile/cli_process_out.hpp"
#include "buildfile/cli_text_out.hpp"
#include "buildfile/coordinates.hpp"
#include "buildfile/formats.hpp"

namespace pbf::buildfile {
namespace cli {
namespace {

[[noreturn]] void refuse(const std::string& what) {
    throw FormatError(ErrorCode::not_representable, 0, what);
}

// One geometry of a layer to write.
struct Shape {
    Kind kind;
    std::int32_t model_id;
    Closed closed;
    std::span<const float> x;
    std::span<const float> y;

    // 0: closed and clockwise, 1: closed and counter-clockwise, 2: open.
    std::int32_t direction() const noexcept {
        const bool ends_meet = x.size() >= 3 && x.front() == x.back() && y.front() == y.back();
        if (closed == Closed::no || (closed == Closed::unknown && !ends_meet)) {
            return 2;
        }
        double twice_area = 0;
        for (std::size_t point = 1; point < x.size(); ++point) {
            twice_area += double{x[point - 1]} * double{y[point]} - double{x[point]} * double{y[point - 1]};
        }
        return twice_area < 0 ? 0 : 1;
    }
};

// What of geometries differs between the variants of the format.
class Body {
  public:
    explicit Body(ByteSink& sink) noexcept : sink_(sink) {}
    virtual ~Body() = default;
    Body(const Body&) = delete;
    Body& operator=(const Body&) = delete;
    virtual void start() {}
    virtual void layer(double z_mm) = 0;
    virtual void shape(const Shape& shape) = 0;
    virtual void finish() {}
    // Whether a number did not come through exactly.
    bool rounded() const noexcept { return rounded_; }

  protected:
    ByteSink& sink_;
    bool rounded_ = false;
};

class AsciiBody final : public Body {
  public:
    AsciiBody(ByteSink& sink, double unit_mm) noexcept : Body(sink), unit_mm_(unit_mm) {}

    void start() override { sink_.put_text("\n$$GEOMETRYSTART\n"); }
    void finish() override { sink_.put_text("$$GEOMETRYEND\n"); }

    void layer(double z_mm) override {
        double z = z_mm / unit_mm_;
        for (const double towards : {-HUGE_VAL, HUGE_VAL}) {
            if (z * unit_mm_ == z_mm) {
                break;
            }
            z = std::nextafter(z_mm / unit_mm_, towards);
        }
        line_ = "$$LAYER/";
        put_number(line_, z);
        line_ += '\n';
        sink_.put_text(line_);
    }

    void shape(const Shape& shape) override {
        const bool contour = shape.kind == Kind::contour;
        line_ = contour ? "$$POLYLINE/" : "$$HATCHES/";
        line_ += std::to_string(shape.model_id);
        if (contour) {
            line_ += ',' + std::to_string(shape.direction());
        }
        line_ += ',' + std::to_string(shape.x.size() / (contour ? 1 : 2));
        for (std::size_t point = 0; point < shape.x.size(); ++point) {
            line_ += ',';
            const bool x = put_coordinate(line_, shape.x[point], unit_mm_);
            line_ += ',';
            const bool y = put_coordinate(line_, shape.y[point], unit_mm_);
            rounded_ = rounded_ || !x || !y;
        }
        line_ += '\n';
        sink_.put_text(line_);
    }

  private:
    double unit_mm_;
    std::string line_;
};

class BinaryBody final : public Body {
  public:
    BinaryBody(ByteSink& sink, double unit_mm, bool is_short, bool align) noexcept
        : Body(sink), unit_mm_(unit_mm), is_short_(is_short), align_(align) {}

    void layer(double z_mm) override {
        const double z = std::round(z_mm / unit_mm_);
        if (is_short_ && z >= 0 && z <= 65535 && z * unit_mm_ == z_mm) {
            put_opcode(Opcode::layer_short);
            put(static_cast<std::uint16_t>(z));
            return;
        }
        const auto value = static_cast<float>(z_mm / unit_mm_);
        if (!std::isfinite(value)) {
            refuse("a height of " + std::to_string(z_mm) + " mm is too large");
        }
        put_opcode(Opcode::layer_long);
        sink_.put(value);
    }

    void shape(const Shape& shape) override {
        const bool contour = shape.kind == Kind::contour;
        const std::size_t count = shape.x.size() / (contour ? 1 : 2);
        if (is_short_) {
            put_opcode(contour ? Opcode::polyline_short : Opcode::hatches_short);
            put(fitting<std::uint16_t>(shape.model_id, "a model id"));
            if (contour) {
                put(static_cast<std::uint16_t>(shape.direction()));
            }
            put(fitting<std::uint16_t>(static_cast<std::int64_t>(count), "a number of points"));
            put_points<std::int16_t>(shape);
        } else {
            put_opcode(contour ? Opcode::polyline_long : Opcode::hatches_long);
            put(shape.model_id);
            if (contour) {
                put(shape.direction());
            }
            put(fitting<std::int32_t>(static_cast<std::int64_t>(count), "a number of points"));
            put_points<float>(shape);
        }
    }

  private:
    template <typename T>
    static T fitting(std::int64_t value, const char* what) {
        if (value < std::numeric_limits<T>::min() || value > std::numeric_limits<T>::max()) {
            refuse(std::string(what) + ", " + std::to_string(value) + ", does not fit this variant");
        }
        return static_cast<T>(value);
    }

    void put_opcode(Opcode opcode) { put(static_cast<std::uint16_t>(opcode)); }

    template <typename T>
    void put(T value) {
        sink_.put(value);
        if (align_ && sizeof(T) < 4) {
            sink_.put(std::uint16_t{0});
        }
    }

    template <typename T>
    void put_points(const Shape& shape) {
        constexpr std::size_t kChunk = 4096;
        std::array<T, 2 * kChunk> values;
        for (std::size_t first = 0; first < shape.x.size(); first += kChunk) {
            const std::size_t points = std::min(kChunk, shape.x.size() - first);
            for (std::size_t point = 0; point < points; ++point) {
                values[2 * point] = in_units<T>(shape.x[first + point]);
                values[2 * point + 1] = in_units<T>(shape.y[first + point]);
            }
            sink_.write(values.data(), 2 * points * sizeof(T));
        }
    }

    template <typename T>
    T in_units(float value_mm) {
        const double value = static_cast<double>(value_mm) / unit_mm_;
        if constexpr (std::is_same_v<T, float>) {
            const auto out = static_cast<float>(value);
            if (!std::isfinite(out)) {
                refuse("a coordinate is too large for this unit");
            }
            rounded_ = rounded_ || in_mm(out, unit_mm_) != value_mm;
            return out;
        } else {
            const double whole = std::round(value);
            if (!(whole >= -32768 && whole <= 32767)) {
                refuse("a coordinate of " + std::to_string(value_mm) +
                       " mm does not fit short coordinates; a larger unit_mm, or the variant "
                       "\"binary\", holds it");
            }
            const auto out = static_cast<std::int16_t>(whole);
            rounded_ = rounded_ || in_mm(out, unit_mm_) != value_mm;
            return out;
        }
    }

    double unit_mm_;
    bool is_short_;
    bool align_;
};

class CliWriter final : public BuildWriter {
  public:
    CliWriter(ByteSink& sink, const CliVariant& variant) : sink_(sink), variant_(variant) {}

    void begin(const Header& header) override {
        if (variant_.is_short() && !variant_.unit_mm) {
            variant_.unit_mm = header.unit_mm;
        }
        if (variant_.is_short() && !variant_.unit_mm) {
            refuse("the variant \"short\" needs the option unit_mm");
        }
        const double unit_mm = variant_.unit_mm.value_or(1.0);
        if (variant_.is_ascii()) {
            body_ = std::make_unique<AsciiBody>(sink_, unit_mm);
            process_.emplace(header.build_styles);
        } else {
            body_ = std::make_unique<BinaryBody>(sink_, unit_mm, variant_.is_short(), variant_.align);
            if (!header.build_styles.empty()) {
                lose("build styles (the variant \"ascii\" keeps power, speed, focus)");
            }
        }
        head_ = write_header(sink_, header, variant_, unit_mm, [this](const std::string& what) {
            lose(what);
        });
        body_->start();
    }

    void layer(const LayerView& layer) override {
        if (!std::isfinite(layer.z_mm)) {
            refuse("layer " + std::to_string(layers_) + " has no height");
        }
        ++layers_;
        body_->layer(layer.z_mm);
        bounds_.layer(layer.z_mm);
        for (std::size_t row = 0; row < layer.kind.size(); ++row) {
            geometry(layer, row);
        }
        if (body_->rounded()) {
            lose("precision of coordinates below unit_mm");
        }
    }

    void finish() override {
        body_->finish();
        patch_header(sink_, head_, bounds_);
    }

  private:
    void geometry(const LayerView& layer, std::size_t row) {
        const auto kind = static_cast<Kind>(layer.kind[row]);
        if (kind == Kind::jump) {
            lose("jumps");
            return;
        }
        if (layer.laser_id[row] != kNoId) {
            lose("laser_id");
        }
        const auto first = static_cast<std::size_t>(layer.offset[row]);
        const auto count = static_cast<std::size_t>(layer.count[row]);
        const std::int32_t model = layer.model_id[row] == kNoId ? 0 : layer.model_id[row];
        Shape shape{kind, model, static_cast<Closed>(layer.closed[row]),
                    layer.x_mm.subspan(first, count), layer.y_mm.subspan(first, count)};
        if (kind == Kind::hatch && count % 2 != 0) {
            refuse("hatches of " + std::to_string(count) + " points are no whole vectors");
        }
        bounds_.shape(shape.x, shape.y);
        if (process_) {
            line_.clear();
            process_->change(layer.model_id[row], layer.build_style_id[row], line_,
                             [this](const std::string& what) { lose(what); });
            sink_.put_text(line_);
        }
        if (kind == Kind::points) {
            lose("the kind points (written as hatch vectors without length)");
            shape.kind = Kind::hatch;
            shape.x = doubled(shape.x, doubled_x_);
            shape.y = doubled(shape.y, doubled_y_);
        }
        body_->shape(shape);
    }

    static std::span<const float> doubled(std::span<const float> values, std::vector<float>& out) {
        out.clear();
        for (const float value : values) {
            out.push_back(value);
            out.push_back(value);
        }
        return out;
    }

    ByteSink& sink_;
    CliVariant variant_;
    std::unique_ptr<Body> body_;
    std::size_t layers_ = 0;
    std::optional<ProcessWriter> process_;
    HeaderPlaces head_;
    Bounds bounds_;
    std::string line_;
    std::vector<float> doubled_x_;
    std::vector<float> doubled_y_;
};

}  // namespace
}  // namespace cli

std::unique_ptr<BuildWriter> make_cli_writer(ByteSink& sink, const WriteOptions& options) {
    return std::make_unique<cli::CliWriter>(sink, cli::variant_from(options));
}

}  // namespace pbf::buildfile
