#include "buildfile/formats.hpp"

#include <algorithm>
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
    {"zip", nullptr, nullptr, recognises_zip},
    {"ovf", open_ovf, make_ovf_writer, recognises_ovf},
    {"sli", open_sli, make_sli_writer, recognises_sli},
    {"tlv", open_tlv, make_tlv_writer, recognises_tlv},
    {"mtt", open_tlv, make_mtt_writer, nullptr},
    {"slm", open_tlv, make_slm_writer, nullptr},
    {"amxml", open_amxml, nullptr, recognises_amxml},
    {"cli", open_cli, make_cli_writer, recognises_cli},
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

bool recognises_zip(Bytes bytes) noexcept {
    // A local file header, or the end record of an archive without members.
    const std::string_view begin(reinterpret_cast<const char*>(bytes.data()),
                                 std::min<std::size_t>(bytes.size(), 4));
    return begin == std::string_view("PK\x03\x04", 4) || begin == std::string_view("PK\x05\x06", 4);
}

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
        const Format& found = find(format);
        if (found.open == nullptr) {
            throw FormatError(ErrorCode::unsupported, 0,
                              "the format '" + std::string(format) + "' is not read here");
        }
        std::unique_ptr<BuildReader> reader;
        try {
            reader = found.open(source, options);
        } catch (const FormatError&) {
            source->check_unchanged();  // if the file was changed meanwhile, that is the trouble
            throw;
        }
        source->check_unchanged();
        return reader;
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
