#!/bin/sh
# What docs/licences.md says of who links what: licences.sh VIDEO_WORKER PROGRAM…
# VIDEO_WORKER may be empty, in a build without it.
set -eu

video=$1
shift
for program in "$@"; do
  if ldd "$program" | grep -E 'lib(avcodec|avformat|avutil|swscale|swresample)'; then
    echo "FAILED: $program links FFmpeg" >&2
    exit 1
  fi
done
if [ -n "$video" ] && ! ldd "$video" | grep -q libavcodec; then
  echo "FAILED: $video links no FFmpeg: then this test looks for the wrong thing" >&2
  exit 1
fi
# Debian 12's libheif brings an encoder under the GPL. If something else does, the page has to say so.
for program in "$@"; do
  if ldd "$program" | grep -q libx265 && ! ldd "$program" | grep -q libheif; then
    echo "FAILED: $program brings libx265, and not by libheif" >&2
    exit 1
  fi
  if ldd "$program" | grep -E 'libx264|libxvid|libpostproc|libreadline|libgpl'; then
    echo "FAILED: $program brings a library under the GPL that docs/licences.md does not name" >&2
    exit 1
  fi
done
echo "passed"
