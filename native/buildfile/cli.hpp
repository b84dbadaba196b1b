// CLI files, binary and ASCII: what their two readers share.
#pragma once

#include <memory>
#include <string>

#include "buildfile/cli_header.hpp"
#include "buildfile/reader.hpp"

namespace pbf::buildfile::cli {

// A reader with its header read.
class CliReader : public BuildReader {
  protected:
    CliReader(std::shared_ptr<const ByteSource> source, const OpenOptions& options,
              const Framing& framing, Header&& header, std::vector<Damage>&& warnings);

    // Begins layer `layers().size()`, and ends the one before.
    void begin_layer(std::size_t offset, double z_mm);
    void end_layers(std::size_t offset);
    // Notes that the last layer has geometries.
    void has_geometry() noexcept;

    // Throws the damage, or notes it where it is tolerated.
    void damaged(const FormatError& error);
    void warn(ErrorCode code, std::size_t offset, std::string message);
    // Warns of a further geometry behind $$GEOMETRYEND, at `offset`: no reader looks there.
    void warn_of_second_geometry(std::size_t offset);
    // Holds what was found against what the header declares.
    void check_declared();

    // yes, if the last geometry ends where it begins.
    static Closed closedness(const Geometries& out);

    Framing framing_;
    bool tolerate_damage_;

  private:
    std::optional<std::size_t> highest_;  // the highest layer with geometries
};

std::unique_ptr<BuildReader> open_binary(std::shared_ptr<const ByteSource> source,
                                         const OpenOptions& options, const Framing& framing,
                                         Header&& header, std::vector<Damage>&& warnings);
std::unique_ptr<BuildReader> open_ascii(std::shared_ptr<const ByteSource> source,
                                        const OpenOptions& options, const Framing& framing,
                                        Header&& header, std::vector<Damage>&& warnings);

}  // namespace pbf::buildfile::cli
