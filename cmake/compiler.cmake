# SPDX-License-Identifier: Apache-2.0
# Compiler flags shared by every target of ours (zt::flags), ccache and the linker.
add_library(zt_flags INTERFACE)
add_library(zt::flags ALIAS zt_flags)
target_compile_options(zt_flags INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor
                                          $<$<BOOL:${ZT_WERROR}>:-Werror>)
# GCC 12 reports false overlaps and dangling reads inside libstdc++ and fmt at -O2; clang does not know these names.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(zt_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized -Wno-array-bounds
                                            -Wno-stringop-overflow -Wno-stringop-overread)
endif()

# A compilation keeps what it would have to look through for garbage, up to a gigabyte: 7 to 9 % of its time, 130 MB.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(--param=ggc-min-expand=400 --param=ggc-min-heapsize=1000000)
endif()

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
if(ZT_SANITIZE)
  string(REPLACE "," ";" _zt_sanitizers "${ZT_SANITIZE}")
  set(CMAKE_CXX_FLAGS_RELEASE "-O1 -g1")
  foreach(_s IN LISTS _zt_sanitizers)
    add_compile_options(-fsanitize=${_s})
    add_link_options(-fsanitize=${_s})
  endforeach()
  add_compile_options(-fno-omit-frame-pointer)
  if("undefined" IN_LIST _zt_sanitizers)
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  # The thread sanitizer does not follow fences. There is one, and what it orders is between processes.
  if("thread" IN_LIST _zt_sanitizers AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-tsan)
  endif()
endif()

# Coverage counters in every file, so that the fuzzers of fuzz/ see into the libraries.
if(ZT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

find_program(ZT_CCACHE ccache)
if(ZT_CCACHE)
  # pch_defines,time_macros: what ccache needs to cache files that use a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${ZT_CCACHE})
endif()
# Before 2.4 mold lets the range that is read-only after relocation begin at .tbss, a page too early where the text ends just
# before a page does: such a program does not start ("cannot apply additional memory protection", mold's issue 1151). And
# 1.10, Debian 12's, has computed for ever over one of our programs. Without it a cold build takes some 20 s more.
find_program(ZT_MOLD mold)
if(ZT_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  execute_process(COMMAND ${ZT_MOLD} --version OUTPUT_VARIABLE mold_says)
  if(mold_says MATCHES "mold ([0-9.]+)" AND CMAKE_MATCH_1 VERSION_GREATER_EQUAL 2.4)
    add_link_options(-fuse-ld=mold)
  endif()
endif()
