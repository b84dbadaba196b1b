// Scan XML: the segments of paths, and the regions of slices, as rows of the columns.
#include <algorithm>
#include <cmath>

#include "buildfile/amxml.hpp"

namespace pbf::buildfile::amxml {
namespace {

constexpr std::uint64_t kRowBytes = 40;
constexpr std::uint64_t kPointBytes = 2 * sizeof(float);

float take_coordinate(XmlReader& xml) {
    const double value = take_number(xml, "a coordinate");
    const auto rounded = static_cast<float>(value);
    if (!std::isfinite(rounded)) {
        throw FormatError(ErrorCode::bad_number, xml.text_offset(),
                          "a coordinate is larger than a 32-bit float holds");
    }
    return rounded;
}

// After the start of an element with X and Y.
void take_point(XmlReader& xml, Column<float>& x_mm, Column<float>& y_mm) {
    const std::uint64_t offset = xml.offset();
    bool has_x = false;
    bool has_y = false;
    float x = 0;
    float y = 0;
    xml.for_each_child([&] {
        if (xml.name() == "X") {
            x = take_coordinate(xml);
            has_x = true;
        } else if (xml.name() == "Y") {
            y = take_coordinate(xml);
            has_y = true;
        } else {
            xml.skip();
        }
    });
    if (!has_x || !has_y) {
        throw FormatError(ErrorCode::bad_count, offset, "a point without X or Y");
    }
    x_mm.push_back(x);
    y_mm.push_back(y);
}

bool same(std::string_view text, std::string_view lower) noexcept {
    return std::equal(text.begin(), text.end(), lower.begin(), lower.end(), [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    });
}

std::int32_t id_in(const ModelIds& models, std::string_view name) {
    const auto found = models.find(name);
    return found == models.end() ? kNoId : found->second;
}

Closed closed_of(const Column<float>& x, const Column<float>& y) noexcept {
    return x.size() >= 3 && x.front() == x.back() && y.front() == y.back() ? Closed::yes
                                                                           : Closed::no;
}

}  // namespace

void PathReader::read_path() {
    hatch_ = false;
    model_ = kNoId;
    run_ = nullptr;
    last_laser_ = kNoId;
    x_mm_.clear();
    y_mm_.clear();
    xml_.for_each_child([&] {
        const std::string_view name = xml_.name();
        if (name == "Segment") {
            if (x_mm_.empty()) {
                throw FormatError(ErrorCode::bad_command, xml_.offset(),
                                  "a segment before the start of its path");
            }
            read_segment();
        } else if (name == "Type") {
            hatch_ = same(xml_.take_text(), "hatch");
        } else if (name == "Tag") {
            model_ = id_in(models_, xml_.take_text());
        } else if (name == "Start") {
            finish_run();
            x_mm_.clear();
            y_mm_.clear();
            take_point(xml_, x_mm_, y_mm_);
        } else {
            xml_.skip();
        }
    });
    finish_run();
}

void PathReader::read_segment() {
    const std::uint64_t offset = xml_.offset();
    const SegmentStyles::value_type* style = nullptr;
    bool has_end = false;
    // The end goes behind the run: if the style is another one, the run ends before it.
    const std::size_t before = x_mm_.size();
    xml_.for_each_child([&] {
        const std::string_view name = xml_.name();
        if (name == "SegStyle") {
            const std::string_view id = xml_.take_text();
            if (run_ != nullptr && id == run_->first) {
                style = run_;
                return;
            }
            const auto found = styles_.find(id);
            if (found == styles_.end()) {
                throw FormatError(ErrorCode::inconsistent, xml_.text_offset(),
                                  "there is no segment style '" + std::string(id.substr(0, 60)) +
                                      "'");
            }
            style = &*found;
        } else if (name == "End" && !has_end) {
            take_point(xml_, x_mm_, y_mm_);
            has_end = true;
        } else {
            xml_.skip();
        }
    });
    if (style == nullptr || !has_end) {
        throw FormatError(ErrorCode::bad_count, offset, "a segment without a style or an end");
    }
    if (style == run_) {
        return;
    }
    const float x = x_mm_.back();
    const float y = y_mm_.back();
    x_mm_.resize(before);
    y_mm_.resize(before);
    finish_run();
    run_ = style;
    run_offset_ = offset;
    x_mm_.push_back(x);
    y_mm_.push_back(y);
}

// Adds the run, and begins the next with the point that it ended at.
void PathReader::finish_run() {
    if (run_ == nullptr || x_mm_.size() < 2) {
        return;
    }
    const SegmentStyle& style = run_->second;
    for (const SegmentStyle::Exposure& exposure : style.exposures) {
        add(exposure, run_offset_);
    }
    if (!style.laser_off) {
        // The laser that exposed last makes the jumps after it; of several nobody says which.
        last_laser_ =
            style.exposures.size() == 1 ? style.exposures.front().laser : kNoId;
    }
    x_mm_.front() = x_mm_.back();
    y_mm_.front() = y_mm_.back();
    x_mm_.resize(1);
    y_mm_.resize(1);
    run_ = nullptr;
}

void PathReader::add(const SegmentStyle::Exposure& exposure, std::uint64_t offset) {
    const SegmentStyle& style = run_->second;
    const Kind kind = style.laser_off ? Kind::jump : (hatch_ ? Kind::hatch : Kind::contour);
    const std::size_t count = x_mm_.size();
    const std::size_t points = kind == Kind::hatch ? 2 * (count - 1) : count;
    check_(points, offset);
    if (style.exposures.size() > 1) {
        check_expansion_(kRowBytes + points * kPointBytes, offset);
    }
    const Geometries::Points to = out_.add(
        0, static_cast<std::int32_t>(out_.layer.size() - first_row_), kind, model_,
        exposure.build_style, style.laser_off ? last_laser_ : exposure.laser,
        kind == Kind::contour ? closed_of(x_mm_, y_mm_) : Closed::unknown, points);
    if (kind != Kind::hatch) {
        std::copy(x_mm_.begin(), x_mm_.end(), to.x);
        std::copy(y_mm_.begin(), y_mm_.end(), to.y);
        return;
    }
    for (std::size_t segment = 0; segment + 1 < count; ++segment) {
        std::copy_n(x_mm_.data() + segment, 2, to.x + 2 * segment);
        std::copy_n(y_mm_.data() + segment, 2, to.y + 2 * segment);
    }
}

Vertices read_vertices(XmlReader& xml) {
    Vertices out;
    xml.for_each_child([&] {
        if (xml.name() == "Vertex") {
            take_point(xml, out.x_mm, out.y_mm);
        } else {
            xml.skip();
        }
    });
    return out;
}

namespace {

// The number of a vertex, which counts from 1, as its place.
std::size_t take_vertex(XmlReader& xml, const Vertices& vertices) {
    const double number = take_number(xml, "the number of a vertex");
    if (!(number >= 1) || number > static_cast<double>(vertices.x_mm.size()) ||
        number != std::floor(number)) {
        throw FormatError(ErrorCode::inconsistent, xml.text_offset(),
                          "there is no such vertex; there are " +
                              std::to_string(vertices.x_mm.size()));
    }
    return static_cast<std::size_t>(number) - 1;
}

}  // namespace

void read_region(XmlReader& xml, const Vertices& vertices, const ModelIds& models,
                 std::size_t first_row, const Check& check, Geometries& out) {
    std::int32_t model = kNoId;
    std::size_t last = vertices.x_mm.size();
    Column<float> x_mm;
    Column<float> y_mm;
    const auto finish = [&](std::uint64_t offset) {
        if (x_mm.empty()) {
            return;
        }
        check(x_mm.size(), offset);
        const Geometries::Points to =
            out.add(0, static_cast<std::int32_t>(out.layer.size() - first_row), Kind::contour,
                    model, kNoId, kNoId, closed_of(x_mm, y_mm), x_mm.size());
        std::copy(x_mm.begin(), x_mm.end(), to.x);
        std::copy(y_mm.begin(), y_mm.end(), to.y);
        x_mm.clear();
        y_mm.clear();
    };
    const auto add_vertex = [&](std::size_t vertex) {
        x_mm.push_back(vertices.x_mm[vertex]);
        y_mm.push_back(vertices.y_mm[vertex]);
    };
    const std::uint64_t region = xml.offset();
    xml.for_each_child([&] {
        if (xml.name() == "Tag") {
            model = id_in(models, xml.take_text());
            return;
        }
        if (xml.name() != "Edge") {
            xml.skip();
            return;
        }
        const std::uint64_t offset = xml.offset();
        std::optional<std::size_t> start;
        std::optional<std::size_t> end;
        xml.for_each_child([&] {
            if (xml.name() == "Start") {
                start = take_vertex(xml, vertices);
            } else if (xml.name() == "End") {
                end = take_vertex(xml, vertices);
            } else {
                xml.skip();
            }
        });
        if (!start || !end) {
            throw FormatError(ErrorCode::bad_count, offset, "an edge without Start or End");
        }
        if (x_mm.empty() || *start != last) {
            finish(offset);
            add_vertex(*start);
        }
        add_vertex(*end);
        last = *end;
    });
    finish(region);
}

}  // namespace pbf::buildfile::amxml
