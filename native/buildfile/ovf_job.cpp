// OVF: the job's shell (name, parts, marking parameters) as a header.
#include <charconv>
#include <cmath>
#include <unordered_map>

#include "buildfile/ovf.hpp"

namespace pbf::buildfile::ovf {
namespace {

template <typename Number>
std::string as_text(Number value) {
    char buffer[40];
    const auto done = std::to_chars(buffer, buffer + sizeof buffer, value);
    return {buffer, done.ptr};
}

RawTag raw_tag(std::string_view path, const WireField& field) {
    return {std::string(path) + std::to_string(field.number), field.offset,
            {field.whole.begin(), field.whole.end()}};
}

// Fields of parts and jobs that have no column, but a name worth reading; the rest stays raw.
enum class Content : std::uint8_t { text, float32, float64, signed_number, unsigned_number, floats64 };
struct NamedField {
    std::uint32_t number;
    Content content;
    std::string_view key;
};

constexpr NamedField kJobMeta[] = {
    {job::kCreated, Content::signed_number, "job_creation_time_s"},
    {job::kVersion, Content::unsigned_number, "version"},
    {job::kName, Content::text, "job_name"},
    {job::kAuthor, Content::text, "author"},
    {job::kDescription, Content::text, "description"},
};
constexpr NamedField kBounds[] = {
    {1, Content::float32, "bounds_x_min_mm"},
    {2, Content::float32, "bounds_y_min_mm"},
    {3, Content::float32, "bounds_x_max_mm"},
    {4, Content::float32, "bounds_y_max_mm"},
};
constexpr NamedField kJobParameters[] = {
    {1, Content::float64, "preheating_temperature_c"},
    {2, Content::floats64, "shielding_gas_directions"},
    {3, Content::floats64, "material_feed_directions"},
};
constexpr NamedField kStrategy[] = {
    {1, Content::float32, "rotation_angle_deg"},
    {2, Content::float32, "increment_angle_deg"},
    {3, Content::float32, "shift_mm"},
    {4, Content::float32, "extend_into_mm"},
    {5, Content::float32, "layer_thickness_mm"},
    {6, Content::float32, "hatch_distance_mm"},
    {7, Content::float32, "hatch_contour_distance_mm"},
    {8, Content::float32, "overhang_angle_deg"},
    {9, Content::float32, "contour_offset_mm"},
    {10, Content::signed_number, "number_of_contours"},
    {11, Content::float32, "contour_distance_mm"},
    {12, Content::signed_number, "hatching_pattern"},
    {13, Content::float32, "pattern_hatch_length_mm"},
    {90, Content::text, "name"},
};
constexpr NamedField kGeometryInfo[] = {
    {1, Content::float64, "volume_mm3"},
    {2, Content::float64, "support_volume_mm3"},
    {3, Content::float64, "build_height_mm"},
    {4, Content::float64, "surface_area_mm2"},
    {5, Content::float64, "projected_surface_mm2"},
};
constexpr NamedField kMaterial[] = {
    {1, Content::unsigned_number, "id"},
    {2, Content::text, "name"},
};
constexpr NamedField kPartText[] = {{8, Content::text, "parent_part_name"}};

std::optional<std::string> content_of(const WireField& field, Content content) {
    switch (content) {
        case Content::text:
            if (field.type == WireType::length) return field.text();
            break;
        case Content::float32:
            if (field.type == WireType::fixed32) return as_text(field.float32());
            break;
        case Content::float64:
            if (field.type == WireType::fixed64) return as_text(field.float64());
            break;
        case Content::signed_number:
            if (field.type == WireType::varint) {
                return as_text(static_cast<std::int64_t>(field.value));
            }
            break;
        case Content::unsigned_number:
            if (field.type == WireType::varint) return as_text(field.value);
            break;
        case Content::floats64:
            if (field.type == WireType::length && field.payload.size() % 8 == 0) {
                std::string all;
                for (std::size_t index = 0; index < field.payload.size() / 8; ++index) {
                    all += (index == 0 ? "" : " ") +
                           as_text(load<double>(field.payload.data(), index));
                }
                return all;
            }
            break;
    }
    return std::nullopt;
}

template <std::size_t count>
void read_named(WirePiece message, const NamedField (&fields)[count], const std::string& prefix,
                Header& header) {
    WireReader reader(message);
    WireField field;
    while (reader.next(field)) {
        for (const NamedField& named : fields) {
            if (named.number != field.number) {
                continue;
            }
            if (auto value = content_of(field, named.content)) {
                header.metadata.emplace_back(prefix + std::string(named.key), std::move(*value));
            }
        }
    }
}

void read_part(WirePiece message, std::int32_t key, Header& header, Model& model) {
    const std::string prefix = "part_" + std::to_string(key) + "_";
    read_named(message, kPartText, prefix, header);
    WireReader reader(message);
    WireField field;
    while (reader.next(field)) {
        if (field.is(kPartName, WireType::length)) {
            model.name = field.text();
            continue;
        }
        model.raw_tags.push_back(raw_tag(kRawPart, field));
        if (field.type != WireType::length) {
            continue;
        }
        switch (field.number) {
            case 2: read_named(field.piece(), kGeometryInfo, prefix, header); break;
            case 3: read_named(field.piece(), kMaterial, prefix + "material_", header); break;
            case 4: read_named(field.piece(), kStrategy, prefix, header); break;
            case 5: read_named(field.piece(), kStrategy, prefix + "up_skin_", header); break;
            case 6: read_named(field.piece(), kStrategy, prefix + "down_skin_", header); break;
            default: break;
        }
    }
}

double finite(const WireField& field) {
    const auto value = static_cast<double>(field.float32());
    if (!std::isfinite(value)) {
        throw FormatError(ErrorCode::bad_number, field.offset,
                          "a marking parameter is not finite");
    }
    return value;
}

bool read_parameter(const WireField& field, std::uint32_t parent, BuildStyle& style) {
    for (const Parameter& parameter : kParameters) {
        if (parameter.parent != parent || parameter.number != field.number) {
            continue;
        }
        std::string value;
        if (parameter.type == ParameterType::float32 && field.type == WireType::fixed32) {
            value = as_text(field.float32());
        } else if (parameter.type == ParameterType::unsigned_number &&
                   field.type == WireType::varint) {
            value = as_text(field.value);
        } else if (parameter.type == ParameterType::signed_number &&
                   field.type == WireType::varint) {
            value = as_text(static_cast<std::int64_t>(field.value));
        } else {
            return false;
        }
        style.parameters.emplace_back(parameter.name, std::move(value));
        return true;
    }
    return false;
}

// What the wire says is taken, also where it says 0; what it leaves out is not known. (proto3 leaves
// zeros out: "0 W" and "not said" look the same, and 0 W is nothing that one exposes with.)
void read_marking_params(WirePiece message, BuildStyle& style) {
    WireReader reader(message);
    WireField field;
    while (reader.next(field)) {
        bool known = false;
        for (const StyleField& column : kStyleFields) {
            if (field.is(column.number, WireType::fixed32)) {
                style.*column.column = finite(field);
                known = true;
            }
        }
        if (field.is(kParamsName, WireType::length)) {
            style.name = field.text();
            known = true;
        } else if (field.is(kPowerGradient, WireType::length)) {
            known = true;
            WireReader inner(field.piece());
            WireField part;
            while (inner.next(part)) {
                known &= read_parameter(part, kPowerGradient, style);
            }
        }
        if (!known && !read_parameter(field, 0, style)) {
            style.raw_tags.push_back(raw_tag(kRawParams, field));
        }
    }
}

// One entry of a map: what a key means, and of one that comes twice, the last.
struct Entry {
    std::int32_t key = 0;
    WirePiece value;
};

Entry read_entry(WirePiece message) {
    Entry entry;
    entry.value.offset = message.offset;
    WireReader reader(message);
    WireField field;
    while (reader.next(field)) {
        if (field.is(1, WireType::varint)) {
            entry.key = field.int32("a key");
            if (entry.key == kNoId) {
                throw FormatError(ErrorCode::bad_number, field.offset,
                                  "a key is the one number that stands for none");
            }
        } else if (field.is(2, WireType::length)) {
            entry.value = field.piece();
        }
    }
    return entry;
}

template <typename Item>
Item& item_of(std::vector<Item>& items, std::unordered_map<std::int32_t, std::size_t>& places,
              std::int32_t key, std::uint64_t limit, const char* limit_name, std::uint64_t offset) {
    const auto [place, is_new] = places.try_emplace(key, items.size());
    if (!is_new) {
        return items[place->second] = Item{};
    }
    if (items.size() >= limit) {
        throw FormatError(ErrorCode::limit_exceeded, offset,
                          std::string("there are more than ") + limit_name + " = " +
                              std::to_string(limit));
    }
    return items.emplace_back();
}

}  // namespace

void read_job(WirePiece shell, const Limits& limits, Header& header,
              std::vector<Damage>& warnings) {
    std::unordered_map<std::int32_t, std::size_t> style_places;
    std::unordered_map<std::int32_t, std::size_t> part_places;
    std::uint64_t inline_planes = 0;
    WireReader reader(shell);
    WireField field;
    while (reader.next(field)) {
        const bool message = field.type == WireType::length;
        if (message && field.number == job::kMeta) {
            read_named(field.piece(), kJobMeta, "", header);
            WireReader meta(field.piece());
            WireField part;
            while (meta.next(part)) {
                if (part.is(job::kBounds, WireType::length)) {
                    read_named(part.piece(), kBounds, "", header);
                }
            }
        } else if (message && field.number == job::kMarkingParams) {
            const Entry entry = read_entry(field.piece());
            BuildStyle& style =
                item_of(header.build_styles, style_places, entry.key, limits.max_build_styles,
                        "max_build_styles", field.offset);
            style.build_style_id = entry.key;
            read_marking_params(entry.value, style);
        } else if (message && field.number == job::kParts) {
            const Entry entry = read_entry(field.piece());
            Model& model = item_of(header.models, part_places, entry.key, limits.max_models,
                                   "max_models", field.offset);
            model.model_id = entry.key;
            read_part(entry.value, entry.key, header, model);
        } else if (message && field.number == job::kWorkPlanes) {
            ++inline_planes;
        } else if (field.is(job::kPlaneCount, WireType::varint)) {
            header.declared_layers = static_cast<std::int64_t>(field.value);
        } else {
            header.raw_tags.push_back(raw_tag(kRawJob, field));
            if (message && field.number == job::kParameters) {
                read_named(field.piece(), kJobParameters, "", header);
            }
        }
    }
    if (inline_planes > 0) {
        warnings.push_back({ErrorCode::unsupported, shell.offset, -1,
                            std::to_string(inline_planes) +
                                " work planes within the job's shell are left out"});
    }
}

}  // namespace pbf::buildfile::ovf
