#include "decode/json_text.hpp"

#include <array>
#include <charconv>
#include <system_error>

#include "core/decimal.hpp"
#include "decode/java_double.hpp"
#include "decode/java_text.hpp"

namespace pbf::decode {
namespace {

// A number in characters. The tokenizer has counted its digits: some more than the limit at most.
class NumberText {
  public:
    explicit NumberText(std::u16string_view number) noexcept {
        for (const char16_t unit : number) {
            characters_[count_++] = static_cast<char>(unit);
        }
    }
    const char* begin() const noexcept { return characters_.data(); }
    const char* end() const noexcept { return characters_.data() + count_; }

  private:
    std::array<char, kMaxNumberDigits + 100> characters_;
    std::size_t count_ = 0;
};

void append_number(const NumberToken& number, std::string& out) {
    if (!number.is_finite) {
        out += '"';
        append_java_double(number.not_finite, out);
        out += '"';
    } else if (number.is_integer) {
        // As it stands; but integers have no negative zero.
        append_utf8(number.text == u"-0" ? u"0" : number.text, out);
    } else {
        const std::size_t before = out.size();
        append_java_double(double_of(number.text), out);
        if (out.back() == 'y') {  // Infinity
            out.insert(before, 1, '"');
            out += '"';
        }
    }
}

void append_quoted(std::u16string_view units, std::string& out) {
    constexpr char hex[] = "0123456789ABCDEF";
    out += '"';
    for (const char16_t unit : units) {
        switch (unit) {
            case u'"': out += "\\\""; continue;
            case u'\\': out += "\\\\"; continue;
            case u'\b': out += "\\b"; continue;
            case u'\t': out += "\\t"; continue;
            case u'\n': out += "\\n"; continue;
            case u'\f': out += "\\f"; continue;
            case u'\r': out += "\\r"; continue;
            default: break;
        }
        if (unit < u' ' || is_high_surrogate(unit) || is_low_surrogate(unit)) {
            out += "\\u";
            for (int shift = 12; shift >= 0; shift -= 4) {
                out += hex[unit >> shift & 0xF];
            }
        } else {
            append_utf8(unit, out);
        }
    }
    out += '"';
}

bool append_scalar(Tokenizer& tokens, std::string& out) {
    std::u16string_view text;
    switch (tokens.token()) {
        case Token::string:
            if (!tokens.string(text)) {
                return false;
            }
            append_quoted(text, out);
            return true;
        case Token::number: append_number(tokens.number(), out); return true;
        case Token::true_value: out += "true"; return true;
        case Token::false_value: out += "false"; return true;
        case Token::null_value: out += "null"; return true;
        default: return tokens.fail("no value begins here", Reason::field);
    }
}

}  // namespace

double double_of(std::u16string_view number) {
    const NumberText text(number);
    return parse_decimal_slowly(text.begin(), text.end());
}

float float_of(std::u16string_view number) {
    const NumberText text(number);
    float value = 0;
    if (std::from_chars(text.begin(), text.end(), value).ec == std::errc::result_out_of_range) {
        // Infinite or zero: that a double tells.
        value = static_cast<float>(parse_decimal_slowly(text.begin(), text.end()));
    }
    return value;
}

bool copy_value(Tokenizer& tokens, std::string& out) {
    const auto opens = [](Token token) { return token == Token::start_object || token == Token::start_array; };
    const auto bracket = [](Token token) {
        return token == Token::start_object ? '{' : token == Token::start_array ? '[' : token == Token::end_object ? '}' : ']';
    };
    if (!opens(tokens.token())) {
        return append_scalar(tokens, out);
    }
    out += bracket(tokens.token());
    std::size_t depth = 1;
    bool after_value = false;  // what was written last decides whether a comma must come first
    while (depth > 0) {
        const Token token = tokens.next_token();
        if (token == Token::failed) {
            return false;
        }
        if (token == Token::none) {
            break;
        }
        if (token == Token::end_object || token == Token::end_array) {
            --depth;
            out += bracket(token);
            after_value = true;
            continue;
        }
        if (after_value) {
            out += ',';
        }
        after_value = false;
        if (token == Token::name) {
            const std::u16string_view* const name = tokens.current_name();
            append_quoted(name != nullptr ? *name : std::u16string_view{}, out);
            out += ':';
        } else if (opens(token)) {
            ++depth;
            out += bracket(token);
        } else {
            if (!append_scalar(tokens, out)) {
                return false;
            }
            after_value = true;
        }
    }
    return true;
}

}  // namespace pbf::decode
