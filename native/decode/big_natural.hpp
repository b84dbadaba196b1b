// Natural numbers of up to 1600 bits: what printing a double takes.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace pbf::decode {

class BigNatural {
  public:
    explicit BigNatural(std::uint64_t value) noexcept {
        limbs_[0] = static_cast<std::uint32_t>(value);
        limbs_[1] = static_cast<std::uint32_t>(value >> 32);
        size_ = 2;
        trim();
    }

    void multiply(std::uint32_t factor) noexcept {
        std::uint64_t carry = 0;
        for (std::size_t place = 0; place < size_; ++place) {
            carry += std::uint64_t{limbs_[place]} * factor;
            limbs_[place] = static_cast<std::uint32_t>(carry);
            carry >>= 32;
        }
        if (carry != 0) {
            limbs_[size_++] = static_cast<std::uint32_t>(carry);
        }
    }

    void multiply_by_power_of_5(int power) noexcept {
        constexpr std::uint32_t step = 1'220'703'125;  // 5^13
        for (; power >= 13; power -= 13) {
            multiply(step);
        }
        for (; power > 0; --power) {
            multiply(5);
        }
    }

    void shift_left(int bits) noexcept {
        const auto whole = static_cast<std::size_t>(bits / 32);
        const int rest = bits % 32;
        if (whole > 0) {
            std::copy_backward(limbs_.begin(), limbs_.begin() + static_cast<std::ptrdiff_t>(size_),
                               limbs_.begin() + static_cast<std::ptrdiff_t>(size_ + whole));
            std::fill_n(limbs_.begin(), whole, 0U);
            size_ += whole;
        }
        if (rest > 0) {
            multiply(std::uint32_t{1} << rest);
        }
        trim();
    }

    void add(const BigNatural& other) noexcept {
        std::uint64_t carry = 0;
        const std::size_t most = std::max(size_, other.size_);
        for (std::size_t place = 0; place < most; ++place) {
            carry += std::uint64_t{at(place)} + other.at(place);
            limbs_[place] = static_cast<std::uint32_t>(carry);
            carry >>= 32;
        }
        size_ = most;
        if (carry != 0) {
            limbs_[size_++] = static_cast<std::uint32_t>(carry);
        }
    }

    // `other` is not the larger one.
    void subtract(const BigNatural& other) noexcept {
        std::int64_t borrow = 0;
        for (std::size_t place = 0; place < size_; ++place) {
            borrow += std::int64_t{limbs_[place]} - std::int64_t{other.at(place)};
            limbs_[place] = static_cast<std::uint32_t>(borrow);
            borrow >>= 32;
        }
        trim();
    }

    std::strong_ordering operator<=>(const BigNatural& other) const noexcept {
        if (size_ != other.size_) {
            return size_ <=> other.size_;
        }
        for (std::size_t place = size_; place-- > 0;) {
            if (limbs_[place] != other.limbs_[place]) {
                return limbs_[place] <=> other.limbs_[place];
            }
        }
        return std::strong_ordering::equal;
    }
    bool operator==(const BigNatural& other) const noexcept { return *this <=> other == 0; }

  private:
    std::uint32_t at(std::size_t place) const noexcept { return place < size_ ? limbs_[place] : 0; }
    void trim() noexcept {
        while (size_ > 0 && limbs_[size_ - 1] == 0) {
            --size_;
        }
    }

    std::array<std::uint32_t, 50> limbs_;  // the lowest first; only `size_` of them are written
    std::size_t size_;
};

}  // namespace pbf::decode
