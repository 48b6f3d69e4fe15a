# SPDX-License-Identifier: Apache-2.0
# Run at build time (cmake -P): writes OUTPUT with the release and the git commit, only when they changed.
execute_process(COMMAND git -C "${SOURCE_DIR}" describe --always --dirty --exclude=* --abbrev=10
                OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
  set(commit "")
endif()
set(text "#pragma once\n#define ZT_RELEASE \"${RELEASE}\"\n#define ZT_GIT_COMMIT \"${commit}\"\n")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" old)
endif()
if(NOT "${text}" STREQUAL "${old}")
  file(WRITE "${OUTPUT}" "${text}")
endif()
