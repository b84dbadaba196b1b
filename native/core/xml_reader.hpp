// A pull parser of XML, for files of numbers: it checks that tags match, and copies nothing.
//
// Not validating, and without document types: <!DOCTYPE is refused, so nothing can be defined that
// expands. Attributes are stepped over. UTF-8 is taken (and what agrees with it up to 127).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/byte_reader.hpp"

namespace pbf {

class XmlReader {
  public:
    enum class Event : std::uint8_t { start, text, end, finish };

    XmlReader(Bytes bytes, std::uint64_t max_nesting, std::uint64_t base = 0);

    // The next tag, text that is not only white space, or the end of the document. An empty element
    // gives a start and an end.
    Event next();

    // Of the last start or end: the name without its prefix. A view of the document.
    std::string_view name() const noexcept { return name_; }
    // Of the last text: entities and CDATA resolved. Valid until the next event.
    std::string_view text() const noexcept { return text_; }
    // Byte of the file where the last event begins.
    std::uint64_t offset() const noexcept { return base_ + event_; }
    std::size_t depth() const noexcept { return open_.size(); }

    // After a start: the text up to the end of the element, which is passed, without white space
    // around it. Valid until the next event. Another element within is an error.
    std::string_view take_text();
    // Where the text that take_text() gave begins.
    std::uint64_t text_offset() const noexcept { return base_ + text_begin_; }
    // After a start: passes the element.
    void skip();

    // After a start: calls each() after the start of each child; it has to pass the child.
    template <typename Each>
    void for_each_child(Each&& each) {
        for (;;) {
            switch (next()) {
                case Event::start: each(); break;
                case Event::text: fail_text(); break;
                case Event::end:
                case Event::finish: return;
            }
        }
    }

    [[noreturn]] void fail(ErrorCode code, const std::string& message) const;

  private:
    [[noreturn]] void fail_text() const;
    [[noreturn]] void fail_at(std::size_t position, ErrorCode code,
                              const std::string& message) const;
    [[noreturn]] void fail_end(const char* within) const;
    void read_start();
    void read_end();
    void pass_attributes();
    bool pass_markup();  // false: it is a CDATA section, whose text is set
    void check_encoding(std::string_view declaration) const;
    std::string_view read_name();
    void decode(std::string_view raw, std::size_t position);
    void append_entity(std::string_view entity, std::size_t position);
    std::size_t find(std::string_view what, std::size_t from, const char* within) const;
    void skip_space() noexcept;
    bool has(std::string_view what) const noexcept {
        return content_.substr(position_, what.size()) == what;
    }

    std::string_view content_;
    std::uint64_t base_;
    std::uint64_t max_nesting_;
    std::size_t position_ = 0;
    std::size_t event_ = 0;
    std::size_t text_begin_ = 0;
    std::vector<std::string_view> open_;  // with their prefixes
    std::string_view name_;
    std::string_view text_;
    std::string decoded_;
    std::string gathered_;
    bool ends_at_once_ = false;
    bool had_root_ = false;
};

}  // namespace pbf
