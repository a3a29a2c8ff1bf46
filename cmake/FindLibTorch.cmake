# LibTorch from the unpacked `torch` wheel of PyPI, which deploy/setup.sh puts into .libtorch. Its own CMake
# configuration wants nvcc and picks up Debian's libtorch where that is installed; this file does neither.
#
#   LRTUNE_LIBTORCH_DIR  folder that holds torch/ and nvidia/ (cache variable)
#   LibTorch::cpu        torch_cpu and c10: all that a machine without a GPU needs
#   LibTorch::cuda       the CUDA libraries as well; links without cuBLAS, cuDNN and the like, which only
#                        running needs
#   LibTorch_VERSION     "2.15.0", from the wheel's own header
#
# The wheel brings its own libgomp.so.1 beside libtorch_cpu.so. Nothing of the project is compiled with
# -fopenmp, so that one stays the only OpenMP runtime in a process.
set(LRTUNE_LIBTORCH_DIR "${PROJECT_SOURCE_DIR}/.libtorch" CACHE PATH "Folder of the unpacked torch wheel")

set(_torch "${LRTUNE_LIBTORCH_DIR}/torch")
set(_cuda_runtime "${LRTUNE_LIBTORCH_DIR}/nvidia/cu13")
set(_version_header "${_torch}/include/torch/headeronly/version.h")
foreach(_file IN ITEMS "${_version_header}" "${_torch}/lib/libtorch_cpu.so" "${_torch}/lib/libc10.so"
                       "${_cuda_runtime}/lib/libcudart.so.13")
  if(NOT EXISTS "${_file}")
    message(FATAL_ERROR "LibTorch is missing (${_file} is not there): run deploy/setup.sh, or configure with "
                        "-DLRTUNE_LIBTORCH_DIR=FOLDER where it is unpacked elsewhere, or with "
                        "-DLRTUNE_LIBTORCH=OFF to build without training.")
  endif()
endforeach()

set(LibTorch_VERSION "")
file(STRINGS "${_version_header}" _lines REGEX "^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
foreach(_line IN LISTS _lines)
  string(REGEX REPLACE ".* ([0-9]+)$" "\\1" _number "${_line}")
  list(APPEND LibTorch_VERSION "${_number}")
endforeach()
list(JOIN LibTorch_VERSION "." LibTorch_VERSION)
if(LibTorch_FIND_VERSION AND NOT LibTorch_VERSION VERSION_EQUAL LibTorch_FIND_VERSION)
  message(FATAL_ERROR "${LRTUNE_LIBTORCH_DIR} holds LibTorch ${LibTorch_VERSION}, needed is "
                      "${LibTorch_FIND_VERSION}: run deploy/setup.sh.")
endif()

# The wheel's include folder holds an fmt of its own beside LibTorch's headers, another version than Debian's and
# without its library. A folder of links shows the rest alone, so that every file sees the same fmt.
set(_headers "${PROJECT_BINARY_DIR}/libtorch-include")
file(MAKE_DIRECTORY "${_headers}")
foreach(_folder IN ITEMS ATen c10 caffe2 torch)
  file(CREATE_LINK "${_torch}/include/${_folder}" "${_headers}/${_folder}" SYMBOLIC)
endforeach()

# The targets are GLOBAL: tests/ links them through the static libraries of worker/.
function(_libtorch_library name file)
  if(NOT TARGET LibTorch::${name})
    add_library(LibTorch::${name} SHARED IMPORTED GLOBAL)
    set_target_properties(LibTorch::${name} PROPERTIES IMPORTED_LOCATION "${file}")
  endif()
endfunction()

# An interface target: include directories, libraries, and a linker that does not ask for the libraries which
# those need in turn (each finds them at run time through its own rpath).
function(_libtorch_interface name)
  if(NOT TARGET LibTorch::${name})
    add_library(LibTorch::${name} INTERFACE IMPORTED GLOBAL)
    target_include_directories(LibTorch::${name} SYSTEM INTERFACE
      "${_headers}" "${_headers}/torch/csrc/api/include")
    target_link_options(LibTorch::${name} INTERFACE "LINKER:--allow-shlib-undefined")
    target_link_libraries(LibTorch::${name} INTERFACE ${ARGN})
  endif()
endfunction()

_libtorch_library(torch_cpu "${_torch}/lib/libtorch_cpu.so")
_libtorch_library(c10 "${_torch}/lib/libc10.so")
_libtorch_interface(cpu LibTorch::torch_cpu LibTorch::c10)

if(EXISTS "${_torch}/lib/libtorch_cuda.so" AND EXISTS "${_cuda_runtime}/include/cuda_runtime_api.h"
   AND EXISTS "${_cuda_runtime}/include/crt/host_config.h")
  _libtorch_library(torch "${_torch}/lib/libtorch.so")
  _libtorch_library(torch_cuda "${_torch}/lib/libtorch_cuda.so")
  _libtorch_library(c10_cuda "${_torch}/lib/libc10_cuda.so")
  _libtorch_library(cudart "${_cuda_runtime}/lib/libcudart.so.13")
  _libtorch_interface(cuda LibTorch::torch LibTorch::torch_cuda LibTorch::c10_cuda LibTorch::torch_cpu
                      LibTorch::c10 LibTorch::cudart)
  target_include_directories(LibTorch::cuda SYSTEM INTERFACE "${_cuda_runtime}/include")
  # libtorch_cuda.so registers its kernels when it is loaded; no symbol of ours refers to it.
  target_link_options(LibTorch::cuda INTERFACE "LINKER:--no-as-needed")
endif()
set(LibTorch_FOUND TRUE)
