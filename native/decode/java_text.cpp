#include "decode/java_text.hpp"

#include <cstring>

#include "decode/fast_text.hpp"

namespace pbf::decode {
namespace {

constexpr char16_t kReplacement = 0xFFFD;

constexpr bool within(std::uint8_t byte, std::uint8_t low, std::uint8_t high) noexcept {
    return byte >= low && byte <= high;
}

// Bytes of the malformed run that begins at `at`: what may begin a character, as far as it goes on
// well; Java takes an encoded surrogate as one run.
std::size_t malformed_run(const std::uint8_t* at, const std::uint8_t* end) noexcept {
    const auto continues = [&](std::ptrdiff_t place, std::uint8_t low = 0x80, std::uint8_t high = 0xBF) {
        return end - at > place && within(at[place], low, high);
    };
    const std::uint8_t lead = *at;
    if (within(lead, 0xE0, 0xEF)) {
        if (!continues(1, lead == 0xE0 ? 0xA0 : 0x80)) {
            return 1;
        }
        return lead == 0xED && at[1] >= 0xA0 && continues(2) ? 3 : 2;
    }
    if (within(lead, 0xF0, 0xF4)) {
        if (!continues(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF)) {
            return 1;
        }
        return continues(2) ? 3 : 2;
    }
    return 1;
}

// Calls `found(bytes, units)` for each character or malformed run, until it returns false. `units` is
// 0 for a malformed run, which is one unit.
template <typename Found>
void each_character(const std::uint8_t* at, const std::uint8_t* end, Found found) {
    while (at != end) {
        if (*at < 0x80) {
            if (!found(at, 1, 1)) {
                return;
            }
            ++at;
            continue;
        }
        const std::uint8_t* const behind = pass_character(at, end);
        const std::size_t size =
            behind != nullptr ? static_cast<std::size_t>(behind - at) : malformed_run(at, end);
        if (!found(at, size, behind == nullptr ? 0 : size == 4 ? 2 : 1)) {
            return;
        }
        at += size;
    }
}

char32_t code_point(const std::uint8_t* at, std::size_t size) noexcept {
    const auto rest = [&](std::size_t place) { return static_cast<char32_t>(at[place] & 0x3F); };
    switch (size) {
        case 1: return at[0];
        case 2: return static_cast<char32_t>(at[0] & 0x1F) << 6 | rest(1);
        case 3: return static_cast<char32_t>(at[0] & 0x0F) << 12 | rest(1) << 6 | rest(2);
        default:
            return static_cast<char32_t>(at[0] & 0x07) << 18 | rest(1) << 12 | rest(2) << 6 | rest(3);
    }
}

}  // namespace

void decode_utf8(Value value, std::u16string& units) {
    units.resize(value.size);  // no character has more units than bytes
    char16_t* out = units.data();
    const std::uint8_t* at = value.data;
    const std::uint8_t* const end = value.data + value.size;
    while (at != end) {
        constexpr std::uint64_t tops = 0x8080808080808080;
        std::uint64_t word = 0;
        if (end - at >= 8 && (std::memcpy(&word, at, 8), (word & tops) == 0)) {
            for (int place = 0; place < 8; ++place) {
                out[place] = at[place];
            }
            at += 8;
            out += 8;
            continue;
        }
        const std::uint8_t* const stop = end - at >= 8 ? at + 8 : end;
        each_character(at, end, [&](const std::uint8_t* first, std::size_t size, int count) {
            if (first >= stop) {
                return false;
            }
            at = first + size;
            const char32_t point = count == 0 ? kReplacement : code_point(first, size);
            if (count == 2) {
                *out++ = static_cast<char16_t>(0xD800 + ((point - 0x10000) >> 10));
                *out++ = static_cast<char16_t>(0xDC00 + ((point - 0x10000) & 0x3FF));
            } else {
                *out++ = static_cast<char16_t>(point);
            }
            return true;
        });
    }
    units.resize(static_cast<std::size_t>(out - units.data()));
}

std::size_t byte_offset(Value value, std::size_t unit) noexcept {
    std::size_t passed = 0;
    std::size_t offset = value.size;
    each_character(value.data, value.data + value.size,
                   [&](const std::uint8_t* first, std::size_t size, int count) {
                       if (passed == unit) {
                           offset = static_cast<std::size_t>(first - value.data);
                           return false;
                       }
                       if (count == 2 && passed + 1 == unit) {
                           offset = static_cast<std::size_t>(first - value.data) + size - 1;
                           return false;
                       }
                       passed += count == 2 ? 2 : 1;
                       return true;
                   });
    return offset;
}

bool ends_inside_character(Value value) noexcept {
    const std::uint8_t* const end = value.data + value.size;
    const auto continues = [&](std::ptrdiff_t back) { return within(end[-back], 0x80, 0xBF); };
    if (value.size >= 1 && within(end[-1], 0xC2, 0xF4)) {
        return true;
    }
    // A lead, and a second byte that may follow it.
    const auto begins = [&](std::ptrdiff_t back, bool of_four) {
        const std::uint8_t lead = end[-back];
        const std::uint8_t second = end[1 - back];
        return (!of_four && lead == 0xE0 && within(second, 0xA0, 0xBF)) ||
               (!of_four && within(lead, 0xE1, 0xEF) && within(second, 0x80, 0xBF)) ||
               (lead == 0xF0 && within(second, 0x90, 0xBF)) ||
               (within(lead, 0xF1, 0xF3) && within(second, 0x80, 0xBF)) ||
               (lead == 0xF4 && within(second, 0x80, 0x8F));
    };
    return (value.size >= 2 && begins(2, false)) ||
           (value.size >= 3 && begins(3, true) && continues(1));
}

std::size_t chunk_end(std::u16string_view units, std::size_t start, bool unfinished) noexcept {
    std::size_t size = units.size();
    if (unfinished && start + 1 < size) {
        --size;
    }
    const std::size_t end = start + kReaderChunk;
    if (end >= size) {
        return size;
    }
    return is_high_surrogate(units[end - 1]) ? end - 1 : end;
}

void append_utf8(char16_t unit, std::string& out) {
    if (unit < 0x80) {
        out += static_cast<char>(unit);
    } else if (unit < 0x800) {
        out += static_cast<char>(0xC0 | unit >> 6);
        out += static_cast<char>(0x80 | (unit & 0x3F));
    } else {
        out += static_cast<char>(0xE0 | unit >> 12);
        out += static_cast<char>(0x80 | (unit >> 6 & 0x3F));
        out += static_cast<char>(0x80 | (unit & 0x3F));
    }
}

void append_utf8(std::u16string_view units, std::string& out) {
    for (std::size_t place = 0; place < units.size(); ++place) {
        const char16_t unit = units[place];
        if (is_high_surrogate(unit) && place + 1 < units.size() && is_low_surrogate(units[place + 1])) {
            const char32_t point = 0x10000 + (static_cast<char32_t>(unit - 0xD800) << 10) +
                                   static_cast<char32_t>(units[++place] - 0xDC00);
            out += static_cast<char>(0xF0 | point >> 18);
            out += static_cast<char>(0x80 | (point >> 12 & 0x3F));
            out += static_cast<char>(0x80 | (point >> 6 & 0x3F));
            out += static_cast<char>(0x80 | (point & 0x3F));
        } else if (is_high_surrogate(unit) || is_low_surrogate(unit)) {
            out += '?';
        } else {
            append_utf8(unit, out);
        }
    }
}

}  // namespace pbf::decode
