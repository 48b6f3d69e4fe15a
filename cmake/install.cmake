# SPDX-License-Identifier: Apache-2.0
# What `cmake --install` adds to the programs, so that the installed tree can be moved and needs nothing of this one:
#   PREFIX/bin                     programs; the worker finds libtorch by $ORIGIN
#   PREFIX/lib/zoetrope/torch/lib  libtorch, and beside it the CUDA stubs that its own search path names
#   PREFIX/lib/zoetrope/pose       networks and runtime of `zoetrope data pose` (data/pose/blazepose/blazepose_files.hpp)
#   PREFIX/share/zoetrope/configs  recipes
#   PREFIX/share/...               man page and the shell's completion
install(DIRECTORY "${CMAKE_SOURCE_DIR}/configs" DESTINATION "${CMAKE_INSTALL_DATADIR}/zoetrope")
install(FILES "${CMAKE_SOURCE_DIR}/share/zoetrope.1" DESTINATION "${CMAKE_INSTALL_MANDIR}/man1")
install(FILES "${CMAKE_SOURCE_DIR}/share/zoetrope.bash-completion"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME zoetrope)
install(FILES "${CMAKE_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY "${ZT_DEPS_DIR}/pose" DESTINATION lib/zoetrope OPTIONAL PATTERN ".stamp" EXCLUDE)
if(ZT_WITH_TORCH)
  install(DIRECTORY "${ZT_TORCH_DIR}/lib" DESTINATION lib/zoetrope/torch)
  install(FILES "${ZT_TORCH_DIR}/LICENSE" DESTINATION lib/zoetrope/torch OPTIONAL)
  install(DIRECTORY "${ZT_TORCH_DIR}/../nvidia" DESTINATION lib/zoetrope OPTIONAL)
  file(RELATIVE_PATH _from_bin "/${CMAKE_INSTALL_BINDIR}" "/lib/zoetrope/torch/lib")
  set(CMAKE_INSTALL_RPATH "$ORIGIN/${_from_bin}")
endif()
