#include "decode/problem.hpp"

namespace pbf::decode {
namespace {

// As Python's ascii(): quoted, with escapes for all that is not printable ASCII.
std::string quoted(std::u16string_view units) {
    constexpr char hex[] = "0123456789abcdef";
    const bool doubly = units.find(u'\'') != units.npos && units.find(u'"') == units.npos;
    const char quote = doubly ? '"' : '\'';
    std::string out(1, quote);
    for (const char16_t unit : units) {
        if (unit == u'\\' || (unit == u'\'' && !doubly)) {
            out += '\\';
            out += static_cast<char>(unit);
        } else if (unit == u'\t' || unit == u'\n' || unit == u'\r') {
            out += unit == u'\t' ? "\\t" : unit == u'\n' ? "\\n" : "\\r";
        } else if (unit >= 0x20 && unit < 0x7F) {
            out += static_cast<char>(unit);
        } else {
            out += unit < 0x100 ? "\\x" : "\\u";
            for (int shift = unit < 0x100 ? 4 : 12; shift >= 0; shift -= 4) {
                out += hex[unit >> shift & 0xF];
            }
        }
    }
    return out + quote;
}

}  // namespace

std::string_view name_of(Reason reason) noexcept {
    switch (reason) {
        case Reason::none: return "none";
        case Reason::null_value: return "null_value";
        case Reason::blank: return "blank";
        case Reason::not_an_object: return "not_an_object";
        case Reason::syntax: return "syntax";
        case Reason::truncated: return "truncated";
        case Reason::too_deep: return "too_deep";
        case Reason::number_too_long: return "number_too_long";
        case Reason::name_too_long: return "name_too_long";
        case Reason::string_too_long: return "string_too_long";
        case Reason::unstorable: return "unstorable";
        case Reason::field: return "field";
    }
    return "";
}

std::string described(const Problem& problem) {
    std::string text = problem.what;
    if (problem.is_token) {
        text += " " + quoted(problem.seen);
    } else if (!problem.seen.empty()) {
        text += ", found " + quoted(problem.seen);
    }
    return text;
}

}  // namespace pbf::decode
