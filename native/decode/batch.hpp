// A batch of records to columns: the fast reader first, the exact one where that is in doubt.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decode/columns.hpp"
#include "decode/schema.hpp"
#include "decode/wanted.hpp"

namespace pbf::decode {

// What becomes of records that are not good; pbf_ray.decode.from_json tells it in full.
enum class Mode : std::uint8_t { permissive, drop_malformed, fail_fast, dead_letter };

// A schema, made ready once for all batches. Batches may be decoded by several threads at a time.
class Schema {
  public:
    explicit Schema(std::vector<Field> fields) : fields_(std::move(fields)), wanted_(fields_) {}
    Schema(const Schema&) = delete;
    Schema& operator=(const Schema&) = delete;

    const std::vector<Field>& fields() const noexcept { return fields_; }
    const Wanted& wanted() const noexcept { return wanted_; }

  private:
    std::vector<Field> fields_;
    Wanted wanted_;
};

// Values that are not in the table, and why.
struct Rejects {
    Column<std::int64_t> index;
    ColumnData reason = make_column(Type::string, 0);
    ColumnData detail = make_column(Type::string, 0);
};

struct Failure {
    std::size_t index;
    std::string what;
};

struct Decoded {
    std::size_t rows = 0;
    std::vector<ColumnData> columns;  // in schema order
    Column<std::int64_t> indices;     // per row: of its value
    Column<std::uint8_t> flagged;     // per row: 1 if a field could not be converted
    std::size_t exact = 0;            // values that the exact reader read
    std::optional<ColumnData> corrupt_record;  // in mode permissive
    Rejects rejects;                           // in mode dead_letter
    std::optional<Failure> failure;            // in mode fail_fast: nothing else counts then
};

// Throws FormatError if the strings of one column take more than 2 GiB.
// `all_exactly` leaves nothing to the fast reader: for tests and measurements.
Decoded decode(const Schema& schema, const std::vector<Value>& values, Mode mode,
               bool all_exactly = false);

}  // namespace pbf::decode
