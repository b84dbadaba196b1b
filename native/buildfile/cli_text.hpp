// The text of CLI files: commands ($$NAME/parameters), numbers, blanks and // comments //.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/byte_reader.hpp"

namespace pbf::buildfile::cli {

// Reads forward through the text [first, last) of a file. A comment runs to the next "//", over lines
// too; where there is none, to the end of its line. Names of commands are upper case, and taken in any.
class Text {
  public:
    Text(Bytes file, std::size_t first, std::size_t last) noexcept
        : file_(reinterpret_cast<const char*>(file.data())),
          at_(file_ + first),
          last_(file_ + last),
          end_of_file_(last == file.size()) {}

    bool at_end() const noexcept { return at_ == last_; }
    std::size_t offset() const noexcept { return static_cast<std::size_t>(at_ - file_); }
    std::size_t end() const noexcept { return static_cast<std::size_t>(last_ - file_); }
    void seek(std::size_t offset) noexcept { at_ = file_ + offset; }
    char peek() const noexcept { return at_ == last_ ? '\0' : *at_; }
    bool at_command() const noexcept { return last_ - at_ >= 2 && at_[0] == '$' && at_[1] == '$'; }

    // Moves to the next "$$" that is in no comment; false, and at the end, if there is none.
    bool find_command() noexcept;
    // At "$$": moves behind the name, and behind the '/' before its parameters; gives the name in upper
    // case. It is good until the next one is taken.
    std::string_view take_name() noexcept;
    // The parameters of a command as text: to the end of the line, a comment, or the next command.
    std::string_view take_parameters() noexcept;
    // A text without quotes, which may have "//" in it: only behind a blank, or with another at the end
    // of the line, is that a comment.
    std::string_view take_label() noexcept;
    // Moves behind blanks and comments.
    void skip_blank() noexcept;

    // The next number, behind blanks. Throws bad_number, or truncated at the end.
    double take_number(const char* what);
    // An integer in [lowest, highest]; "3.0" is one.
    std::int64_t take_integer(const char* what, std::int64_t lowest, std::int64_t highest);
    // The comma before a further number: false, if something else comes (behind blanks).
    bool take_comma() noexcept {
        if (at_ != last_ && *at_ == ',') {
            ++at_;
            return true;
        }
        skip_blank();
        if (at_ != last_ && *at_ == ',') {
            ++at_;
            return true;
        }
        return false;
    }
    // As take_comma, but throws if there is none.
    void expect_comma(const char* before) {
        if (!take_comma()) {
            fail_number(before);
        }
    }

    // Whether a comma and something more than the next command follow; moves behind that comma.
    bool take_further() noexcept;
    // Throws bad_number if `what` is followed by a further number: 0,05 is not 0.05.
    void expect_last(const char* what);

    // Where the first comment began that ran over lines and had commands in it, if one was met.
    std::optional<std::size_t> hiding_comment() const noexcept {
        return hiding_ == nullptr ? std::nullopt
                                  : std::optional(static_cast<std::size_t>(hiding_ - file_));
    }

    // How many commas there are up to the next command, but for those in comments.
    std::size_t count_commas() const noexcept;

    [[noreturn]] void fail(ErrorCode code, std::string message) const {
        throw FormatError(code, offset(), std::move(message));
    }

  private:
    void skip_comment() noexcept;  // at "//"
    bool at_end_of_parameters() const noexcept;
    bool comment_ends_line() const noexcept;  // at "//"
    [[noreturn]] void fail_number(const char* what) const;

    const char* file_;
    const char* at_;
    const char* last_;
    const char* hiding_ = nullptr;
    bool end_of_file_;
    std::array<char, 16> name_{};  // no name that is known is longer
};

// Whether `text` begins with `word`, which is upper case, in any case.
bool begins_with(std::string_view text, std::string_view word) noexcept;

// Text without blanks at its ends.
std::string_view trimmed(std::string_view text) noexcept;

}  // namespace pbf::buildfile::cli
