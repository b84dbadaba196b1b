// Scan XML: one file is one layer. Opening checks that the XML is whole, and reads all but coordinates.
#include <utility>

#include "buildfile/amxml.hpp"
#include "buildfile/formats.hpp"

namespace pbf::buildfile {
namespace {

using namespace amxml;

constexpr std::string_view kRoot = "Layer";

class AmxmlReader final : public BuildReader {
  public:
    AmxmlReader(Source source, const OpenOptions& options)
        : BuildReader(std::move(source), options.limits) {
        header_.format = "amxml";
        header_.unit_mm = 1.0;
        layers_.push_back({.offset = 0, .size = bytes().size()});
        try {
            open();
        } catch (const FormatError& error) {
            if (!options.tolerate_damage) {
                throw;
            }
            damage_.push_back({error.code(), error.offset(), 0, error.what()});
        }
    }

  protected:
    void decode_layer(std::size_t, Geometries& out) const override {
        const Geometries::Mark begin = out.mark();
        const Check check = [&](std::uint64_t points, std::uint64_t offset) {
            check_layer_limits(out, begin, points, offset);
        };
        const Check check_expansion = [&](std::uint64_t more, std::uint64_t offset) {
            const std::uint64_t taken = (out.layer.size() - begin.geometries) * 40 +
                                        (out.x_mm.size() - begin.points) * 8;
            if (taken + more > most_bytes()) {
                throw FormatError(ErrorCode::limit_exceeded, offset,
                                  "several lasers on one path make more than max_expansion = " +
                                      std::to_string(limits_.max_expansion) +
                                      " times the file's bytes");
            }
        };
        XmlReader xml(bytes(), limits_.max_nesting);
        enter_root(xml);
        PathReader paths(xml, styles_, models_, check, check_expansion, out);
        Vertices vertices;
        xml.for_each_child([&] {
            const std::string_view name = xml.name();
            if (name == "TrajectoryList") {
                for_each_path(xml, [&] { paths.read_path(); });
            } else if (name == "VertexList") {
                vertices = read_vertices(xml);
            } else if (name == "Slice") {
                xml.for_each_child([&] {
                    if (xml.name() == "Region") {
                        read_region(xml, vertices, models_, begin.geometries, check, out);
                    } else {
                        xml.skip();
                    }
                });
            } else {
                xml.skip();
            }
        });
    }

  private:
    std::uint64_t most_bytes() const noexcept {
        return limits_.max_expansion * static_cast<std::uint64_t>(bytes().size());
    }

    static void enter_root(XmlReader& xml) {
        if (xml.next() != XmlReader::Event::start || xml.name() != kRoot) {
            xml.fail(ErrorCode::bad_magic, "the outermost element is not <Layer>");
        }
    }

    template <typename Each>
    static void for_each_path(XmlReader& xml, Each&& each) {
        xml.for_each_child([&] {
            if (xml.name() != "Trajectory") {
                xml.skip();
                return;
            }
            xml.for_each_child([&] {
                if (xml.name() == "Path") {
                    each();
                } else {
                    xml.skip();
                }
            });
        });
    }

    void open() {
        XmlReader xml(bytes(), limits_.max_nesting);
        enter_root(xml);
        StyleLists lists;
        bool any = false;
        xml.for_each_child([&] {
            const std::string_view name = xml.name();
            any |= name == "Header" || name == "TrajectoryList" || name == "Slice";
            if (name == "Header") {
                xml.for_each_child([&] { read_header_value(xml); });
            } else if (name == "Thickness") {
                keep("layer_thickness_mm", xml.take_text());
            } else if (name == "VelocityProfileList") {
                lists.read_profiles(xml, limits_);
            } else if (name == "SegmentStyleList") {
                lists.read_styles(xml, limits_);
            } else if (name == "TrajectoryList") {
                for_each_path(xml, [&] { look_at_path(xml); });
            } else if (name == "Slice") {
                read_tags(xml);
            } else {
                xml.skip();
            }
        });
        (void)xml.next();  // nothing but comments may follow
        if (!any) {
            throw FormatError(ErrorCode::bad_header, 0,
                              "<Layer> has none of Header, TrajectoryList and Slice");
        }
        styles_ = lists.resolve(header_, most_bytes(), warnings_);
    }

    void keep(std::string key, std::string_view value) {
        header_.metadata.emplace_back(std::move(key), std::string(value));
    }

    void read_header_value(XmlReader& xml) {
        const std::string name(xml.name());
        const std::string_view value = xml.take_text();
        if (name == "AbsoluteHeight") {
            layers_[0].z_mm = number_of(xml, value, "AbsoluteHeight");
        }
        const bool length = name == "AbsoluteHeight" || name == "LayerThickness";
        keep(snake_case(name) + (length ? "_mm" : ""), value);
    }

    // All of a path but its coordinates: how many segments it has, and whose it is.
    void look_at_path(XmlReader& xml) {
        const std::uint64_t offset = xml.offset();
        std::uint64_t segments = 0;
        std::optional<std::uint64_t> declared;
        bool known_type = false;
        xml.for_each_child([&] {
            const std::string_view name = xml.name();
            if (name == "Segment") {
                ++segments;
                xml.skip();
            } else if (name == "NumSegments") {
                const double count = take_number(xml, "NumSegments");
                declared = count >= 0 && count < 1e15 ? static_cast<std::uint64_t>(count) : 0;
            } else if (name == "Type") {
                const std::string type = snake_case(xml.take_text());
                known_type = type == "hatch" || type == "contour";
            } else if (name == "Tag") {
                const std::string_view tag = xml.take_text();
                model_of(models_, tag, header_, limits_, offset);
            } else {
                xml.skip();
            }
        });
        if (declared && *declared != segments) {
            warn(ErrorCode::inconsistent, offset,
                 "a path declares " + std::to_string(*declared) + " segments and has " +
                     std::to_string(segments));
        }
        if (!known_type) {
            warn(ErrorCode::unsupported, offset,
                 "a path is neither hatch nor contour: it is read as a contour");
        }
    }

    void read_tags(XmlReader& xml) {
        xml.for_each_child([&] {
            if (xml.name() != "Region") {
                xml.skip();
                return;
            }
            const std::uint64_t offset = xml.offset();
            xml.for_each_child([&] {
                if (xml.name() == "Tag") {
                    const std::string_view tag = xml.take_text();
                    model_of(models_, tag, header_, limits_, offset);
                } else {
                    xml.skip();
                }
            });
        });
    }

    // So many that they say nothing more are not kept.
    void warn(ErrorCode code, std::uint64_t offset, std::string message) {
        if (warnings_.size() < 100) {
            warnings_.push_back({code, offset, 0, std::move(message)});
        }
    }

    SegmentStyles styles_;
    ModelIds models_;
};

}  // namespace

bool recognises_amxml(Bytes bytes) noexcept {
    try {
        XmlReader xml(bytes.first(std::min<std::size_t>(bytes.size(), 4096)), 2);
        return xml.next() == XmlReader::Event::start && xml.name() == kRoot;
    } catch (const std::exception&) {
        return false;  // no XML, or none whose first element can be seen
    }
}

std::unique_ptr<BuildReader> open_amxml(Source source, const OpenOptions& options) {
    return std::make_unique<AmxmlReader>(std::move(source), options);
}

}  // namespace pbf::buildfile
