#include "buildfile/cli_text.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/decimal.hpp"

namespace pbf::buildfile::cli {
namespace {

bool is_blank(char letter) noexcept {
    return letter == ' ' || (letter >= '\t' && letter <= '\r') || letter == '\0';
}

bool is_upper(char letter) noexcept { return letter >= 'A' && letter <= 'Z'; }
bool is_lower(char letter) noexcept { return letter >= 'a' && letter <= 'z'; }
bool is_letter(char letter) noexcept { return is_upper(letter) || is_lower(letter); }

char upper(char letter) noexcept {
    return is_lower(letter) ? static_cast<char>(letter - 'a' + 'A') : letter;
}

const char* find(const char* first, const char* last, char letter) noexcept {
    const void* found = std::memchr(first, letter, static_cast<std::size_t>(last - first));
    return found == nullptr ? last : static_cast<const char*>(found);
}

bool starts_comment(const char* at, const char* last) noexcept {
    return last - at >= 2 && at[0] == '/' && at[1] == '/';
}

// Writers that mean a comment to end with its line make the next one its end: what stands between
// is not read, and that is not to be silent.
bool hides_commands(const char* first, const char* last) noexcept {
    const char* const line = find(first, last, '\n');
    return ::memmem(line, static_cast<std::size_t>(last - line), "$$", 2) != nullptr;
}

}  // namespace

void Text::skip_comment() noexcept {
    const char* const inside = at_ + 2;
    const void* closed =
        ::memmem(inside, static_cast<std::size_t>(last_ - inside), "//", 2);
    if (closed != nullptr) {
        if (hiding_ == nullptr && hides_commands(inside, static_cast<const char*>(closed))) {
            hiding_ = at_;
        }
        at_ = static_cast<const char*>(closed) + 2;
    } else {
        at_ = find(inside, last_, '\n');
    }
}

void Text::skip_blank() noexcept {
    while (at_ != last_) {
        if (is_blank(*at_)) {
            ++at_;
        } else if (starts_comment(at_, last_)) {
            skip_comment();
        } else {
            return;
        }
    }
}

bool Text::find_command() noexcept {
    const char* dollar = nullptr;
    while (at_ != last_) {
        if (dollar == nullptr || dollar < at_) {
            dollar = find(at_, last_, '$');
        }
        // Two fast looks at the same bytes: for a comment before the dollar, then at the dollar.
        const char* slash = find(at_, dollar, '/');
        while (slash != dollar && !starts_comment(slash, last_)) {
            slash = find(slash + 1, dollar, '/');
        }
        if (slash != dollar) {
            at_ = slash;
            skip_comment();
            continue;
        }
        at_ = dollar;
        if (at_command()) {
            return true;
        }
        if (at_ != last_) {
            ++at_;
        }
    }
    return false;
}

std::string_view Text::take_name() noexcept {
    at_ += 2;
    const char* const first = at_;
    bool lower = false;
    while (at_ != last_ && is_letter(*at_)) {
        lower |= is_lower(*at_);
        ++at_;
    }
    std::string_view name(first, static_cast<std::size_t>(at_ - first));
    if (lower && name.size() <= name_.size()) {
        std::transform(name.begin(), name.end(), name_.begin(), upper);
        name = {name_.data(), name.size()};
    }
    const char* slash = at_;
    while (slash != last_ && (*slash == ' ' || *slash == '\t')) {
        ++slash;
    }
    if (slash != last_ && *slash == '/' && !starts_comment(slash, last_)) {
        at_ = slash + 1;
    }
    return name;
}

bool Text::at_end_of_parameters() const noexcept {
    return at_ == last_ || *at_ == '\n' || *at_ == '\r' ||
           (at_command() && last_ - at_ >= 3 && is_letter(at_[2]));
}

std::string_view Text::take_parameters() noexcept {
    const char* const first = at_;
    while (!at_end_of_parameters() && !starts_comment(at_, last_)) {
        ++at_;
    }
    return trimmed({first, static_cast<std::size_t>(at_ - first)});
}

std::string_view Text::take_label() noexcept {
    const char* const first = at_;
    while (!at_end_of_parameters()) {
        if (starts_comment(at_, last_) &&
            (at_ == first || is_blank(at_[-1]) || comment_ends_line())) {
            break;
        }
        ++at_;
    }
    return trimmed({first, static_cast<std::size_t>(at_ - first)});
}

bool Text::comment_ends_line() const noexcept {
    const char* const inside = at_ + 2;
    const char* line = inside;
    while (line != last_ && *line != '\n' && *line != '\r') {
        ++line;
    }
    while (line != inside && is_blank(line[-1])) {
        --line;
    }
    return line - inside >= 2 && line[-1] == '/' && line[-2] == '/';
}

std::size_t Text::count_commas() const noexcept {
    std::size_t commas = 0;
    Text ahead(*this);
    while (!ahead.at_end() && *ahead.at_ != '$') {
        if (starts_comment(ahead.at_, ahead.last_)) {
            ahead.skip_comment();
            continue;
        }
        commas += *ahead.at_ == ',' ? 1U : 0U;
        ++ahead.at_;
    }
    return commas;
}

bool Text::take_further() noexcept {
    if (!take_comma()) {
        return false;
    }
    skip_blank();
    return !at_end() && !at_command();
}

void Text::expect_last(const char* what) {
    const std::size_t here = offset();
    if (take_further()) {
        seek(here);
        fail(ErrorCode::bad_number, std::string(what) +
                                        " is followed by a further number: a decimal comma?");
    }
}

void Text::fail_number(const char* what) const {
    if (at_ == last_) {
        fail(ErrorCode::truncated, std::string(what) + " is missing: the text ends");
    }
    fail(ErrorCode::bad_number, std::string(what) + " is missing, or is no number");
}

double Text::take_number(const char* what) {
    if (at_ != last_ && (is_blank(*at_) || *at_ == '/')) {
        skip_blank();
    }
    double value = 0;
    const char* const behind = parse_decimal(at_, last_, value);
    if (behind == nullptr) {
        fail_number(what);
    }
    if (behind == last_ && end_of_file_) {
        fail(ErrorCode::truncated, std::string(what) + " may be cut: the file ends in it");
    }
    if (!std::isfinite(value)) {
        fail(ErrorCode::bad_number, std::string(what) + " is too large");
    }
    at_ = behind;
    return value;
}

std::int64_t Text::take_integer(const char* what, std::int64_t lowest, std::int64_t highest) {
    skip_blank();
    const char* const first = at_;
    const double value = take_number(what);
    if (value != std::floor(value) || value < static_cast<double>(lowest) ||
        value > static_cast<double>(highest)) {
        at_ = first;
        fail(ErrorCode::bad_number, std::string(what) + " is no integer of its range");
    }
    return static_cast<std::int64_t>(value);
}

bool begins_with(std::string_view text, std::string_view word) noexcept {
    return text.size() >= word.size() &&
           std::equal(word.begin(), word.end(), text.begin(),
                      [](char known, char letter) { return known == upper(letter); });
}

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && is_blank(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

}  // namespace pbf::buildfile::cli
