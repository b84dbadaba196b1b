#include "fuzz/target.hpp"

#include <cstdio>
#include <cstdlib>

#include "fuzz/finding.hpp"

namespace pbf::fuzz {

void finding(const char* what) {
    std::fprintf(stderr, "finding: %s\n", what);
    std::abort();
}

void run(std::string_view format, const std::uint8_t* data, std::size_t size) {
    if (format == "records") {
        run_records(data, size);
    } else {
        run_build_file(format, data, size);
    }
}

}  // namespace pbf::fuzz
