// Numbers of a record.
//
// Jackson has two readers for a number: one for numbers that lie inside the current chunk, and one for
// those that start with a zero or touch the end of the chunk. They differ in how they count digits
// against the limit, and in the place where an error leaves the text; both are kept apart here.
#pragma once

#include <string_view>

#include "decode/scanner.hpp"

namespace pbf::decode {

inline constexpr std::ptrdiff_t kMaxNumberDigits = 1000;

// A number token.
struct NumberToken {
    std::u16string_view text;  // as it stands in the record; empty if it is not finite
    bool is_integer = false;
    bool is_finite = true;
    double not_finite = 0;
};

class NumberScanner : public Scanner {
  public:
    const NumberToken& number() const noexcept { return number_; }

  protected:
    // Reads a number whose first digit has been read.
    bool unsigned_number(Unit first) noexcept;
    // Reads a number whose minus sign has been read.
    bool negative_number() noexcept;
    // INF or Infinity after a sign; `unit`, the first after it, has been read.
    bool odd_number(Unit unit, bool negative) noexcept;
    bool not_finite(double value) noexcept;

  private:
    bool number_inside(std::size_t start, std::size_t rest, bool negative) noexcept;
    bool number_with_edges(std::size_t start, bool negative) noexcept;
    std::size_t digits_end(std::size_t start) const noexcept;
    std::ptrdiff_t digits_from(Unit& unit) noexcept;
    bool finish(std::size_t start, std::size_t end, std::ptrdiff_t digits, bool integer) noexcept;

    NumberToken number_;
};

}  // namespace pbf::decode
