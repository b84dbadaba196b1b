#include "decode/convert.hpp"

#include <charconv>
#include <limits>
#include <utility>

#include "decode/java_text.hpp"
#include "decode/json_text.hpp"

namespace pbf::decode {
namespace {

// The value of a field, which replaces the one before only if it can be converted.
class FieldConverter {
  public:
    FieldConverter(Tokenizer& tokens, const Wanted& wanted, std::size_t field, Cell& cell) noexcept
        : tokens_(tokens), wanted_(wanted), field_(field), cell_(cell) {}

    Converted convert() {
        if (!reach_value()) {
            return Converted::failed;
        }
        switch (wanted_.fields()[field_].type) {
            case Type::string: return done(text());
            case Type::float64: return done(floating<double>(cell_.float64));
            case Type::float32: return done(floating<float>(cell_.float32));
            // Jackson takes bytes up to 255 and wraps them.
            case Type::int8: return done(integer(-128, 255));
            case Type::int16: return done(integer<std::int16_t>());
            case Type::int32: return done(integer<std::int32_t>());
            case Type::int64: return done(integer<std::int64_t>());
            case Type::boolean: return done(boolean());
            case Type::structure: return structure();
        }
        return Converted::failed;
    }

  private:
    static Converted done(bool converted) noexcept {
        return converted ? Converted::whole : Converted::failed;
    }

    // Passes over the field's name.
    bool reach_value() {
        while (tokens_.token() == Token::name) {
            if (tokens_.next_token() == Token::failed) {
                return false;
            }
        }
        return true;
    }

    bool found() noexcept {
        cell_.valid = true;
        return true;
    }

    bool null_or_fail() {
        std::u16string_view passed;
        switch (tokens_.token()) {
            case Token::null_value:
            case Token::none: cell_.valid = false; return true;
            case Token::string:
                if (!tokens_.string(passed)) {
                    return false;
                }
                [[fallthrough]];
            default: return tokens_.fail("value of another type", Reason::field);
        }
    }

    bool text() {
        std::string text;
        switch (tokens_.token()) {
            case Token::null_value:
            case Token::none: return null_or_fail();
            case Token::string: {
                std::u16string_view units;
                if (!tokens_.string(units)) {
                    return false;
                }
                append_utf8(units, text);
                break;
            }
            default:
                if (!copy_value(tokens_, text)) {
                    return false;
                }
        }
        cell_.text = std::move(text);
        return found();
    }

    bool boolean() {
        if (tokens_.token() != Token::true_value && tokens_.token() != Token::false_value) {
            return null_or_fail();
        }
        cell_.integer = tokens_.token() == Token::true_value ? 1 : 0;
        return found();
    }

    template <typename T>
    bool floating(T& out) {
        if (tokens_.token() == Token::number) {
            const NumberToken& number = tokens_.number();
            if (!number.is_finite) {
                out = static_cast<T>(number.not_finite);
            } else if (number.text == u"-0") {
                out = 0;  // an integer token: integers have no negative zero
            } else if constexpr (sizeof(T) == sizeof(float)) {
                out = float_of(number.text);
            } else {
                out = double_of(number.text);
            }
            return found();
        }
        if (tokens_.token() == Token::string) {
            std::u16string_view units;
            if (!tokens_.string(units)) {
                return false;
            }
            constexpr T infinity = std::numeric_limits<T>::infinity();
            if (units == u"NaN") {
                out = std::numeric_limits<T>::quiet_NaN();
                return found();
            }
            if (units == u"Infinity" || units == u"+Infinity" || units == u"+INF") {
                out = infinity;
                return found();
            }
            if (units == u"-Infinity" || units == u"-INF") {
                out = -infinity;
                return found();
            }
        }
        return null_or_fail();
    }

    template <typename T>
    bool integer() {
        return integer(std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
    }

    bool integer(std::int64_t low, std::int64_t high) {
        if (tokens_.token() != Token::number || !tokens_.number().is_integer) {
            return null_or_fail();
        }
        std::int64_t value = 0;
        if (!fits(tokens_.number().text, value) || value < low || value > high) {
            return tokens_.fail("integer out of range", Reason::field);
        }
        cell_.integer = value;
        return found();
    }

    static bool fits(std::u16string_view number, std::int64_t& value) noexcept {
        char digits[24];
        if (number.size() > sizeof digits) {
            return false;  // there are no leading zeros
        }
        char* end = digits;
        for (const char16_t unit : number) {
            *end++ = static_cast<char>(unit);
        }
        return std::from_chars(digits, end, value).ec == std::errc{};
    }

    Converted structure() {
        if (tokens_.token() != Token::start_object) {
            return done(null_or_fail());
        }
        const Wanted& inside = wanted_.inside(field_);
        ExactRow row(inside.fields().size());
        const Converted converted = convert_object(tokens_, inside, row);
        if (converted != Converted::failed) {
            cell_.fields = std::move(row);
            cell_.valid = true;
        }
        return converted;
    }

    Tokenizer& tokens_;
    const Wanted& wanted_;
    std::size_t field_;
    Cell& cell_;
};

}  // namespace

Converted convert_object(Tokenizer& tokens, const Wanted& wanted, ExactRow& row) {
    bool is_partial = false;
    std::size_t expected = 0;
    while (true) {
        const Token token = tokens.next_token();
        if (token == Token::failed) {
            return Converted::failed;
        }
        if (token == Token::end_object || token == Token::none) {
            return is_partial ? Converted::partial : Converted::whole;
        }
        const std::u16string_view* const name = tokens.current_name();
        const auto field = name != nullptr ? wanted.find(*name, expected) : std::nullopt;
        if (!field) {
            if (!tokens.skip_children()) {
                return Converted::failed;
            }
            continue;
        }
        Cell& cell = row.cells[*field];
        const Converted converted = FieldConverter(tokens, wanted, *field, cell).convert();
        if (converted == Converted::failed) {
            is_partial = true;
            if (!tokens.skip_children()) {
                return Converted::failed;
            }
            continue;
        }
        is_partial = is_partial || converted == Converted::partial;
        if (!cell.has_come) {
            cell.has_come = true;
            row.order.push_back(static_cast<std::uint32_t>(*field));
        }
    }
}

}  // namespace pbf::decode
