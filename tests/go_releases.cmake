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
list(GET MAPSCOPE_GO_VERSIONS -1 MAPSCOPE_NEWEST_GO)
# What is tried where MAPSCOPE_ALL_RELEASES is off: the newest in all modes, these when built plainly.
mapscope_go_releases(MAPSCOPE_GO_QUICK quick)
list(REMOVE_ITEM MAPSCOPE_GO_QUICK ${MAPSCOPE_NEWEST_GO})
mapscope_go_releases(MAPSCOPE_GO_THIN thin)

# What --gtest_filter leaves out of unit tests then, whose names have release and mode: Go1_17_13_pie.
set(MAPSCOPE_LEFT_OUT "")
set(MAPSCOPE_LEFT_OUT_OF_PROGRAMS "")
if(NOT MAPSCOPE_ALL_RELEASES)
  set(left_out "*noswissmap*")
  foreach(version IN LISTS MAPSCOPE_GO_VERSIONS)
    string(REPLACE "." "_" name ${version})
    if(version IN_LIST MAPSCOPE_GO_QUICK OR version IN_LIST MAPSCOPE_GO_THIN)
      list(APPEND left_out "*${name}*stripped*" "*${name}*pie*" "*${name}*cgo*")
    elseif(version STREQUAL MAPSCOPE_NEWEST_GO)
      string(APPEND MAPSCOPE_LEFT_OUT_OF_PROGRAMS ":*${name}*pie*:*${name}*cgo*") # tried end to end
    else()
      list(APPEND left_out "*${name}*")
    endif()
    if(version IN_LIST MAPSCOPE_GO_THIN)
      string(APPEND MAPSCOPE_LEFT_OUT_OF_PROGRAMS ":*${name}*")
    endif()
  endforeach()
  list(JOIN left_out ":" MAPSCOPE_LEFT_OUT)
endif()

list(TRANSFORM MAPSCOPE_GO_VERSIONS REPLACE "(.+)" "\"\\1\"" OUTPUT_VARIABLE MAPSCOPE_GO_VERSIONS_QUOTED)
list(JOIN MAPSCOPE_GO_VERSIONS_QUOTED ", " MAPSCOPE_GO_VERSIONS_QUOTED)
configure_file(${CMAKE_CURRENT_LIST_DIR}/support/go_releases.h.in ${PROJECT_BINARY_DIR}/tests/generated/support/go_releases.h @ONLY)
