// libFuzzer's entry: compiled once per format, with PBF_FORMAT as its name.
#include "fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    pbf::fuzz::run(PBF_FORMAT, data, size);
    return 0;
}
