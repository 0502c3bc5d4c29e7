# How the tests' own build takes less time than one that compiles each file by itself: files that the compiler sees
# together, headers that it reads once. Neither changes what is built, and the release build does without.

# Incremental builds of one file are slower with it, and whether each file includes what it needs shows without it.
option(MAPSCOPE_JOIN_SOURCES "Compile small files together, see tools/join-sources" OFF)
# Those where it was tried; the rest are small.
set(MAPSCOPE_JOINED_LIBRARIES alert attach attribute base binary commands decode go heap judge kernel memory pipeline report serve wire)

option(MAPSCOPE_PRECOMPILE_HEADERS "Compile headers of libraries that many files include once" OFF)

if(CCACHE AND MAPSCOPE_PRECOMPILE_HEADERS)
  # What ccache's manual asks for with precompiled headers; and it finds what a file includes from the compiler, rather
  # than by a preprocessor of its own.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_DEPEND=1 ${CCACHE})
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fpch-preprocess>)
endif()

if(MAPSCOPE_JOIN_SOURCES)
  # Takes half as long as GNU ld for executables of this size; binutils has both.
  find_program(GOLD ld.gold)
  if(GOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_link_options(-fuse-ld=gold)
  endif()
  # GCC looks for memory that it could use again more often than is worth it with as much as it takes anyway.
  add_compile_options($<$<COMPILE_LANG_AND_ID:CXX,GNU>:--param=ggc-min-heapsize=524288>)
endif()

# mapscope_join_sources(<target> <source>...): what MAPSCOPE_JOIN_SOURCES says, for a target of this folder.
function(mapscope_join_sources target)
  list(LENGTH ARGN count)
  if(NOT MAPSCOPE_JOIN_SOURCES OR count EQUAL 1)
    return()
  endif()
  execute_process(COMMAND ${PROJECT_SOURCE_DIR}/tools/join-sources ${ARGN} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
                  OUTPUT_VARIABLE groups COMMAND_ERROR_IS_FATAL ANY)
  foreach(source group IN ZIP_LISTS ARGN groups)
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${target}_${group})
    get_filename_component(source ${source} ABSOLUTE)
    set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  endforeach()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  # A type of an unnamed namespace inside one of a header is fine in the file that both are made in.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tools/join-sources)
endfunction()

# mapscope_precompile_headers(<target> <kind>): what MAPSCOPE_PRECOMPILE_HEADERS says. A compiler takes such headers only for
# files that are compiled with the same options, and that define all macros that it was defined with: the kinds are
# `optimized`, `unoptimized` and `tests`, and their libraries define no more than every target does.
set(MAPSCOPE_COMMON_HEADERS <algorithm> <array> <chrono> <filesystem> <functional> <map> <memory> <optional> <ranges> <span> <string>
    <utility> <vector> <fmt/format.h> <nlohmann/json.hpp>)
function(mapscope_precompile_headers target kind)
  if(NOT MAPSCOPE_PRECOMPILE_HEADERS)
    return()
  endif()
  set(owner mapscope_${kind}_headers)
  if(NOT TARGET ${owner})
    file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/headers_only.cpp CONTENT "// A target needs a source.\n")
    add_library(${owner} OBJECT ${PROJECT_BINARY_DIR}/generated/headers_only.cpp)
    target_link_libraries(${owner} PRIVATE mapscope_options nlohmann_json::nlohmann_json)
    target_precompile_headers(${owner} PRIVATE ${MAPSCOPE_COMMON_HEADERS})
    if(kind STREQUAL "tests")
      target_link_libraries(${owner} PRIVATE GTest::gtest)
      target_precompile_headers(${owner} PRIVATE <gtest/gtest.h>)
    endif()
    if(NOT kind STREQUAL "optimized")
      target_compile_options(${owner} PRIVATE $<$<CONFIG:Debug>:-O0>)
    endif()
  endif()
  target_precompile_headers(${target} REUSE_FROM ${owner})
endfunction()
