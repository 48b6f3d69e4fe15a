# SPDX-License-Identifier: Apache-2.0
# The one table of which folder of src/ may use which (design: two planes, levels). Read by zt_library(), which fails at
# configure time on an edge it forbids, and by scripts/check_layers.py, which checks every #include.
# A row: FOLDER PLANE LEVEL. A folder may use lower levels of its own plane and of "common", if named in its DEPS.
set(ZT_LAYERS
  "base       common  0"
  "config     common  1"
  "contract   common  1"
  "weights    common  1"
  "image      common  1"
  "rendezvous common  1"
  "exchange   common  1"
  "archive    common  2"
  "media      common  2"
  "quality    common  2"
  "data       common  3"
  "report     control 2"
  "cli        control 5"
  "tensor     compute 2"
  "params     compute 3"
  "diffusion  compute 3"
  "nn         compute 4"
  "dist       compute 4"
  "models     compute 5"
  "optim      compute 5"
  "checkpoint compute 5"
  "prepare    compute 6"
  "generate   compute 6"
  "train      compute 7"
  "worker     compute 8"
)

foreach(_row IN LISTS ZT_LAYERS)
  string(REGEX REPLACE " +" ";" _cells "${_row}")
  list(GET _cells 0 _folder)
  list(GET _cells 1 ZT_PLANE_${_folder})
  list(GET _cells 2 ZT_LEVEL_${_folder})
endforeach()

# Stops the configuration unless `folder` may depend on `dep`.
function(zt_check_edge folder dep)
  foreach(_f IN ITEMS ${folder} ${dep})
    if(NOT DEFINED ZT_LEVEL_${_f})
      message(FATAL_ERROR "layers: folder '${_f}' is not in cmake/layers.cmake")
    endif()
  endforeach()
  if(NOT ZT_LEVEL_${dep} LESS ZT_LEVEL_${folder})
    message(FATAL_ERROR "layers: ${folder} (level ${ZT_LEVEL_${folder}}) may not use ${dep} (level ${ZT_LEVEL_${dep}})")
  endif()
  if(NOT ZT_PLANE_${dep} STREQUAL "common" AND NOT ZT_PLANE_${dep} STREQUAL ZT_PLANE_${folder})
    message(FATAL_ERROR "layers: ${folder} (${ZT_PLANE_${folder}}) may not use ${dep} (${ZT_PLANE_${dep}} plane)")
  endif()
endfunction()
