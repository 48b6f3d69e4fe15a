# SPDX-License-Identifier: Apache-2.0
# zt_library(NAME SOURCES file... [DEPS folder...] [LINK target...] [PUBLIC_LINK target...] [TESTS file...] [APART file...])
#   One static library zt_NAME per folder of src/, checked against cmake/layers.cmake, and one test program
#   zt_test_NAME from its *_test.cpp files. LINK: third-party targets its .cpp files use. Every header of the folder is
#   compiled on its own (cmake/check_headers.cmake).
#   Neighbours are compiled as one file (CMake's unity build), which saves a third of a cold build: most of it goes into
#   headers and templates. Four of them, or six behind libtorch's precompiled header, of which GCC instantiates templates for
#   1.9 s in every file. APART: sources and tests that are compiled alone because their own names clash with a
#   neighbour's ("redefinition", in a file of Unity/); those with compile options of their own are anyway.
#   Tests whose name begins with "Slow" get the label slow and stay out of the default run.
set(ZT_ALL_HEADERS_PROPERTY ZT_ALL_HEADERS)

function(zt_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LINK;PUBLIC_LINK;TESTS;TEST_LINK;APART" ${ARGN})
  set(target zt_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(zt::${name} ALIAS ${target})
  target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}/src")
  target_link_libraries(${target} PUBLIC zt::expected ${ARG_PUBLIC_LINK} PRIVATE zt::flags zt::fmt ${ARG_LINK})
  foreach(dep IN LISTS ARG_DEPS)
    zt_check_edge(${name} ${dep})
    target_link_libraries(${target} PUBLIC zt_${dep})
  endforeach()
  zt_use_plane(${target} ${name})
  zt_compile_together(${target})
  set_source_files_properties(${ARG_APART} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  if(ZT_BUILD_TESTS AND ARG_TESTS)
    zt_test(${name} SOURCES ${ARG_TESTS} LINK ${target} ${ARG_LINK} ${ARG_TEST_LINK})
  endif()
  file(GLOB_RECURSE _headers CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/*.hpp")
  set_property(GLOBAL APPEND PROPERTY ZT_ALL_HEADERS ${_headers})
endfunction()

function(zt_compile_together target)
  set(_neighbours 4)
  get_target_property(_pch ${target} PRECOMPILE_HEADERS_REUSE_FROM)
  if(_pch MATCHES "torch")
    set(_neighbours 6)
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${_neighbours})
  # GCC takes a .cpp inside for a header, where members of file-local types would be wrong. Headers are checked apart.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -Wno-subobject-linkage)
  endif()
endfunction()

# zt_compile_small(TARGET): for code that waits for people, files and processes, where optimizing the templates of JSON, YAML
# and command lines takes more time than it can gain.
function(zt_compile_small target)
  target_compile_options(${target} PRIVATE -O1)
endfunction()

# zt_test(NAME SOURCES file... [LINK target...]): program zt_test_NAME and its ctest entries.
function(zt_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  set(target zt_test_${name})
  add_executable(${target} ${ARG_SOURCES})
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/src" "${CMAKE_SOURCE_DIR}/tests")
  target_compile_definitions(${target} PRIVATE ZT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_link_libraries(${target} PRIVATE ${ARG_LINK} zt::flags zt::fmt GTest::gtest GTest::gmock GTest::gtest_main)
  zt_use_plane(${target} ${name} TEST)
  zt_compile_together(${target})
  set(slow FALSE)
  foreach(source IN LISTS ARG_SOURCES)
    file(STRINGS "${source}" _hit REGEX "^TEST.*, Slow" LIMIT_COUNT 1)
    if(_hit)
      set(slow TRUE)
    endif()
  endforeach()
  set(timeout_s 480)
  if(ZT_SANITIZE)
    set(timeout_s 1800)
  endif()
  add_test(NAME ${name} COMMAND ${target} --gtest_filter=-*.Slow* --gtest_brief=1)
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT ${timeout_s} ENVIRONMENT "OMP_NUM_THREADS=1;OMP_WAIT_POLICY=passive")
  if(slow)
    add_test(NAME ${name}_slow COMMAND ${target} --gtest_filter=*.Slow*)
    set_tests_properties(${name}_slow PROPERTIES LABELS slow TIMEOUT 3600 ENVIRONMENT "OMP_NUM_THREADS=1;OMP_WAIT_POLICY=passive")
  endif()
endfunction()

# zt_program(NAME LAYER folder SOURCES file... DEPS folder...): an installed program of a folder.
function(zt_program name)
  cmake_parse_arguments(ARG "" "LAYER" "SOURCES;DEPS;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/src")
  target_link_libraries(${name} PRIVATE zt::flags zt::fmt ${ARG_LINK})
  foreach(dep IN LISTS ARG_DEPS)
    target_link_libraries(${name} PRIVATE zt_${dep})
  endforeach()
  zt_use_plane(${name} ${ARG_LAYER})
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endfunction()
