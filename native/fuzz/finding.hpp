// Ends the process: the fuzzer's sign for a finding.
#pragma once

namespace pbf::fuzz {

[[noreturn]] void finding(const char* what);

}  // namespace pbf::fuzz
