#include "core/error.hpp"

namespace pbf {

const char* name_of(ErrorCode code) noexcept {
    switch (code) {
        case ErrorCode::truncated: return "truncated";
        case ErrorCode::bad_magic: return "bad_magic";
        case ErrorCode::bad_header: return "bad_header";
        case ErrorCode::bad_number: return "bad_number";
        case ErrorCode::bad_command: return "bad_command";
        case ErrorCode::bad_count: return "bad_count";
        case ErrorCode::bad_offset: return "bad_offset";
        case ErrorCode::bad_text: return "bad_text";
        case ErrorCode::inconsistent: return "inconsistent";
        case ErrorCode::limit_exceeded: return "limit_exceeded";
        case ErrorCode::unsupported: return "unsupported";
        case ErrorCode::not_representable: return "not_representable";
        case ErrorCode::out_of_memory: return "out_of_memory";
        case ErrorCode::io: return "io";
    }
    return "unknown";
}

}  // namespace pbf
