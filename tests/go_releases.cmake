# The Go releases that tests try each, from tools/go-releases.txt, for CMake and for C++ tests.
set(MAPSCOPE_GO_RELEASES_FILE ${PROJECT_SOURCE_DIR}/tools/go-releases.txt)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${MAPSCOPE_GO_RELEASES_FILE})

# mapscope_go_releases(<variable> <use>): the releases of the list that have this use, oldest first.
function(mapscope_go_releases variable use)
  file(STRINGS ${MAPSCOPE_GO_RELEASES_FILE} lines REGEX "^[0-9].* ${use}( |$)")
  list(TRANSFORM lines REPLACE " .*" "")
  set(${variable} ${lines} PARENT_SCOPE)
endfunction()

mapscope_go_releases(MAPSCOPE_GO_VERSIONS workloads)
# Between two that changed what a tracer sees: what starts programs is tried with the others, and
# end-to-end with what counts and judges; with all of it where MAPSCOPE_ALL_RELEASES is on.
mapscope_go_releases(MAPSCOPE_GO_BETWEEN between)
list(GET MAPSCOPE_GO_VERSIONS -1 MAPSCOPE_NEWEST_GO)

list(TRANSFORM MAPSCOPE_GO_VERSIONS REPLACE "(.+)" "\"\\1\"" OUTPUT_VARIABLE MAPSCOPE_GO_VERSIONS_QUOTED)
list(JOIN MAPSCOPE_GO_VERSIONS_QUOTED ", " MAPSCOPE_GO_VERSIONS_QUOTED)
configure_file(${CMAKE_CURRENT_LIST_DIR}/support/go_releases.h.in ${PROJECT_BINARY_DIR}/tests/generated/support/go_releases.h @ONLY)
