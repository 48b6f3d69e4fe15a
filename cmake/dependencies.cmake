# SPDX-License-Identifier: Apache-2.0
# Every third-party package, found here and nowhere else, each behind a zt:: target.
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(tl-expected REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ffmpeg REQUIRED IMPORTED_TARGET libavformat libavcodec libavutil libswscale)
pkg_check_modules(images REQUIRED IMPORTED_TARGET libpng libjpeg libwebp)
if(ZT_BUILD_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

add_library(zt::fmt ALIAS fmt::fmt)
add_library(zt::spdlog ALIAS spdlog::spdlog)
add_library(zt::yaml ALIAS yaml-cpp)
add_library(zt::json ALIAS nlohmann_json::nlohmann_json)
add_library(zt::cli11 ALIAS CLI11::CLI11)
add_library(zt::expected ALIAS tl::expected)
add_library(zt::crypto ALIAS OpenSSL::Crypto)
add_library(zt::zlib ALIAS ZLIB::ZLIB)
add_library(zt::xxhash ALIAS PkgConfig::xxhash)
add_library(zt::ffmpeg ALIAS PkgConfig::ffmpeg)
add_library(zt::images ALIAS PkgConfig::images)

# libtorch as unpacked by scripts/setup. The package's own TorchConfig needs a CUDA toolkit, so the target is written
# by hand: libtorch_cpu and libc10 only; CUDA libraries are opened at run time when a GPU is asked for.
if(ZT_WITH_TORCH)
  set(ZT_TORCH_DIR "${ZT_DEPS_DIR}/torch" CACHE PATH "Folder with torch/{include,lib}")
  if(NOT EXISTS "${ZT_TORCH_DIR}/lib/libtorch_cpu.so")
    message(FATAL_ERROR "libtorch is not in ${ZT_TORCH_DIR}: run scripts/setup, or use --preset control for a build without it")
  endif()
  add_library(zt_torch INTERFACE)
  add_library(zt::torch ALIAS zt_torch)
  # Behind the system's folders: libtorch brings headers of other projects along, of a newer fmt for one.
  target_compile_options(zt_torch INTERFACE
    "SHELL:-idirafter ${ZT_TORCH_DIR}/include" "SHELL:-idirafter ${ZT_TORCH_DIR}/include/torch/csrc/api/include")
  target_compile_definitions(zt_torch INTERFACE USE_C10D_GLOO)
  target_link_libraries(zt_torch INTERFACE "${ZT_TORCH_DIR}/lib/libtorch_cpu.so" "${ZT_TORCH_DIR}/lib/libc10.so" Threads::Threads)
  target_link_options(zt_torch INTERFACE "-Wl,--allow-shlib-undefined")

  # NCCL's header; the library is opened at run time.
  add_library(zt_nccl_header INTERFACE)
  add_library(zt::nccl_header ALIAS zt_nccl_header)
  target_include_directories(zt_nccl_header SYSTEM INTERFACE "${CMAKE_SOURCE_DIR}/third_party/nccl")
endif()
