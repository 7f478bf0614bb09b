# cmake -D OUTPUT=… -D FUNCTION=… -D FILES=a.sql,b.sql -P embed_migrations.cmake
# Writes a .cpp that holds the migrations as string literals, in the order given.

string(REPLACE "," ";" FILES "${FILES}")
set(entries "")
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME_WE)
  if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_[a-z0-9_]+$")
    message(FATAL_ERROR "${file}: a migration is named NNNN_name.sql")
  endif()
  string(REGEX REPLACE "^0+" "" number "${CMAKE_MATCH_1}")
  file(READ "${file}" text)
  string(APPEND entries "    Migration{${number}, \"${name}\", R\"migration(${text})migration\"},\n")
endforeach()
file(WRITE "${OUTPUT}.new" "// Made from libmedia/src/repository/migrations by embed_migrations.cmake.
#include \"repository/migrations.hpp\"

namespace media {
namespace {
constexpr Migration kMigrations[] = {
${entries}};
}  // namespace

std::span<const Migration> ${FUNCTION}() noexcept { return kMigrations; }

}  // namespace media
")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
