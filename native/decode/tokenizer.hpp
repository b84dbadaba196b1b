// Tokens of a record, in Jackson's order and with Jackson's state after an error.
//
// The converters of Spark catch an error inside a field and ask for the next token. What comes then
// depends on state that is odd at first sight, all of it kept here:
//
// - A field name and the *start* of its value are read in one step. If the value is bad, the name is the
//   current token without a value, and the next token is none.
// - A double-quoted string is read only when it is wanted; when reading it fails, the string counts as
//   read, and the next token starts where reading stopped.
// - Whether a comma must come is counted per object or array, also for attempts that failed.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "decode/numbers.hpp"

namespace pbf::decode {

enum class Token : std::uint8_t {
    none,
    start_object,
    end_object,
    start_array,
    end_array,
    name,
    string,
    number,
    true_value,
    false_value,
    null_value,
    failed,  // not a token: the text is not JSON, and problem() tells why
};

class Tokenizer : public NumberScanner {
  public:
    // Starts with the text of a record, which must outlive the reading of it.
    void begin(std::u16string_view units, bool unfinished);

    Token token() const noexcept { return token_; }

    // Advances to the next token; none at the end of the text.
    Token next_token();
    // Where an object or array has just begun, advances to its end.
    bool skip_children();
    // Name of the field that the current token belongs to, or nullptr.
    const std::u16string_view* current_name() const noexcept;
    // The current string.
    bool string(std::u16string_view& found);

  private:
    enum class Kind : std::uint8_t { root, array, object };

    // An object or array that is open.
    struct Context {
        Kind kind = Kind::root;
        bool has_name = false;
        std::int64_t entries = -1;  // begun so far, less one
        std::u16string_view name;   // of the entry being read, in an object
        std::u16string own_name;    // holds it if it has escapes
    };

    Context& context() noexcept { return contexts_[depth_]; }
    Token value_after_name();
    bool open(Token token);
    bool close(Unit unit) noexcept;
    bool name(Unit unit);
    Unit unit_after_colon() noexcept;
    Token value_start(Unit unit);
    Token odd_value_start(Unit unit);
    bool truncated() noexcept;

    Token token_ = Token::none;
    Token value_token_ = Token::none;
    bool string_is_unread_ = false;
    std::u16string_view string_;
    std::u16string own_string_;
    std::u16string own_name_;
    std::size_t depth_ = 0;  // of contexts_, which keep their memory, and their places
    std::deque<Context> contexts_;
};

}  // namespace pbf::decode
