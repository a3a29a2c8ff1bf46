#include "worker/training/torchscript.h"

#include <c10/util/strides.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <cctype>
#include <mutex>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

#include "common/random.h"

namespace lrtune {
namespace {

namespace jit = torch::jit;

constexpr std::int64_t kMostTried = 8;  // samples of the training pass that is tried

// LibTorch writes a traceback around the sentence that matters, which comes last.
std::string last_line(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
    text.remove_suffix(1);
  return std::string(text.substr(text.rfind('\n') + 1));
}

// What a look at the code of `forward`, with all that it calls, tells.
struct Traits {
  bool draws = false;          // random numbers, or so it may be
  std::string kept_elsewhere;  // an attribute that it sets and that is no tensor
};

void look_at(const jit::Block& block, Traits& traits) {
  for (const jit::Node* node : block.nodes()) {
    for (const jit::Block* inner : node->blocks()) look_at(*inner, traits);
    const std::string_view kind = node->kind().toQualString();
    // A call that could not be inlined may hide anything.
    if (node->isNondeterministic() || kind.find("dropout") != std::string_view::npos ||
        kind == "prim::CallMethod") {
      traits.draws = true;
    }
    if (node->kind() != c10::prim::SetAttr) continue;
    if (!node->inputs()[1]->type()->isSubtypeOf(*c10::TensorType::get()))
      traits.kept_elsewhere = node->s(c10::attr::name);
  }
}

Traits traits_of(const jit::Module& module) {
  const auto graph = module.get_method("forward").graph()->copy();
  jit::Inline(*graph);
  Traits traits;
  look_at(*graph->block(), traits);
  return traits;
}

// Images of one channel lie in both orders at once; their strides say which one is meant, and
// convolutions answer in that.
at::Tensor in_plain_order(const at::Tensor& inputs) {
  return inputs.contiguous().as_strided(inputs.sizes(), c10::contiguous_strides(inputs.sizes()));
}

// A place in a module that holds a tensor which is no parameter. Code may put another tensor there.
struct BufferPlace {
  c10::intrusive_ptr<c10::ivalue::Object> object;
  std::size_t slot;
};

class TorchscriptModel final : public Model {
 public:
  TorchscriptModel(jit::Module module, bool channels_last, bool draws)
      : module_(std::move(module)), channels_last_(channels_last), draws_(draws) {
    std::set<const at::TensorImpl*> seen;  // one that several modules share is one
    for (const auto& named : module_.named_parameters()) {
      if (!named.value.requires_grad() || !seen.insert(named.value.unsafeGetTensorImpl()).second)
        continue;
      if (channels_last_ && named.value.dim() == 4)
        named.value.set_data(named.value.contiguous(at::MemoryFormat::ChannelsLast));
      parameters_.push_back({named.name, named.value});
    }
    for (const auto& named : module_.named_modules()) add_buffers(named.name, named.value);
  }

  // Nobody knows what a user's code asks for.
  bool same_work_each_pass() const override { return false; }

  at::Tensor logits(const at::Tensor& inputs, const ForwardPass& pass) override {
    if (training_ != pass.training) module_.train(pass.training);
    training_ = pass.training;
    const jit::GraphOptimizerEnabledGuard not_optimised(false);
    const auto turn = draws_ ? seeded_generator(pass) : std::unique_lock<std::mutex>();
    const jit::IValue output = module_.forward({channels_last_ ? inputs : in_plain_order(inputs)});
    if (pass.training) look_for_new_buffers();
    if (!output.isTensor()) {
      C10_THROW_ERROR(TypeError, fmt::format("it returns a {}, not one tensor", output.tagKind()));
    }
    return output.toTensor();
  }

  const jit::Module& module() const { return module_; }

  void keep_only(const std::set<std::string>& names) {
    std::erase_if(parameters_,
                  [&](const Parameter& parameter) { return !names.contains(parameter.name); });
  }

 private:
  void add_buffers(const std::string& prefix, const jit::Module& module) {
    const auto type = module.type();
    for (std::size_t slot = 0; slot < type->numAttributes(); ++slot) {
      const c10::IValue value = module._ivalue()->getSlot(slot);
      if (type->is_parameter(slot) || !value.isTensor() || !value.toTensor().defined()) continue;
      buffer_places_.push_back({module._ivalue(), slot});
      buffers_.push_back(
          {(prefix.empty() ? "" : prefix + ".") + type->getAttributeName(slot), value.toTensor()});
    }
  }

  void look_for_new_buffers() {
    for (std::size_t i = 0; i < buffers_.size(); ++i)
      buffers_[i].value = buffer_places_[i].object->getSlot(buffer_places_[i].slot).toTensor();
  }

  // Held during a pass, so that no other network's pass draws in between.
  static std::unique_lock<std::mutex> seeded_generator(const ForwardPass& pass) {
    static std::mutex mutex;
    std::unique_lock lock(mutex);
    at::manual_seed(random_bits("torchscript", pass.seed,
                                static_cast<std::uint64_t>(pass.iteration), pass.training ? 1 : 0));
    return lock;
  }

  jit::Module module_;
  const bool channels_last_;
  const bool draws_;
  std::optional<bool> training_;
  std::vector<BufferPlace> buffer_places_;  // of buffers_
};

Error kept_elsewhere(const std::string& network, const std::string& attribute) {
  return {
      fmt::format("the network {} keeps a state in its attribute {}, which is no tensor and "
                  "would be lost with an interruption: make it a buffer",
                  network, attribute)};
}

bool differ(const c10::IValue& before, const c10::IValue& after) {
  if (before.isTensor() && after.isTensor()) return !at::equal(before.toTensor(), after.toTensor());
  const bool is_value = !before.isObject() && !before.isCapsule() && !before.isPyObject();
  return is_value && before != after;
}

// The first attribute of a module or of those inside that is not what it was; empty if none. Which
// pass it makes is no state.
std::string changed_attribute(const jit::Module& before, const jit::Module& after,
                              bool with_tensors) {
  auto other = after.named_modules().begin();
  for (const auto& named : before.named_modules()) {
    const auto type = named.value.type();
    for (std::size_t slot = 0; slot < type->numAttributes(); ++slot) {
      const std::string& attribute = type->getAttributeName(slot);
      const c10::IValue& value = named.value._ivalue()->getSlot(slot);
      if (attribute == "training" || (value.isTensor() && !with_tensors)) continue;
      if (differ(value, (*other).value._ivalue()->getSlot(slot)))
        return named.name.empty() ? attribute : named.name + "." + attribute;
    }
    ++other;
  }
  return {};
}

class Check {
 public:
  Check(std::string name, const ImageShape& shape, at::Device device)
      : name_(std::move(name)), shape_(shape), device_(device) {}

  // Passes through `copy`, which is spoilt by them. The names of the parameters that a loss depends
  // on.
  Result<std::set<std::string>> try_passes(TorchscriptModel& copy, const jit::Module& original,
                                           std::int64_t batch) const try {
    {
      const at::NoGradGuard no_graph;
      for (const std::int64_t samples : {2, 3}) {
        if (auto error = try_pass(copy, samples, /*training=*/false))
          return tl::unexpected(std::move(*error));
      }
    }
    if (const auto name = changed_attribute(original, copy.module(), /*with_tensors=*/true);
        !name.empty()) {
      return fail(
          fmt::format("an evaluation with the network {} changes its {}; only a training pass may",
                      name_, name));
    }
    at::Tensor logits;
    const std::int64_t samples = std::clamp<std::int64_t>(batch, 1, kMostTried);
    if (auto error = try_pass(copy, samples, /*training=*/true, &logits))
      return tl::unexpected(std::move(*error));
    if (const auto name = changed_attribute(original, copy.module(), /*with_tensors=*/false);
        !name.empty()) {
      return tl::unexpected(kept_elsewhere(name_, name));
    }
    return names_with_gradient(copy, logits);
  } catch (const std::exception& error) {  // c10::Error and the interpreter's own
    return fail(fmt::format(
        "the network {} cannot be trained on images of {}x{}x{} (channels, "
        "rows, columns): {}",
        name_, shape_.channels, shape_.rows, shape_.columns, last_line(error_text(error))));
  }

  static std::string error_text(const std::exception& error) {
    const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
    return torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
  }

 private:
  std::optional<Error> try_pass(Model& copy, std::int64_t samples, bool training,
                                at::Tensor* result = nullptr) const {
    const at::Tensor inputs =
        at::zeros({samples, shape_.channels, shape_.rows, shape_.columns},
                  at::TensorOptions(device_).memory_format(at::MemoryFormat::ChannelsLast));
    const at::Tensor logits = copy.logits(inputs, {.training = training});
    if (result != nullptr) *result = logits;
    const bool fits = logits.dim() == 2 && logits.size(0) == samples &&
                      logits.size(1) == shape_.classes && logits.scalar_type() == at::kFloat;
    if (fits) return std::nullopt;
    return Error{fmt::format(
        "the network {} returns {} of {} for {} samples; the data need logits, float32 of {}x{} "
        "(samples x classes)",
        name_, c10::toString(logits.scalar_type()), fmt::join(logits.sizes().vec(), "x"), samples,
        samples, shape_.classes)};
  }

  Result<std::set<std::string>> names_with_gradient(Model& copy, const at::Tensor& logits) const {
    std::vector<at::Tensor> values;
    for (const Parameter& parameter : copy.parameters()) values.push_back(parameter.value);
    std::set<std::string> names;
    if (logits.requires_grad()) {
      const at::Tensor loss = at::cross_entropy_loss(
          logits, at::zeros({logits.size(0)}, logits.options().dtype(at::kLong)));
      const auto gradients = torch::autograd::grad({loss}, values, {}, std::nullopt,
                                                   /*create_graph=*/false, /*allow_unused=*/true);
      for (std::size_t i = 0; i < values.size(); ++i) {
        if (gradients[i].defined()) names.insert(copy.parameters()[i].name);
      }
    }
    if (names.empty()) {
      return fail(fmt::format("the network {} has no parameter that training would change", name_));
    }
    return names;
  }

  const std::string name_;
  const ImageShape& shape_;
  const at::Device device_;
};

Result<jit::Module> load_module(const std::string& bytes, const std::string& name) try {
  std::istringstream stream(bytes);
  return jit::load(stream, at::kCPU, /*load_debug_files=*/false);
} catch (const std::exception& error) {
  return fail(fmt::format(
      "{} is no TorchScript file, as torch.jit.script(network).save(FILE) writes it: {}", name,
      last_line(Check::error_text(error))));
}

std::optional<Error> check_module(const jit::Module& module, const std::string& name,
                                  const Traits& traits) {
  if (!traits.kept_elsewhere.empty()) return kept_elsewhere(name, traits.kept_elsewhere);
  for (const auto& named : module.named_parameters()) {
    if (named.value.scalar_type() == at::kFloat) continue;
    return Error{fmt::format("parameter {} of the network {} is {}; only float32 is trained",
                             named.name, name, c10::toString(named.value.scalar_type()))};
  }
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Model>> make_torchscript(const std::string& bytes, const std::string& name,
                                                const ModelSpec& spec, const ImageShape& shape,
                                                std::int64_t batch, at::Device device) {
  auto module = load_module(bytes, name);
  if (!module) return tl::unexpected(module.error());
  if (!module->find_method("forward"))
    return fail(fmt::format("the network {} has no method forward", name));
  const Traits traits = traits_of(*module);
  if (auto error = check_module(*module, name, traits)) return tl::unexpected(std::move(*error));
  module->to(device);
  TorchscriptModel copy(module->deepcopy(), spec.channels_last, traits.draws);
  const auto trained = Check(name, shape, device).try_passes(copy, *module, batch);
  if (!trained) return tl::unexpected(trained.error());
  auto model =
      std::make_unique<TorchscriptModel>(*std::move(module), spec.channels_last, traits.draws);
  model->keep_only(*trained);
  return model;
}

}  // namespace lrtune
