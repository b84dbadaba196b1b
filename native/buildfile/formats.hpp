// The openers and writers of all formats, one line each; formats.cpp is their table.
#pragma once

#include <memory>

#include "buildfile/reader.hpp"
#include "buildfile/writer.hpp"

namespace pbf::buildfile {

using Source = std::shared_ptr<const ByteSource>;

std::unique_ptr<BuildReader> open_cli(Source source, const OpenOptions& options);
std::unique_ptr<BuildWriter> make_cli_writer(ByteSink& sink, const WriteOptions& options);
bool recognises_cli(Bytes bytes) noexcept;

// An archive: opened in Python, member by member.
bool recognises_zip(Bytes bytes) noexcept;

std::unique_ptr<BuildReader> open_ovf(Source source, const OpenOptions& options);
std::unique_ptr<BuildWriter> make_ovf_writer(ByteSink& sink, const WriteOptions& options);
bool recognises_ovf(Bytes bytes) noexcept;

std::unique_ptr<BuildReader> open_amxml(Source source, const OpenOptions& options);
bool recognises_amxml(Bytes bytes) noexcept;

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
