// The part of LibTorch that training uses; precompiled (libtorch.cmake). torch/torch.h as a whole
// takes 13 s more to precompile and makes every file that uses it 5 s slower to compile.
#pragma once

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
