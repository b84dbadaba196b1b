#include "buildfile/cli_header.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>

#include "buildfile/cli_text.hpp"

namespace pbf::buildfile::cli {
namespace {

constexpr std::string_view kStart = "$$HEADERSTART";
constexpr std::string_view kEnd = "$$HEADEREND";
constexpr std::string_view kGeometry = "$$GEOMETRYSTART";
constexpr std::size_t kSniffed = std::size_t{64} << 10;
constexpr std::int64_t kLowestId = std::int64_t{std::numeric_limits<std::int32_t>::min()} + 1;
constexpr std::int64_t kHighestId = std::numeric_limits<std::int32_t>::max();

std::string_view as_text(Bytes bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Where `word` stands in the first `most` bytes, in any case.
std::optional<std::size_t> find(Bytes file, std::size_t most, std::string_view word) noexcept {
    const std::string_view text = as_text(file).substr(0, most);
    for (std::size_t at = text.find("$$"); at != text.npos; at = text.find("$$", at + 1)) {
        if (begins_with(text.substr(at), word)) {
            return at;
        }
    }
    return std::nullopt;
}

std::string lower(std::string_view name) {
    std::string out(name);
    for (char& letter : out) {
        letter = static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter - 'A' + 'a' : letter);
    }
    return out;
}

class HeaderReader {
  public:
    HeaderReader(Bytes file, std::size_t first, std::size_t last, const Limits& limits,
                 Header& header, std::vector<Damage>& warnings)
        : file_(file),
          start_(first),
          text_(file, first, last),
          limits_(limits),
          header_(header),
          warnings_(warnings) {}

    Framing read() {
        text_.seek(start_ + kStart.size());
        while (!at_end_mark()) {
            command();
        }
        const std::size_t behind = text_.offset() + kEnd.size();
        if (!has_mode_ || !has_units_) {
            throw FormatError(ErrorCode::bad_header, text_.offset(),
                              has_mode_ ? "the header has no $$UNITS"
                                        : "the header says neither $$BINARY nor $$ASCII");
        }
        framing_.geometry = behind;
        if (framing_.binary) {
            skip_padding();
        }
        if (const auto hiding = text_.hiding_comment()) {
            warn(ErrorCode::inconsistent, *hiding, "a comment runs over lines, and commands in it are "
                                                   "not read: it ends at the next //");
        }
        header_.format = "cli";
        header_.unit_mm = framing_.unit_mm;
        return framing_;
    }

  private:
    bool at_end_mark() {
        const std::size_t before = text_.offset();
        if (!text_.find_command()) {
            const bool cut = text_.end() < file_.size();
            throw FormatError(cut ? ErrorCode::limit_exceeded : ErrorCode::bad_header, before,
                              cut ? "the header has more than max_header_bytes = " +
                                        std::to_string(limits_.max_header_bytes) + " bytes"
                                  : "the header has no $$HEADEREND" + after_comment());
        }
        return begins_with(as_text(file_).substr(text_.offset(), kEnd.size()), kEnd) &&
               text_.end() - text_.offset() >= kEnd.size();
    }

    std::string after_comment() const {
        const auto hiding = text_.hiding_comment();
        return hiding ? ": the comment that begins at byte " + std::to_string(*hiding) +
                            " runs over lines, to the next //"
                      : "";
    }

    // Binary geometry begins right behind the header, or at the next multiple of four bytes from its
    // beginning. Writers that end the line first, fill up with something else, or say $$GEOMETRYSTART, are
    // seen: no command begins with such a byte.
    void skip_padding() {
        const std::size_t behind = framing_.geometry;
        std::size_t at = behind_padding(behind);
        if (begins_with(as_text(file_).substr(at), kGeometry)) {
            at = behind_padding(at + kGeometry.size());
        }
        if (framing_.align) {
            const std::size_t aligned = behind + (4 - (behind - start_) % 4) % 4;
            if (is_aligned_command(aligned) || !is_aligned_command(at)) {
                at = std::min(aligned, file_.size());
            }
        }
        framing_.geometry = at;
    }

    std::size_t behind_padding(std::size_t at) const noexcept {
        const auto is_padding = [](std::uint8_t byte) {
            return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == 0;
        };
        while (at < file_.size() && is_padding(file_[at])) {
            ++at;
        }
        return at;
    }

    bool is_aligned_command(std::size_t at) const noexcept {
        constexpr std::uint32_t kFirst = 127;
        constexpr std::uint32_t kLast = 132;
        if (at > file_.size() || file_.size() - at < 4) {
            return false;
        }
        const auto opcode = load<std::uint32_t>(file_.data() + at, 0);
        return opcode >= kFirst && opcode <= kLast;
    }

    void command() {
        const std::size_t offset = text_.offset();
        const std::string_view name = text_.take_name();
        if (name == "USERDATA") {
            user_data(offset);
        } else if (name == "LABEL") {
            label(offset);
        } else if (name == "BINARY" || name == "ASCII") {
            if (has_mode_ && framing_.binary != (name == "BINARY")) {
                throw FormatError(ErrorCode::bad_header, offset, "it is both $$BINARY and $$ASCII");
            }
            has_mode_ = true;
            framing_.binary = name == "BINARY";
            note("encoding", lower(name));
        } else if (name == "ALIGN") {
            framing_.align = true;
            note("align", "true");
        } else {
            const std::size_t first = text_.offset();
            const std::string_view value = text_.take_parameters();
            const std::size_t last = text_.offset();
            note(name == "UNITS"       ? "units_mm"
                 : name == "DIMENSION" ? "dimension_mm"
                                       : lower(name),
                 value);
            if (name == "UNITS") {
                units(offset, first, last);
            } else if (name == "DIMENSION" || name == "LAYERS") {
                optional(name, offset, first, last);
            }
        }
    }

    void note(std::string key, std::string_view value) {
        header_.metadata.emplace_back(std::move(key), value);
    }

    void units(std::size_t offset, std::size_t first, std::size_t last) {
        Text text(file_, first, last);
        framing_.unit_mm = text.take_number("the unit of $$UNITS");
        text.expect_last("the unit of $$UNITS");
        // Its float32 is what values are multiplied to: neither may vanish.
        if (!(framing_.unit_mm > 0) || !std::isnormal(static_cast<float>(framing_.unit_mm))) {
            throw FormatError(ErrorCode::bad_number, offset, "$$UNITS is no length above 0");
        }
        has_units_ = true;
    }

    void optional(std::string_view name, std::size_t offset, std::size_t first, std::size_t last) {
        Text text(file_, first, last);
        try {
            if (name == "LAYERS") {
                header_.declared_layers = text.take_integer("the number", 0, kHighestId);
                return;
            }
            std::array<double, 6> dimension{};
            for (std::size_t item = 0; item < dimension.size(); ++item) {
                if (item > 0) {
                    text.expect_comma("a number");
                }
                dimension[item] = text.take_number("a number");
            }
            header_.dimension_mm = dimension;
        } catch (const FormatError& error) {
            warn(error.code(), offset, "$$" + std::string(name) + " is not read: " + error.what());
        }
    }

    void label(std::size_t offset) {
        try {
            const auto id = text_.take_integer("the number of the label", kLowestId, kHighestId);
            text_.expect_comma("the text of the label");
            text_.skip_blank();
            std::string_view name;
            if (text_.peek() == '"') {
                name = quoted();
            } else {
                name = text_.take_label();
            }
            if (header_.models.size() >= limits_.max_models) {
                throw FormatError(ErrorCode::limit_exceeded, offset,
                                  "there are more labels than max_models = " +
                                      std::to_string(limits_.max_models));
            }
            Model model;
            model.model_id = static_cast<std::int32_t>(id);
            model.name = name;
            header_.models.push_back(std::move(model));
        } catch (const FormatError& error) {
            if (error.code() == ErrorCode::limit_exceeded) {
                throw;
            }
            warn(error.code(), offset, std::string("$$LABEL is not read: ") + error.what());
            text_.take_parameters();
        }
    }

    // At '"': the text to the closing one, which is in the same line.
    std::string_view quoted() {
        const std::size_t first = text_.offset() + 1;
        std::size_t last = first;
        while (last < text_.end() && file_[last] != '"' && file_[last] != '\n') {
            ++last;
        }
        const bool closed = last < text_.end() && file_[last] == '"';
        text_.seek(closed ? last + 1 : last);
        const std::string_view inside(reinterpret_cast<const char*>(file_.data()) + first,
                                      last - first);
        return closed ? inside : trimmed(inside);
    }

    // $$USERDATA/uid,length,bytes: whatever the bytes are, their number says where they end.
    void user_data(std::size_t offset) {
        const std::size_t first = text_.offset();
        std::size_t comma = first;
        while (comma < text_.end() && file_[comma] != ',' && file_[comma] != '\n') {
            ++comma;
        }
        if (comma == text_.end() || file_[comma] != ',') {
            throw FormatError(ErrorCode::bad_header, offset, "$$USERDATA has no length");
        }
        const std::string_view uid =
            trimmed({reinterpret_cast<const char*>(file_.data()) + first, comma - first});
        text_.seek(comma + 1);
        const auto length = static_cast<std::uint64_t>(
            text_.take_integer("the length of $$USERDATA", 0, std::int64_t{1} << 53));
        if (text_.peek() != ',') {
            text_.fail(ErrorCode::bad_header, "$$USERDATA has no comma behind its length");
        }
        const std::size_t data = text_.offset() + 1;
        if (length > text_.end() - data) {
            const bool cut = text_.end() < file_.size() && length <= file_.size() - data;
            throw FormatError(cut ? ErrorCode::limit_exceeded : ErrorCode::bad_count, offset,
                              "$$USERDATA is to have " + std::to_string(length) + " bytes, " +
                                  std::to_string(text_.end() - data) + (cut ? " are allowed"
                                                                            : " are left"));
        }
        RawTag tag;
        tag.path = "USERDATA/" + std::string(uid);
        tag.offset = data;
        const Bytes bytes = file_.subspan(data, static_cast<std::size_t>(length));
        tag.bytes.assign(bytes.begin(), bytes.end());
        header_.raw_tags.push_back(std::move(tag));
        text_.seek(data + static_cast<std::size_t>(length));
    }

    void warn(ErrorCode code, std::size_t offset, std::string message) {
        warnings_.push_back({code, offset, -1, std::move(message)});
    }

    Bytes file_;
    std::size_t start_;
    Text text_;
    const Limits& limits_;
    Header& header_;
    std::vector<Damage>& warnings_;
    Framing framing_;
    bool has_mode_ = false;
    bool has_units_ = false;
};

}  // namespace

std::optional<std::size_t> second_geometry(Bytes behind) noexcept {
    return find(behind, kSniffed, kGeometry);
}

bool has_header(Bytes file) noexcept { return find(file, kSniffed, kStart).has_value(); }

Framing read_header(Bytes file, const Limits& limits, Header& header,
                    std::vector<Damage>& warnings) {
    const auto most = static_cast<std::size_t>(
        std::min<std::uint64_t>(limits.max_header_bytes, file.size()));
    const auto start = find(file, most, kStart);
    if (!start) {
        throw FormatError(ErrorCode::bad_magic, 0, "there is no $$HEADERSTART");
    }
    const std::size_t last = *start + std::min(most, file.size() - *start);
    return HeaderReader(file, *start, last, limits, header, warnings).read();
}

}  // namespace pbf::buildfile::cli
