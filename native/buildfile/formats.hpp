// The openers and writers of all formats, one line each; formats.cpp is their table.
#pragma once

#include <memory>

#include "buildfile/reader.hpp"
#include "buildfile/writer.hpp"

namespace pbf::buildfile {

using Source = std::shared_ptr<const ByteSource>;

}  // namespace pbf::buildfile
