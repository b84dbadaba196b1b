// What the parts of the OVF reader and writer share: the format's field numbers, by their names here.
//
// Open Vector Format, github.com/Digital-Production-Aachen/OpenVectorFormat (its schema is MIT).
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "buildfile/model.hpp"
#include "core/protobuf.hpp"

namespace pbf::buildfile::ovf {

inline constexpr std::string_view kMagic = "LVF!";
inline constexpr std::size_t kHeaderBytes = 12;  // the magic, and the position of the job's table

// Fields of a VectorBlock; up to kSync one of them says what the vectors are.
namespace block {
enum : std::uint32_t {
    kLines = 1,
    kHatches = 2,
    kPoints = 3,
    kArcs = 4,
    kEllipses = 5,
    kLines3d = 6,
    kHatches3d = 7,
    kPoints3d = 8,
    kArcs3d = 9,
    kPause = 10,
    kAdaptedLines = 11,
    kAdaptedHatches = 12,
    kSync = 13,
    kMarkingParams = 50,
    kLaser = 53,
    kRepeats = 54,
    kMeta = 100,
};
inline constexpr std::uint32_t kMetaPart = 3;
}  // namespace block

namespace plane {
enum : std::uint32_t {
    kBlocks = 1,
    kX = 2,
    kY = 3,
    kZ = 4,
    kRotationX = 5,
    kRotationZ = 7,
    kBlockCount = 8,
    kRepeats = 9,
    kNumber = 10,
    kMeta = 13,
};
inline constexpr std::uint32_t kMetaBounds = 7;
}  // namespace plane

namespace job {
enum : std::uint32_t {
    kWorkPlanes = 1,
    kMeta = 2,
    kMarkingParams = 3,
    kParts = 4,
    kParameters = 5,
    kPlaneCount = 6,
};
// Of its metadata.
enum : std::uint32_t {
    kCreated = 1,
    kVersion = 2,
    kName = 3,
    kAuthor = 4,
    kDescription = 5,
    kBounds = 6,
};
}  // namespace job

// Both look-up tables: a position of a shell, and positions of what it stands for.
namespace lut {
inline constexpr std::uint32_t kShell = 1;
inline constexpr std::uint32_t kPositions = 2;
}  // namespace lut

inline constexpr std::uint32_t kPartName = 1;
inline constexpr std::uint32_t kParamsName = 26;
inline constexpr std::uint32_t kPowerGradient = 25;

// Marking parameters that have a column of their own in BuildStyle; all are float32.
struct StyleField {
    std::uint32_t number;
    std::optional<double> BuildStyle::* column;
};
inline constexpr StyleField kStyleFields[] = {
    {1, &BuildStyle::laser_power_w},   {2, &BuildStyle::speed_mm_s},
    {3, &BuildStyle::focus_mm},        {4, &BuildStyle::exposure_time_us},
    {5, &BuildStyle::jump_speed_mm_s}, {11, &BuildStyle::jump_delay_us},
};

// All others that the schema names; they come out in BuildStyle::parameters.
enum class ParameterType : std::uint8_t { float32, unsigned_number, signed_number };
struct Parameter {
    std::uint32_t parent;  // number of the message that it is in, 0: the parameters themselves
    std::uint32_t number;
    ParameterType type;
    std::string_view name;
};
inline constexpr Parameter kParameters[] = {
    {0, 6, ParameterType::float32, "point_exposure_repetitions"},
    {0, 7, ParameterType::unsigned_number, "repetition_rate_in_hz"},
    {0, 8, ParameterType::unsigned_number, "laser_pulses_per_burst"},
    {0, 9, ParameterType::unsigned_number, "pulseDurationInFemtoseconds"},
    {0, 10, ParameterType::signed_number, "marking_mode"},
    {0, 12, ParameterType::float32, "laser_off_delay_in_us"},
    {0, 13, ParameterType::float32, "laser_on_delay_in_us"},
    {0, 14, ParameterType::float32, "mark_delay_in_us"},
    {0, 15, ParameterType::float32, "polygon_delay_in_us"},
    {0, 16, ParameterType::float32, "time_lag_in_us"},
    {0, 17, ParameterType::float32, "laser_on_shift_in_us"},
    {0, 18, ParameterType::float32, "limit"},
    {0, 19, ParameterType::float32, "n_prev_in_us"},
    {0, 20, ParameterType::float32, "n_post_in_us"},
    {0, 21, ParameterType::float32, "wob_frequency_in_hz"},
    {0, 22, ParameterType::float32, "wob_amp_long_in_mm"},
    {0, 23, ParameterType::float32, "wob_amp_trans_in_mm"},
    {0, 24, ParameterType::signed_number, "wobble_mode"},
    {kPowerGradient, 1, ParameterType::float32, "powerGradient.minPowerInW"},
    {kPowerGradient, 2, ParameterType::float32, "powerGradient.gradientInWPerS"},
    {0, 27, ParameterType::signed_number, "beam_shape_profile_nr"},
    {0, 28, ParameterType::signed_number, "blend_mode"},
    {0, 29, ParameterType::float32, "corner_tolerance"},
    {0, 30, ParameterType::float32, "minimum_mark_speed"},
};

// Fields that nothing here knows are kept as they stand, under these paths and their number; the
// writer puts them back.
inline constexpr std::string_view kRawParams = "ovf/marking_params/";
inline constexpr std::string_view kRawPart = "ovf/part/";
inline constexpr std::string_view kRawJob = "ovf/job/";

// The job's shell, as a header.
void read_job(WirePiece shell, const Limits& limits, Header& header,
              std::vector<Damage>& warnings);

// A header as the job's shell: `keys` are those of its build styles, `bounds` may be empty. What it
// has no place for is named to `lose`: of values when they are written, of all else in advance.
using JobLosses = std::function<void(const std::string& what)>;
WireWriter job_shell(const Header& header, const std::vector<std::int32_t>& keys,
                     std::size_t planes, const WireWriter& bounds, const JobLosses& lose);
void name_job_losses(const Header& header, const JobLosses& lose);

// The keys of the job's shell that proto3 leaves out where they are 0.
struct ZeroKeys {
    bool build_style = false;
    bool model = false;
};

// What of a layer's blocks does not come out as vectors; one warning per kind, in finish().
class Leftovers {
  public:
    enum Kind : std::uint8_t { ellipses, heights, pauses, syncs, adapted, unknown, kinds };
    void note(Kind kind, std::uint64_t offset, std::uint64_t amount = 1) noexcept;
    void finish(std::int64_t layer, std::vector<Damage>& warnings) const;

  private:
    struct Count {
        std::uint64_t blocks = 0;
        std::uint64_t amount = 0;
        std::uint64_t offset = 0;
    };
    Count counts_[kinds];
};

// What decoding a block needs to know of its layer.
struct LayerContext {
    std::int32_t layer = 0;
    std::size_t first_row = 0;  // of the layer in the columns
    float z_mm = 0;
    ZeroKeys zero_keys;
    // Throws if so many points in one more geometry are too many; the offset is for the message.
    std::function<void(std::uint64_t points, std::uint64_t offset)> check;
    // Throws if so much more memory is out of proportion to the layer's bytes.
    std::function<void(std::uint64_t bytes, std::uint64_t offset)> check_expansion;
};

// Appends what a VectorBlock exposes.
void decode_block(WirePiece block, const LayerContext& context, Geometries& out,
                  Leftovers& leftovers);

// Appends rows [first, now) `times` more: what is executed again.
void repeat_rows(Geometries& out, std::size_t first, std::uint64_t times,
                 const LayerContext& context, std::uint64_t offset);

// Whose a block's geometries are.
struct Ids {
    std::int32_t model = kNoId;
    std::int32_t build_style = kNoId;
    std::int32_t laser = 0;
};

// Adds a geometry whose rows the caller then fills; its points have been checked against the limits.
Geometries::Points add_row(Geometries& out, const LayerContext& context, const Ids& ids, Kind kind,
                           std::size_t points);

// Whether the last geometry, a polyline, ends where it begins.
void close_last(Geometries& out) noexcept;

// Appends the arcs of an Arcs message (or, with `three_d`, Arcs3D) as polylines whose chords stay
// within kChordErrorMm of the circle and turn by kLargestTurnDeg at most.
inline constexpr double kChordErrorMm = 0.005;
inline constexpr double kLargestTurnDeg = 10.0;
void decode_arcs(WirePiece message, bool three_d, const LayerContext& context, const Ids& ids,
                 Geometries& out, Leftovers& leftovers);

}  // namespace pbf::buildfile::ovf
