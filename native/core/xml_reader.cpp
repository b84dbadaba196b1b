#include "core/xml_reader.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace pbf {
namespace {

bool is_space(char c) noexcept { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// What ends a name. Which letters may be in one is not asked.
bool ends_name(char c) noexcept {
    return is_space(c) || c == '>' || c == '/' || c == '=' || c == '<' || c == '"' || c == '\'' ||
           c == '&' || c == '?' || c == '!';
}

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && is_space(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_space(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

std::string_view without_prefix(std::string_view name) noexcept {
    const std::size_t colon = name.find(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

void append_utf8(std::string& to, std::uint32_t code) {
    const auto byte = [&](std::uint32_t value) { to.push_back(static_cast<char>(value)); };
    if (code < 0x80) {
        byte(code);
    } else if (code < 0x800) {
        byte(0xc0 | code >> 6);
        byte(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        byte(0xe0 | code >> 12);
        byte(0x80 | (code >> 6 & 0x3f));
        byte(0x80 | (code & 0x3f));
    } else {
        byte(0xf0 | code >> 18);
        byte(0x80 | (code >> 12 & 0x3f));
        byte(0x80 | (code >> 6 & 0x3f));
        byte(0x80 | (code & 0x3f));
    }
}

}  // namespace

XmlReader::XmlReader(Bytes bytes, std::uint64_t max_nesting, std::uint64_t base)
    : content_(reinterpret_cast<const char*>(bytes.data()), bytes.size()),
      base_(base),
      max_nesting_(max_nesting) {
    if (content_.starts_with("\xef\xbb\xbf")) {
        position_ = 3;
    } else if (content_.starts_with("\xff\xfe") || content_.starts_with("\xfe\xff") ||
               content_.starts_with(std::string_view("\0<", 2)) ||
               content_.starts_with(std::string_view("<\0", 2))) {
        fail_at(0, ErrorCode::unsupported, "XML in UTF-16 is not read; save it as UTF-8");
    }
}

XmlReader::Event XmlReader::next() {
    if (ends_at_once_) {
        ends_at_once_ = false;
        name_ = without_prefix(open_.back());
        open_.pop_back();
        return Event::end;
    }
    for (;;) {
        const std::size_t begin = position_;
        skip_space();
        if (position_ == content_.size()) {
            if (!open_.empty()) {
                fail_end("an element");
            }
            if (!had_root_) {
                fail_at(position_, ErrorCode::truncated, "there is no element");
            }
            event_ = position_;
            return Event::finish;
        }
        event_ = position_;
        if (content_[position_] != '<') {
            if (open_.empty()) {
                fail_at(position_, ErrorCode::bad_command, "text outside of all elements");
            }
            std::size_t end = content_.find('<', position_);
            if (end == std::string_view::npos) {
                position_ = content_.size();
                fail_end("text");
            }
            event_ = text_begin_ = begin;
            decode(content_.substr(begin, end - begin), begin);
            position_ = end;
            return Event::text;
        }
        const char after = position_ + 1 < content_.size() ? content_[position_ + 1] : '\0';
        if (after == '/') {
            read_end();
            return Event::end;
        }
        if (after == '!' || after == '?') {
            if (!pass_markup()) {
                return Event::text;
            }
            continue;
        }
        read_start();
        return Event::start;
    }
}

std::string_view XmlReader::take_text() {
    const std::string_view element = name_;
    const std::size_t depth = open_.size();
    std::string_view all;
    std::size_t begin = position_;
    for (bool first = true;;) {
        const Event event = next();
        if (event == Event::end && open_.size() < depth) {
            break;
        }
        if (event != Event::text) {
            fail(ErrorCode::bad_command, "<" + std::string(name_) + "> within <" +
                                             std::string(element) + ">, where a value belongs");
        }
        if (first) {
            all = text_;
            begin = text_begin_;
            if (!text_.empty() && text_.data() == decoded_.data()) {
                gathered_ = decoded_;
                all = gathered_;
            }
            first = false;
        } else {
            if (all.data() != gathered_.data()) {
                gathered_.assign(all);
            }
            gathered_.append(text_);
            all = gathered_;
        }
    }
    while (!all.empty() && is_space(all.front())) {
        all.remove_prefix(1);
        ++begin;
    }
    text_begin_ = std::min(begin, content_.size());
    return trimmed(all);
}

void XmlReader::skip() {
    const std::size_t depth = open_.size();
    while (open_.size() >= depth) {
        next();
    }
}

void XmlReader::read_start() {
    if (open_.empty() && had_root_) {
        fail_at(position_, ErrorCode::bad_command, "a second outermost element");
    }
    if (open_.size() >= max_nesting_) {
        fail_at(position_, ErrorCode::limit_exceeded,
                "elements are nested deeper than max_nesting = " + std::to_string(max_nesting_));
    }
    had_root_ = true;
    ++position_;
    const std::string_view whole = read_name();
    name_ = without_prefix(whole);
    pass_attributes();
    open_.push_back(whole);
}

void XmlReader::read_end() {
    if (open_.empty()) {
        fail_at(position_, ErrorCode::bad_command, "an end tag without its start");
    }
    position_ += 2;
    const std::string_view expected = open_.back();
    if (!has(expected)) {
        const std::string_view found = read_name();
        fail_at(event_, ErrorCode::bad_command,
                "</" + std::string(found.substr(0, 60)) + "> where </" +
                    std::string(expected.substr(0, 60)) + "> belongs");
    }
    position_ += expected.size();
    skip_space();
    if (position_ == content_.size()) {
        fail_end("an end tag");
    }
    if (content_[position_] != '>') {
        fail_at(event_, ErrorCode::bad_command,
                "an end tag other than </" + std::string(expected.substr(0, 60)) + ">");
    }
    ++position_;
    name_ = without_prefix(expected);
    open_.pop_back();
}

void XmlReader::pass_attributes() {
    for (;;) {
        const std::size_t before = position_;
        skip_space();
        if (position_ == content_.size()) {
            fail_end("a tag");
        }
        if (content_[position_] == '>') {
            ++position_;
            return;
        }
        if (has("/>")) {
            position_ += 2;
            ends_at_once_ = true;
            return;
        }
        if (position_ == before) {
            fail_at(position_, ErrorCode::bad_command, "a tag that goes on in no known way");
        }
        (void)read_name();
        skip_space();
        if (!has("=")) {
            fail_at(position_, ErrorCode::bad_command, "an attribute without a value");
        }
        ++position_;
        skip_space();
        if (position_ == content_.size()) {
            fail_end("an attribute");
        }
        const char quote = content_[position_];
        if (quote != '"' && quote != '\'') {
            fail_at(position_, ErrorCode::bad_command, "the value of an attribute has no quotes");
        }
        const std::size_t end = find(std::string_view(&quote, 1), position_ + 1, "an attribute");
        if (content_.substr(position_, end - position_).find('<') != std::string_view::npos) {
            fail_at(position_, ErrorCode::bad_command, "< within an attribute");
        }
        position_ = end + 1;
    }
}

bool XmlReader::pass_markup() {
    if (has("<!--")) {
        position_ = find("-->", position_ + 4, "a comment") + 3;
        return true;
    }
    if (has("<?")) {
        const std::size_t end = find("?>", position_ + 2, "a processing instruction");
        const std::string_view instruction = content_.substr(position_ + 2, end - position_ - 2);
        if (instruction.starts_with("xml") && instruction.size() > 3 && is_space(instruction[3])) {
            check_encoding(instruction);
        }
        position_ = end + 2;
        return true;
    }
    if (has("<![CDATA[")) {
        if (open_.empty()) {
            fail_at(position_, ErrorCode::bad_command, "text outside of all elements");
        }
        const std::size_t end = find("]]>", position_ + 9, "a CDATA section");
        text_begin_ = position_ + 9;
        text_ = content_.substr(position_ + 9, end - position_ - 9);
        position_ = end + 3;
        return false;
    }
    if (has("<!DOCTYPE")) {
        fail_at(position_, ErrorCode::unsupported,
                "document types are not read: they can make much of little");
    }
    fail_at(position_, ErrorCode::bad_command, "markup of no known kind");
}

void XmlReader::check_encoding(std::string_view declaration) const {
    const std::size_t key = declaration.find("encoding");
    if (key == std::string_view::npos) {
        return;
    }
    const std::size_t open = declaration.find_first_of("\"'", key);
    if (open == std::string_view::npos) {
        return;
    }
    std::string name(declaration.substr(open + 1, declaration.find_first_of("\"'", open + 1) -
                                                      open - 1));
    for (char& letter : name) {
        letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    }
    // Encodings of single bytes agree with UTF-8 in all that numbers and tags are made of.
    for (const char* known : {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-", "windows-125"}) {
        if (name.starts_with(known)) {
            return;
        }
    }
    fail_at(position_, ErrorCode::unsupported,
            "XML in " + name.substr(0, 40) + " is not read; save it as UTF-8");
}

std::string_view XmlReader::read_name() {
    std::size_t end = position_;
    while (end < content_.size() && !ends_name(content_[end])) {
        ++end;
    }
    if (end == content_.size()) {
        position_ = end;
        fail_end("a name");
    }
    if (end == position_) {
        fail_at(position_, ErrorCode::bad_command, "a name belongs here");
    }
    const std::string_view name = content_.substr(position_, end - position_);
    position_ = end;
    return name;
}

void XmlReader::decode(std::string_view raw, std::size_t position) {
    std::size_t from = raw.find('&');
    if (from == std::string_view::npos) {
        text_ = raw;
        return;
    }
    decoded_.clear();
    std::size_t done = 0;
    while (from != std::string_view::npos) {
        decoded_.append(raw.substr(done, from - done));
        const std::size_t end = raw.find(';', from);
        if (end == std::string_view::npos || end - from > 12) {
            fail_at(position + from, ErrorCode::bad_text, "& begins no entity");
        }
        append_entity(raw.substr(from + 1, end - from - 1), position + from);
        done = end + 1;
        from = raw.find('&', done);
    }
    decoded_.append(raw.substr(done));
    text_ = decoded_;
}

void XmlReader::append_entity(std::string_view entity, std::size_t position) {
    constexpr std::pair<std::string_view, char> kNamed[] = {
        {"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    for (const auto& [name, letter] : kNamed) {
        if (entity == name) {
            decoded_.push_back(letter);
            return;
        }
    }
    if (entity.starts_with('#')) {
        const bool hex = entity.starts_with("#x");
        const std::string_view digits = entity.substr(hex ? 2 : 1);
        std::uint32_t code = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(),
                                                  code, hex ? 16 : 10);
        if (error == std::errc{} && end == digits.data() + digits.size() && code > 0 &&
            code < 0x110000 && (code < 0xd800 || code > 0xdfff)) {
            append_utf8(decoded_, code);
            return;
        }
    }
    fail_at(position, ErrorCode::bad_text,
            "&" + std::string(entity) + "; is none of the entities that XML has of itself");
}

std::size_t XmlReader::find(std::string_view what, std::size_t from, const char* within) const {
    const std::size_t found =
        from <= content_.size() ? content_.find(what, from) : std::string_view::npos;
    if (found == std::string_view::npos) {
        fail_end(within);
    }
    return found;
}

void XmlReader::skip_space() noexcept {
    while (position_ < content_.size() && is_space(content_[position_])) {
        ++position_;
    }
}

void XmlReader::fail(ErrorCode code, const std::string& message) const {
    fail_at(event_, code, message);
}

void XmlReader::fail_text() const {
    fail_at(text_begin_, ErrorCode::bad_command, "text where only elements belong");
}

void XmlReader::fail_at(std::size_t position, ErrorCode code, const std::string& message) const {
    throw FormatError(code, base_ + std::min(position, content_.size()), message);
}

void XmlReader::fail_end(const char* within) const {
    fail_at(content_.size(), ErrorCode::truncated,
            std::string("the document ends within ") + within);
}

}  // namespace pbf
