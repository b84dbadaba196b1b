#include "decode/scanner.hpp"

#include <algorithm>

#include "decode/java_text.hpp"

namespace pbf::decode {
namespace {

// Where Jackson gives up inside a string or name; its own place varies by some thousand units with the
// buffers it happens to hold.
constexpr std::size_t kMaxBufferedUnits = 20'050'000;
// How much of an unknown token Jackson reads to show it, and how much is shown here.
constexpr std::size_t kMaxReadToken = 256;
constexpr std::size_t kMaxShownToken = 20;

// The digit that a unit stands for, or -1. Jackson looks at the low byte of the unit only.
int hex_digit(Unit unit) noexcept {
    const int low = unit & 0xFF;
    if (is_digit_unit(low)) {
        return low - '0';
    }
    const int letter = low | 0x20;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

}  // namespace

void Scanner::begin(std::u16string_view units, bool unfinished) noexcept {
    units_ = units;
    unfinished_ = unfinished;
    position_ = 0;
    limit_ = chunk_end(units, 0, unfinished);
    problem_ = {};
}

bool Scanner::more() noexcept {
    if (limit_ >= units_.size()) {
        return false;
    }
    limit_ = chunk_end(units_, limit_, unfinished_);
    return true;
}

bool Scanner::fail(const char* what, Reason reason) noexcept {
    problem_ = {.reason = reason, .what = what, .seen = {}, .is_token = false, .position = position_};
    return false;
}

bool Scanner::fail_at_unit(const char* what) noexcept {
    problem_ = {.reason = Reason::syntax,
                .what = what,
                .seen = units_.substr(position_ - 1, 1),
                .is_token = false,
                .position = position_ - 1};
    return false;
}

bool Scanner::unknown_token(std::size_t seen) noexcept {
    const std::size_t start = position_ - seen;
    while (has_unit() && is_identifier_part(units_[position_])) {
        ++position_;
        if (position_ - start >= kMaxReadToken) {
            break;
        }
    }
    problem_ = {.reason = Reason::syntax,
                .what = "unknown token",
                .seen = units_.substr(start, std::min(position_ - start, kMaxShownToken)),
                .is_token = true,
                .position = start};
    return false;
}

Unit Scanner::next_unit(const char* missing) noexcept {
    if (!has_unit()) {
        fail(missing, Reason::truncated);
        return kFailed;
    }
    return units_[position_++];
}

Unit Scanner::significant() noexcept {
    while (has_unit()) {
        const char16_t unit = units_[position_++];
        if (unit > u' ') {
            if (unit == u'/') {
                fail_at_unit("comments are not allowed");
                return kFailed;
            }
            return unit;
        }
        if (unit != u' ' && unit != u'\n' && unit != u'\r' && unit != u'\t') {
            fail_at_unit("control character between tokens");
            return kFailed;
        }
    }
    return kEndOfText;
}

std::size_t Scanner::plain_end(char16_t quote) const noexcept {
    std::size_t place = position_;
    while (place < limit_ && units_[place] != quote && units_[place] != u'\\' && units_[place] >= u' ') {
        ++place;
    }
    return place;
}

bool Scanner::quoted(char16_t quote, std::u16string_view& found, std::u16string& own) {
    std::size_t end = plain_end(quote);
    if (end < limit_ && units_[end] == quote) {
        found = units_.substr(position_, end - position_);
        position_ = end + 1;
        return true;
    }
    parts_.clear();
    while (true) {
        end = plain_end(quote);
        parts_.append(units_.substr(position_, end - position_));
        position_ = end;
        if (parts_.size() > kMaxBufferedUnits) {
            return fail("string is too long", Reason::string_too_long);
        }
        const Unit unit = next_unit("missing closing quote");
        if (unit == kFailed) {
            return false;
        }
        if (unit == quote) {
            own.swap(parts_);
            found = own;
            return true;
        }
        const Unit meant = resolved(static_cast<char16_t>(unit));
        if (meant == kFailed) {
            return false;
        }
        parts_.push_back(static_cast<char16_t>(meant));
    }
}

bool Scanner::skip_quoted() noexcept {
    while (true) {
        position_ = plain_end(u'"');
        const Unit unit = next_unit("missing closing quote");
        if (unit == kFailed) {
            return false;
        }
        if (unit == '"') {
            return true;
        }
        if (resolved(static_cast<char16_t>(unit)) == kFailed) {
            return false;
        }
    }
}

Unit Scanner::resolved(char16_t unit) noexcept {
    if (unit == u'\\') {
        return escape();
    }
    if (unit < u' ') {
        fail_at_unit("control character in a string or name");
        return kFailed;
    }
    return unit;
}

Unit Scanner::escape() noexcept {
    Unit unit = next_unit("unfinished escape");
    switch (unit) {
        case kFailed: return kFailed;
        case 'b': return '\b';
        case 't': return '\t';
        case 'n': return '\n';
        case 'f': return '\f';
        case 'r': return '\r';
        case '"':
        case '\'':
        case '/':
        case '\\': return unit;
        case 'u': break;
        default: fail_at_unit("unknown escape"); return kFailed;
    }
    Unit value = 0;
    for (int place = 0; place < 4; ++place) {
        unit = next_unit("unfinished escape");
        if (unit == kFailed) {
            return kFailed;
        }
        const int digit = hex_digit(unit);
        if (digit < 0) {
            fail_at_unit("hexadecimal digit expected");
            return kFailed;
        }
        value = value << 4 | digit;
    }
    return value;
}

bool Scanner::literal(std::string_view word, std::size_t matched) noexcept {
    for (std::size_t place = matched; place < word.size(); ++place) {
        if (!has_unit() || units_[position_] != static_cast<unsigned char>(word[place])) {
            return unknown_token(place);
        }
        ++position_;
    }
    if (has_unit()) {
        const char16_t unit = units_[position_];
        if (unit >= u'0' && unit != u']' && unit != u'}' && is_identifier_part(unit)) {
            return unknown_token(word.size());
        }
    }
    return true;
}

bool Scanner::unexpected_value(Unit unit) noexcept {
    if (is_identifier_start(static_cast<char16_t>(unit))) {
        return unknown_token(1);
    }
    return fail_at_unit("value expected");
}

}  // namespace pbf::decode
