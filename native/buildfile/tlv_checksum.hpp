// The checksum section (tag 21) at the end of MTT and SLM files.
#pragma once

#include <cstdint>
#include <vector>

#include "buildfile/model.hpp"
#include "core/byte_reader.hpp"

namespace pbf::buildfile::tlv {

// Looks for tag 21 behind the table, and holds it against the CRC-32 of what stands before it, where the
// file is not too large for that. What it covers is not public, so that disagreement is a warning.
void check_checksum(Bytes bytes, std::uint64_t table_end, Header& header,
                    std::vector<Damage>& warnings);

}  // namespace pbf::buildfile::tlv
