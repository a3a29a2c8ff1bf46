# Networks and optimizers: tensors in, tensors out; no data, no thread. Included by libtorch.cmake.
lrtune_library(lrtune_training_networks
  SOURCES cnn3.cc initial_weights.cc lenet.cc mlp.cc models.cc optimizers.cc resnet.cc
          torchscript.cc within_channel_norm.cc
  DEPENDS lrtune_policy lrtune_training_data LibTorch::cpu)
lrtune_reuse_torch_header(lrtune_training_networks)
