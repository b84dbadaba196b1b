// One record, read exactly as from_json of Spark 4.3 on Java 17 does: whatever its bytes are.
//
// The way of a record: java_text (bytes to UTF-16 code units), scanner, numbers, tokenizer (units to
// tokens), convert and json_text (tokens to values). Each step has a plain reference of the same name in
// pbf_ray/decode/reference, which was compared with PySpark.
#pragma once

#include <string>

#include "decode/convert.hpp"
#include "decode/exact_row.hpp"
#include "decode/problem.hpp"
#include "decode/tokenizer.hpp"
#include "decode/wanted.hpp"

namespace pbf::decode {

enum class Verdict : std::uint8_t {
    good,
    flagged,  // a field could not be converted and is null; the others stand
    empty,    // no value, or a blank one: Spark gives a null struct and does not call it corrupt
    corrupt,  // nothing of the record stands
};

class ExactReader {
  public:
    // Keeps a reference to what is wanted.
    explicit ExactReader(const Wanted& wanted) : wanted_(wanted), row_(wanted.fields().size()) {}

    Verdict read(Value value);

    // Of the record read last: its values unless it is void, and if it is, why.
    const ExactRow& row() const noexcept { return row_; }
    Reason reason() const noexcept { return reason_; }
    // Short text for people, with a byte offset where there is one.
    std::string detail(Value value) const;
    // The whole record as Java decodes it, in UTF-8.
    std::string text() const;

  private:
    Verdict void_record();

    const Wanted& wanted_;
    ExactRow row_;
    Reason reason_ = Reason::none;
    std::u16string units_;
    Tokenizer tokens_;
};

}  // namespace pbf::decode
