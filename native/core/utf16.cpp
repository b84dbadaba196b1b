#include "core/utf16.hpp"

namespace pbf {
namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;

bool leads(std::uint32_t unit) noexcept { return unit >= 0xD800 && unit < 0xDC00; }
bool trails(std::uint32_t unit) noexcept { return unit >= 0xDC00 && unit < 0xE000; }

void append_utf8(std::string& text, std::uint32_t point) {
    const auto put = [&text](std::uint32_t byte) { text.push_back(static_cast<char>(byte)); };
    if (point < 0x80) {
        put(point);
    } else if (point < 0x800) {
        put(0xC0 | point >> 6);
        put(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        put(0xE0 | point >> 12);
        put(0x80 | (point >> 6 & 0x3F));
        put(0x80 | (point & 0x3F));
    } else {
        put(0xF0 | point >> 18);
        put(0x80 | (point >> 12 & 0x3F));
        put(0x80 | (point >> 6 & 0x3F));
        put(0x80 | (point & 0x3F));
    }
}

// The code point at `position`, which moves behind it; U+FFFD for bytes that are not UTF-8.
std::uint32_t next_point(std::string_view text, std::size_t& position) noexcept {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(text[at]); };
    const std::uint32_t first = byte(position++);
    if (first < 0x80) {
        return first;
    }
    const std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    constexpr std::uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
    if (more == 0 || first >= 0xF8 || more > text.size() - position) {
        return kReplacement;
    }
    std::uint32_t point = first & (0x3FU >> more);
    for (std::size_t index = 0; index < more; ++index) {
        if ((byte(position + index) & 0xC0) != 0x80) {
            return kReplacement;
        }
        point = point << 6 | (byte(position + index) & 0x3FU);
    }
    if (point < smallest[more] || point > 0x10FFFF || leads(point) || trails(point)) {
        return kReplacement;
    }
    position += more;
    return point;
}

}  // namespace

Utf8Text utf8_from_utf16(Bytes bytes) {
    Utf8Text out;
    out.sound = bytes.size() % 2 == 0;
    std::size_t units = bytes.size() / 2;
    if (units > 0 && load<std::uint16_t>(bytes.data(), units - 1) == 0) {
        --units;
    }
    for (std::size_t index = 0; index < units; ++index) {
        std::uint32_t point = load<std::uint16_t>(bytes.data(), index);
        if (leads(point) && index + 1 < units &&
            trails(load<std::uint16_t>(bytes.data(), index + 1))) {
            point = 0x10000 + ((point - 0xD800) << 10) +
                    (load<std::uint16_t>(bytes.data(), ++index) - 0xDC00U);
        } else if (leads(point) || trails(point)) {
            point = kReplacement;
            out.sound = false;
        }
        append_utf8(out.text, point);
    }
    return out;
}

std::vector<std::uint8_t> utf16_from_utf8(std::string_view text) {
    std::vector<std::uint8_t> out;
    const auto put = [&out](std::uint32_t unit) {
        out.push_back(static_cast<std::uint8_t>(unit & 0xFF));
        out.push_back(static_cast<std::uint8_t>(unit >> 8));
    };
    for (std::size_t position = 0; position < text.size();) {
        const std::uint32_t point = next_point(text, position);
        if (point < 0x10000) {
            put(point);
        } else {
            put(0xD800 + ((point - 0x10000) >> 10));
            put(0xDC00 + ((point - 0x10000) & 0x3FF));
        }
    }
    put(0);
    return out;
}

}  // namespace pbf
