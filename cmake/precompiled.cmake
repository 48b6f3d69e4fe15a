# SPDX-License-Identifier: Apache-2.0
# Precompiled headers, each made once and reused by many targets: the compute plane's, and those of the tests of torch-free
# folders and of the others. Tests are compiled without optimization, which takes half as long; the code they test is not.

# zt_make_pch(NAME LINK target... HEADERS header...)
function(zt_make_pch name)
  cmake_parse_arguments(ARG "" "" "LINK;HEADERS" ${ARGN})
  set(source "${CMAKE_BINARY_DIR}/${name}.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "// Holds a precompiled header.\n")
  add_library(${name} OBJECT "${source}")
  target_link_libraries(${name} PRIVATE zt::flags ${ARG_LINK})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
  zt_compile_as(${name} ${name})
endfunction()

# zt_compile_as(TARGET PCH): the options that the header was, or is, compiled with.
function(zt_compile_as target pch)
  # Programs too with -fPIC; -fpch-preprocess is for ccache.
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${target} PRIVATE -fpch-preprocess -fPIC)
  if(pch MATCHES "test")
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# zt_use_plane(TARGET FOLDER [TEST]): gives a target of a folder of src/ what its plane has: libtorch, if it is the compute
# plane, and the header that suits it, if there is one.
function(zt_use_plane target folder)
  cmake_parse_arguments(ARG "TEST" "" "" ${ARGN})
  set(pch zt)
  if(DEFINED ZT_PLANE_${folder} AND ZT_PLANE_${folder} STREQUAL "compute")
    target_link_libraries(${target} PUBLIC zt::torch)
    string(APPEND pch _torch)
  endif()
  if(ARG_TEST)
    string(APPEND pch _test)
  endif()
  if(TARGET ${pch}_pch)
    zt_compile_as(${target} ${pch}_pch)
    target_precompile_headers(${target} REUSE_FROM ${pch}_pch)
  endif()
endfunction()

if(ZT_BUILD_TESTS AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  zt_make_pch(zt_test_pch LINK zt::fmt zt::json GTest::gtest HEADERS <fmt/format.h> <gtest/gtest.h> <nlohmann/json.hpp>)
endif()
if(ZT_WITH_TORCH)
  # Not torch/csrc/autograd/custom_function.h, which few use: its templates are instantiated in each file, for a second.
  zt_make_pch(zt_torch_pch LINK zt::torch HEADERS <ATen/ATen.h>)
  if(ZT_BUILD_TESTS)
    zt_make_pch(zt_torch_test_pch LINK zt::torch GTest::gtest HEADERS <ATen/ATen.h> <gtest/gtest.h>)
  endif()
endif()
