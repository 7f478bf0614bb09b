/// What a worker that tests its locks says, line by line.
#pragma once

#include <string>
#include <string_view>

#include "media/cage.hpp"

namespace media::cage {

std::string write_self_test_head(int landlock);
/// The libraries that it decodes with; said at most once, after the head.
std::string write_self_test_libraries(std::string_view libraries);
/// `failure` as errno says it, 0 where the attempt came off.
std::string write_self_test_line(std::string_view what, int failure);
/// That the locks could not be closed.
std::string write_self_test_failure(const Error& error);
/// `unsupported` where it tells of a failure, `internal` where it is no such text, or ends early.
Result<CageReport> parse_self_test(std::string_view text);

}  // namespace media::cage
