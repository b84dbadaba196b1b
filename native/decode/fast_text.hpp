// The end of a JSON string without escapes, sixteen bytes at a time.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace pbf::decode {

// Passes over the well-formed UTF-8 characters that begin with a byte of 0x80 or more; nullptr where
// they are not well formed (overlong forms, surrogates and what lies beyond U+10FFFF are not).
inline const std::uint8_t* pass_character(const std::uint8_t* at, const std::uint8_t* end) noexcept {
    const auto continues = [&](std::ptrdiff_t place, std::uint8_t low = 0x80, std::uint8_t high = 0xBF) {
        return end - at > place && at[place] >= low && at[place] <= high;
    };
    const std::uint8_t lead = *at;
    if (lead >= 0xC2 && lead <= 0xDF) {
        return continues(1) ? at + 2 : nullptr;
    }
    if (lead >= 0xE0 && lead <= 0xEF) {
        const std::uint8_t low = lead == 0xE0 ? 0xA0 : 0x80;
        const std::uint8_t high = lead == 0xED ? 0x9F : 0xBF;
        return continues(1, low, high) && continues(2) ? at + 3 : nullptr;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const std::uint8_t low = lead == 0xF0 ? 0x90 : 0x80;
        const std::uint8_t high = lead == 0xF4 ? 0x8F : 0xBF;
        return continues(1, low, high) && continues(2) && continues(3) ? at + 4 : nullptr;
    }
    return nullptr;
}

inline constexpr std::ptrdiff_t kTextStep = 16;

#if defined(__SSE2__)

// How many of sixteen bytes come before the first that is special in a string: a quote, a backslash,
// a control character, or no ASCII.
inline int plain_bytes(const std::uint8_t* at) noexcept {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i special = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
        _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)));  // signed: what is no ASCII is below zero
    return std::countr_zero(static_cast<unsigned>(_mm_movemask_epi8(special)) | 0x10000U);
}

#else

inline int plain_bytes(const std::uint8_t* at) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101;
    constexpr std::uint64_t tops = 0x8080808080808080;
    int plain = 0;
    for (; plain < kTextStep; plain += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at + plain, 8);
        const std::uint64_t quotes = word ^ (ones * '"');
        const std::uint64_t slashes = word ^ (ones * '\\');
        // The lowest marked byte is right; higher ones may be marked by a borrow.
        const std::uint64_t special = (((quotes - ones) & ~quotes) | ((slashes - ones) & ~slashes) |
                                       ((word - ones * 0x20) & ~word) | word) &
                                      tops;
        if (special != 0) {
            return plain + std::countr_zero(special) / 8;
        }
    }
    return plain;
}

#endif

// The closing quote of a string whose characters begin at `at`; nullptr if there is none, or if the
// string has an escape, a control character or bytes that are no UTF-8.
inline const std::uint8_t* find_plain_string_end(const std::uint8_t* at,
                                                 const std::uint8_t* end) noexcept {
    while (at != end) {
        if (end - at >= kTextStep) {
            const int plain = plain_bytes(at);
            at += plain;
            if (plain == kTextStep) {
                continue;
            }
        }
        if (*at == '"') {
            return at;
        }
        if (*at == '\\' || *at < 0x20) {
            return nullptr;
        }
        if (*at < 0x80) {
            ++at;
            continue;
        }
        at = pass_character(at, end);
        if (at == nullptr) {
            return nullptr;
        }
    }
    return nullptr;
}

}  // namespace pbf::decode
