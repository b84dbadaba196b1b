#include "decode/exact_json.hpp"

#include "decode/java_text.hpp"

namespace pbf::decode {

Verdict ExactReader::read(Value value) {
    row_.clear();
    reason_ = Reason::none;
    if (value.data == nullptr) {
        units_.clear();
        reason_ = Reason::null_value;
        return Verdict::empty;
    }
    decode_utf8(value, units_);
    tokens_.begin(units_, ends_inside_character(value));
    switch (tokens_.next_token()) {
        case Token::failed: return void_record();
        case Token::none: reason_ = Reason::blank; return Verdict::empty;
        case Token::start_object: break;
        case Token::string: {
            std::u16string_view passed;
            if (!tokens_.string(passed)) {
                return void_record();
            }
            [[fallthrough]];
        }
        default: tokens_.fail("an object expected", Reason::not_an_object); return void_record();
    }
    switch (convert_object(tokens_, wanted_, row_)) {
        case Converted::whole: return Verdict::good;
        case Converted::partial: return Verdict::flagged;
        case Converted::failed: break;
    }
    return void_record();
}

Verdict ExactReader::void_record() {
    row_.clear();
    reason_ = tokens_.problem().reason;
    return Verdict::corrupt;
}

std::string ExactReader::detail(Value value) const {
    if (reason_ == Reason::null_value) {
        return "no value";
    }
    if (reason_ == Reason::blank) {
        return std::to_string(value.size) + " bytes of white space";
    }
    const Problem& problem = tokens_.problem();
    return described(problem) + " at byte " + std::to_string(byte_offset(value, problem.position));
}

std::string ExactReader::text() const {
    std::string out;
    append_utf8(units_, out);
    return out;
}

}  // namespace pbf::decode
