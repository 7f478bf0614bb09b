/// What FFmpeg needs of a process before the first video.
#pragma once

#include <string>

namespace media::video {

/// Silences FFmpeg, limits a single allocation of its, and has every decoder and the scaler make their tables, so that nothing of it has to
/// be looked up once the process is locked. Safe to call more than once and from several threads; the limits are the whole process's.
void get_ready() noexcept;

/// FFmpeg's libraries as they are loaded: "libavformat 59.27.100, libavcodec 59.37.100".
std::string library_versions();

}  // namespace media::video
