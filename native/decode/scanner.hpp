// Characters of a record: position, white space, quoted strings, literals.
//
// Spark reads records with Jackson, which takes the text in chunks and, after an error inside a value,
// goes on from where the error left it. Results depend on that place, so every error here leaves
// `position` exactly where Jackson's reader-based parser leaves it. Nothing throws: what cannot be read
// says so, and `problem()` tells why.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "decode/problem.hpp"

namespace pbf::decode {

// A unit, or one of these.
using Unit = int;
inline constexpr Unit kEndOfText = -1;
inline constexpr Unit kFailed = -2;

inline constexpr bool is_digit_unit(Unit unit) noexcept { return unit >= '0' && unit <= '9'; }

class Scanner {
  public:
    const Problem& problem() const noexcept { return problem_; }
    std::size_t position() const noexcept { return position_; }

    // Stops reading here; false, for the caller to hand on.
    bool fail(const char* what, Reason reason = Reason::syntax) noexcept;

  protected:
    // `unfinished`: the bytes of the text end inside a character.
    void begin(std::u16string_view units, bool unfinished) noexcept;

    bool has_unit() noexcept { return position_ < limit_ || more(); }
    // The next unit or kEndOfText; consumed.
    Unit unit_or_end() noexcept { return has_unit() ? Unit{units_[position_++]} : kEndOfText; }
    // The next unit; kFailed, the record being truncated, where there is none.
    Unit next_unit(const char* missing) noexcept;
    // The next unit that is no white space, consumed; kEndOfText, kFailed.
    Unit significant() noexcept;

    // Units up to the closing quote, escapes resolved; the opening quote has been read. The units lie in
    // the text or in `own`, which is not touched if this fails.
    bool quoted(char16_t quote, std::u16string_view& found, std::u16string& own);
    // Passes over the rest of a double-quoted string; its length does not matter.
    bool skip_quoted() noexcept;

    // Reads the rest of a literal such as "true", of which `matched` units have been read.
    bool literal(std::string_view word, std::size_t matched = 1) noexcept;
    // Stops at a unit that starts no value.
    bool unexpected_value(Unit unit) noexcept;
    // Stops at the unit just read.
    bool fail_at_unit(const char* what) noexcept;

    std::u16string_view units_;
    std::size_t position_ = 0;
    std::size_t limit_ = 0;  // end of the current chunk

  private:
    bool more() noexcept;
    std::size_t plain_end(char16_t quote) const noexcept;
    Unit resolved(char16_t unit) noexcept;
    Unit escape() noexcept;
    bool unknown_token(std::size_t seen) noexcept;

    Problem problem_;
    bool unfinished_ = false;
    std::u16string parts_;
};

}  // namespace pbf::decode
