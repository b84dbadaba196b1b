// What the parts of the scan-XML reader share.
//
// America Makes / OASIS challenge (ALSAM 3024), schema of 2020-03-23; units as in the sources of the
// baseline, github.com/AmericaMakes/OASIS-Challenge-Baseline-Code-and-Models (BSD-2).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "buildfile/model.hpp"
#include "core/xml_reader.hpp"

namespace pbf::buildfile::amxml {

// A segment style as paths name it: the build style and laser of each of its travelers. A style
// without any moves with the laser off, and has one build style of its own for that.
struct SegmentStyle {
    struct Exposure {
        std::int32_t build_style = kNoId;
        std::int32_t laser = kNoId;
    };
    std::vector<Exposure> exposures;
    bool laser_off = false;
};

using SegmentStyles = std::map<std::string, SegmentStyle, std::less<>>;
using ModelIds = std::map<std::string, std::int32_t, std::less<>>;

// A number that is a whole text; `what` is for the message.
double number_of(const XmlReader& xml, std::string_view text, const char* what);
// After a start: the number in the element, which is passed.
double take_number(XmlReader& xml, const char* what);

// "LayerThickness" -> "layer_thickness"
std::string snake_case(std::string_view name);

// Gathers the lists of velocity profiles and segment styles, in whatever order they come.
class StyleLists {
  public:
    // After the start of the list: reads it.
    void read_profiles(XmlReader& xml, const Limits& limits);
    void read_styles(XmlReader& xml, const Limits& limits);

    // Gives every (style, traveler) a number, in the order of the file, and every laser one. A
    // profile is copied to the styles that name it: `most_bytes` bounds what that may take.
    SegmentStyles resolve(Header& header, std::uint64_t most_bytes,
                          std::vector<Damage>& warnings) const;

  private:
    using Pairs = std::vector<std::pair<std::string, std::string>>;
    struct Profile {
        std::optional<double> speed_mm_s;
        std::optional<double> jump_delay_us;
        Pairs parameters;
    };
    struct Traveler {
        std::string id;
        std::optional<double> laser_power_w;
        std::optional<double> spot_size_um;
        Pairs parameters;
    };
    struct Style {
        std::string id;
        std::string profile;
        std::uint64_t offset = 0;
        Pairs parameters;
        std::vector<Traveler> travelers;
    };

    void read_profile(XmlReader& xml);
    void read_style(XmlReader& xml, const Limits& limits);
    static Traveler read_traveler(XmlReader& xml);
    std::map<std::string, std::int32_t, std::less<>> number_lasers() const;

    std::map<std::string, Profile, std::less<>> profiles_;
    std::vector<Style> styles_;
    std::uint64_t build_styles_ = 0;
};

// Adds a model for each name that is new; gives its number. Throws limit_exceeded.
std::int32_t model_of(ModelIds& ids, std::string_view name, Header& header, const Limits& limits,
                      std::uint64_t offset);

// Throws if so many points in one more geometry are too many.
using Check = std::function<void(std::uint64_t points, std::uint64_t offset)>;

// A layer as the slicer left it (LayerFiles): vertices, and regions of edges between them.
struct Vertices {
    Column<float> x_mm;
    Column<float> y_mm;
};
// After the start of a VertexList.
Vertices read_vertices(XmlReader& xml);
// After the start of a Region: its edges as contours, joined where one begins with the other's end.
void read_region(XmlReader& xml, const Vertices& vertices, const ModelIds& models,
                 std::size_t first_row, const Check& check, Geometries& out);

// The trajectories of a layer.
class PathReader {
  public:
    PathReader(XmlReader& xml, const SegmentStyles& styles, const ModelIds& models, Check check,
               Check check_expansion, Geometries& out)
        : xml_(xml),
          styles_(styles),
          models_(models),
          check_(std::move(check)),
          check_expansion_(std::move(check_expansion)),
          out_(out),
          first_row_(out.layer.size()) {}

    // After the start of a Path: its segments as geometries, consecutive ones of a style as one.
    void read_path();

  private:
    void read_segment();
    void finish_run();
    void add(const SegmentStyle::Exposure& exposure, std::uint64_t offset);

    XmlReader& xml_;
    const SegmentStyles& styles_;
    const ModelIds& models_;
    Check check_;
    Check check_expansion_;
    Geometries& out_;
    std::size_t first_row_;

    // The path that is being read, and its run of segments of one style; the run begins with the
    // point that the segment before it ended at.
    bool hatch_ = false;
    std::int32_t model_ = kNoId;
    const SegmentStyles::value_type* run_ = nullptr;
    std::int32_t last_laser_ = kNoId;
    std::uint64_t run_offset_ = 0;
    Column<float> x_mm_;
    Column<float> y_mm_;
};

}  // namespace pbf::buildfile::amxml
