// The openers and writers of all formats, one line each; formats.cpp is their table.
#pragma once

#include <memory>

#include "buildfile/reader.hpp"
#include "buildfile/writer.hpp"

namespace pbf::buildfile {

using Source = std::shared_ptr<const ByteSource>;

// EOS SLI.
bool recognises_sli(Bytes bytes) noexcept;
std::unique_ptr<BuildReader> open_sli(Source source, const OpenOptions& options);
std::unique_ptr<BuildWriter> make_sli_writer(ByteSink& sink, const WriteOptions& options);

// The tag-length-value container of Renishaw MTT and SLM Solutions SLM.
bool recognises_tlv(Bytes bytes) noexcept;
std::unique_ptr<BuildReader> open_tlv(Source source, const OpenOptions& options);
std::unique_ptr<BuildWriter> make_tlv_writer(ByteSink& sink, const WriteOptions& options);
std::unique_ptr<BuildWriter> make_mtt_writer(ByteSink& sink, const WriteOptions& options);
std::unique_ptr<BuildWriter> make_slm_writer(ByteSink& sink, const WriteOptions& options);

}  // namespace pbf::buildfile
