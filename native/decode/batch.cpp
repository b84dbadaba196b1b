#include "decode/batch.hpp"

#include "decode/exact_json.hpp"
#include "decode/fast_json.hpp"

namespace pbf::decode {
namespace {

class BatchReader {
  public:
    // `out` has columns with a row per value.
    BatchReader(const Schema& schema, Mode mode, Decoded& out)
        : schema_(schema),
          mode_(mode),
          out_(out),
          texts_(texts_in(out.columns)),
          fast_(schema.fields(), out.columns),
          exact_(schema.wanted()) {
        if (out.corrupt_record) {
            texts_.push_back(&*out.corrupt_record);
        }
    }

    // False if the batch ends here.
    bool read(Value value, std::size_t index, bool exactly) {
        if (!exactly) {
            if (fast_.read(value, out_.rows)) {
                keep(index, false);
                return true;
            }
            clear_row(out_.columns, out_.rows);
        }
        ++out_.exact;
        const Verdict verdict = exact_.read(value);
        switch (mode_) {
            case Mode::permissive:
                if (verdict == Verdict::flagged || verdict == Verdict::corrupt) {
                    out_.corrupt_record->store_text(out_.rows, exact_.text());
                }
                break;
            case Mode::drop_malformed:
                if (verdict != Verdict::good) {
                    return true;
                }
                break;
            case Mode::fail_fast:
                if (verdict == Verdict::flagged || verdict == Verdict::corrupt) {
                    out_.failure = Failure{index, failure(verdict, value)};
                    return false;
                }
                break;
            case Mode::dead_letter:
                if (reject(verdict, value, index)) {
                    return true;
                }
        }
        write_row(schema_.fields(), exact_.row(), out_.columns, out_.rows);
        keep(index, verdict == Verdict::flagged);
        return true;
    }

  private:
    void keep(std::size_t index, bool flagged) {
        for (ColumnData* text : texts_) {
            end_row(*text, out_.rows);
        }
        out_.indices.push_back(static_cast<std::int64_t>(index));
        out_.flagged.push_back(flagged ? 1 : 0);
        ++out_.rows;
    }

    std::string failure(Verdict verdict, Value value) const {
        if (verdict == Verdict::flagged) {
            return "a field cannot be converted";
        }
        return std::string(name_of(exact_.reason())) + ", " + exact_.detail(value);
    }

    bool reject(Verdict verdict, Value value, std::size_t index) {
        Reason reason = exact_.reason();
        std::string detail;
        if (verdict == Verdict::empty || verdict == Verdict::corrupt) {
            detail = exact_.detail(value);
        } else {
            detail = unstorable_detail(schema_.fields(), exact_.row());
            if (detail.empty()) {
                return false;
            }
            reason = Reason::unstorable;
        }
        out_.rejects.index.push_back(static_cast<std::int64_t>(index));
        append(out_.rejects.reason, name_of(reason));
        append(out_.rejects.detail, detail);
        return true;
    }

    static void append(ColumnData& column, std::string_view text) {
        const std::size_t row = column.valid.size();
        column.valid.push_back(0);
        column.offsets.push_back(0);
        column.store_text(row, text);
        end_row(column, row);
    }

    const Schema& schema_;
    Mode mode_;
    Decoded& out_;
    std::vector<ColumnData*> texts_;
    FastReader fast_;
    ExactReader exact_;
};

}  // namespace

Decoded decode(const Schema& schema, const std::vector<Value>& values, Mode mode, bool all_exactly) {
    Decoded out;
    out.columns = make_columns(schema.fields(), values.size());
    if (mode == Mode::permissive) {
        out.corrupt_record = make_column(Type::string, values.size());
    }
    out.indices.reserve(values.size());
    out.flagged.reserve(values.size());
    BatchReader reader(schema, mode, out);
    for (std::size_t index = 0; index < values.size(); ++index) {
        if (!reader.read(values[index], index, all_exactly)) {
            break;
        }
    }
    shorten(out.columns, out.rows);
    if (out.corrupt_record) {
        shorten(*out.corrupt_record, out.rows);
    }
    for (ColumnData* text : {&out.rejects.reason, &out.rejects.detail}) {
        shorten(*text, out.rejects.index.size());
    }
    return out;
}

}  // namespace pbf::decode
