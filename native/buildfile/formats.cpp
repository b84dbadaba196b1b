#include "buildfile/formats.hpp"

#include <string>

namespace pbf::buildfile {
namespace {

struct Format {
    std::string_view name;
    std::unique_ptr<BuildReader> (*open)(Source, const OpenOptions&);
    std::unique_ptr<BuildWriter> (*make_writer)(ByteSink&, const WriteOptions&);
    bool (*recognises)(Bytes) noexcept;
};

// The order is that of sniffing: the surest marks first. A format that is not written has no writer.
constexpr Format kFormats[] = {
    {"sli", open_sli, make_sli_writer, recognises_sli},
    {"tlv", open_tlv, make_tlv_writer, recognises_tlv},
    {"mtt", open_tlv, make_mtt_writer, nullptr},
    {"slm", open_tlv, make_slm_writer, nullptr},
};

const Format& find(std::string_view name) {
    for (const Format& format : kFormats) {
        if (!name.empty() && format.name == name) {
            return format;
        }
    }
    throw FormatError(ErrorCode::unsupported, 0, "no format is called '" + std::string(name) + "'");
}

}  // namespace

std::string_view sniff(Bytes bytes) noexcept {
    for (const Format& format : kFormats) {
        if (format.recognises != nullptr && format.recognises(bytes)) {
            return format.name;
        }
    }
    return "";
}

std::unique_ptr<BuildReader> open_build(std::string_view format, Source source,
                                        const OpenOptions& options) {
    try {
        return find(format).open(std::move(source), options);
    } catch (const std::bad_alloc&) {
        throw FormatError(ErrorCode::out_of_memory, 0, "there is no memory for the index");
    }
}

std::unique_ptr<BuildWriter> make_writer(std::string_view format, ByteSink& sink,
                                         const WriteOptions& options) {
    const Format& found = find(format);
    if (found.make_writer == nullptr) {
        throw FormatError(ErrorCode::unsupported, 0,
                          "the format '" + std::string(format) + "' is read, but not written");
    }
    return found.make_writer(sink, options);
}

}  // namespace pbf::buildfile
