/// Marks what the shared library lets out; everything else is hidden there.
#pragma once

#define MEDIA_EXPORT __attribute__((visibility("default")))
