// One fuzzed input: read as a format in every way, and written and read again where that can be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pbf::fuzz {

// Ends the process (the fuzzer's sign for a finding) if something that must hold does not.
void run(std::string_view format, const std::uint8_t* data, std::size_t size);

}  // namespace pbf::fuzz
