// One fuzzed input. Each function ends the process (the fuzzer's sign for a finding) if something that
// must hold does not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pbf::fuzz {

// `format`: one of the build files', or "records".
void run(std::string_view format, const std::uint8_t* data, std::size_t size);

// Read as a format in every way, and written and read again where that can be.
void run_build_file(std::string_view format, const std::uint8_t* data, std::size_t size);

// Decoded in every mode, by the fast reader and by the exact one.
void run_records(const std::uint8_t* data, std::size_t size);

}  // namespace pbf::fuzz
