#include "decode/tokenizer.hpp"

#include <limits>

namespace pbf::decode {
namespace {

constexpr std::size_t kMaxDepth = 1000;
constexpr std::size_t kMaxNameUnits = 50'000;
constexpr std::size_t kMaxStringUnits = 20'000'000;

}  // namespace

void Tokenizer::begin(std::u16string_view units, bool unfinished) {
    NumberScanner::begin(units, unfinished);
    token_ = Token::none;
    value_token_ = Token::none;
    string_is_unread_ = false;
    string_ = {};
    depth_ = 0;
    if (contexts_.empty()) {
        contexts_.resize(1);
    }
    contexts_[0].entries = -1;
}

Token Tokenizer::next_token() {
    if (token_ == Token::name) {
        return value_after_name();
    }
    if (string_is_unread_) {
        string_is_unread_ = false;
        if (!skip_quoted()) {
            return Token::failed;
        }
    }
    Unit unit = significant();
    if (unit == kFailed) {
        return Token::failed;
    }
    const Kind kind = context().kind;
    if (unit == kEndOfText) {
        if (kind != Kind::root) {
            truncated();
            return Token::failed;
        }
        return token_ = Token::none;
    }
    if (unit == ']' || unit == '}') {
        return close(unit) ? token_ : Token::failed;
    }
    ++context().entries;
    if (context().entries > 0 && kind != Kind::root) {
        if (unit != ',') {
            fail_at_unit(kind == Kind::array ? "',' or the end of the array expected"
                                             : "',' or the end of the object expected");
            return Token::failed;
        }
        unit = significant();
        if (unit == kEndOfText) {
            truncated();
        }
        if (unit < 0) {
            return Token::failed;
        }
    }
    if (kind != Kind::object) {
        const Token token = value_start(unit);
        if (token == Token::failed || !open(token)) {
            return Token::failed;
        }
        return token_ = token;
    }
    if (!name(unit)) {
        return Token::failed;
    }
    token_ = Token::name;
    // Without a value if that fails: the one before has been taken.
    unit = unit_after_colon();
    if (unit == kFailed) {
        return Token::failed;
    }
    const Token token = value_start(unit);
    if (token == Token::failed) {
        return Token::failed;
    }
    value_token_ = token;
    return Token::name;
}

bool Tokenizer::skip_children() {
    if (token_ != Token::start_object && token_ != Token::start_array) {
        return true;
    }
    std::size_t depth = 1;
    while (depth > 0) {
        switch (next_token()) {
            case Token::start_object:
            case Token::start_array: ++depth; break;
            case Token::end_object:
            case Token::end_array: --depth; break;
            case Token::none: return context().kind == Kind::root || truncated();
            case Token::failed: return false;
            default: break;
        }
    }
    return true;
}

const std::u16string_view* Tokenizer::current_name() const noexcept {
    const bool has_begun = token_ == Token::start_object || token_ == Token::start_array;
    const Context& owner = contexts_[has_begun ? depth_ - 1 : depth_];
    return owner.has_name ? &owner.name : nullptr;
}

bool Tokenizer::string(std::u16string_view& found) {
    if (string_is_unread_) {
        string_is_unread_ = false;
        if (!quoted(u'"', string_, own_string_)) {
            return false;
        }
    }
    if (string_.size() > kMaxStringUnits) {
        return fail("string is too long", Reason::string_too_long);
    }
    found = string_;
    return true;
}

Token Tokenizer::value_after_name() {
    const Token token = value_token_;
    value_token_ = Token::none;
    return open(token) ? token_ = token : Token::failed;
}

// Enters the object or array that the token begins, if it does.
bool Tokenizer::open(Token token) {
    if (token != Token::start_object && token != Token::start_array) {
        return true;
    }
    if (++depth_ == contexts_.size()) {
        contexts_.emplace_back();
    }
    Context& opened = context();
    opened.kind = token == Token::start_object ? Kind::object : Kind::array;
    opened.has_name = false;
    opened.entries = -1;
    return depth_ <= kMaxDepth || fail("nested deeper than 1000", Reason::too_deep);
}

bool Tokenizer::close(Unit unit) noexcept {
    const Kind kind = context().kind;
    if (kind != (unit == '}' ? Kind::object : Kind::array)) {
        return fail_at_unit(kind == Kind::root    ? "end of the value expected"
                            : kind == Kind::array ? "end of the array expected"
                                                  : "end of the object expected");
    }
    --depth_;
    token_ = unit == '}' ? Token::end_object : Token::end_array;
    return true;
}

bool Tokenizer::name(Unit unit) {
    if (unit != '"' && unit != '\'') {
        return fail_at_unit("field name in quotes expected");
    }
    std::u16string_view found;
    if (!quoted(static_cast<char16_t>(unit), found, own_name_)) {
        return false;
    }
    if (found.size() > kMaxNameUnits) {
        return fail("field name is too long", Reason::name_too_long);
    }
    Context& owner = context();
    if (found.data() == own_name_.data()) {
        owner.own_name.swap(own_name_);
        found = owner.own_name;
    }
    owner.name = found;
    owner.has_name = true;
    return true;
}

Unit Tokenizer::unit_after_colon() noexcept {
    Unit unit = significant();
    if (unit >= 0 && unit != ':') {
        fail_at_unit("':' expected");
        return kFailed;
    }
    if (unit == ':') {
        unit = significant();
    }
    if (unit == kEndOfText) {
        truncated();
        return kFailed;
    }
    return unit;
}

// Reads a value as far as Jackson does at once: all of it, except strings and nesting.
Token Tokenizer::value_start(Unit unit) {
    const auto read = [](bool done, Token token) { return done ? token : Token::failed; };
    switch (unit) {
        case '"': string_is_unread_ = true; return Token::string;
        case '-': return read(negative_number(), Token::number);
        case '{': return Token::start_object;
        case '[': return Token::start_array;
        case 'n': return read(literal("null"), Token::null_value);
        case 't': return read(literal("true"), Token::true_value);
        case 'f': return read(literal("false"), Token::false_value);
        default: break;
    }
    return is_digit_unit(unit) ? read(unsigned_number(unit), Token::number) : odd_value_start(unit);
}

// Values outside the JSON standard that Spark allows.
Token Tokenizer::odd_value_start(Unit unit) {
    bool done = false;
    switch (unit) {
        case '\'': return quoted(u'\'', string_, own_string_) ? Token::string : Token::failed;
        case 'N':
            done = literal("NaN") && not_finite(std::numeric_limits<double>::quiet_NaN());
            break;
        case 'I':
            done = literal("Infinity") && not_finite(std::numeric_limits<double>::infinity());
            break;
        case '+':
            unit = next_unit("unfinished number");
            done = unit != kFailed && odd_number(unit, false);
            break;
        default: done = unexpected_value(unit); break;
    }
    return done ? Token::number : Token::failed;
}

bool Tokenizer::truncated() noexcept {
    return fail(context().kind == Kind::array ? "the record ends inside an array"
                                              : "the record ends inside an object",
                Reason::truncated);
}

}  // namespace pbf::decode
