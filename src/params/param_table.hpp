// SPDX-License-Identifier: Apache-2.0
// What parameters a network has: names (the reference's state-dict keys behind the network's own prefix),
// shapes, start values, and the unit and gradient group each belongs to. Filled by constructing the network
// from a declaring ParamSource; nothing is allocated, so a plan for any size costs milliseconds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace zt::params {

/// How a parameter starts when no file gives it. Random ones depend only on (seed, name), not on order or
/// threads.
struct Init {
  enum class Kind {
    Zeros,
    Ones,
    Uniform,        ///< in [-scale, scale)
    Normal,         ///< standard deviation `scale`
    SinePositions,  ///< (1, P, D): row p holds sin(p w_j), cos(p w_j) alternating, w_j = 10000^(-2j/D)
  };
  Kind kind = Kind::Zeros;
  float scale = 0;

  static Init zeros() { return {Kind::Zeros, 0}; }
  static Init ones() { return {Kind::Ones, 0}; }
  static Init normal(float sd) { return {Kind::Normal, sd}; }
  static Init sine_positions() { return {Kind::SinePositions, 0}; }
  /// torch's default for linear and convolution weights and biases: uniform in +-1/sqrt(fan_in).
  static Init fan_in(int64_t fan_in);
};

struct ParamInfo {
  std::string name;  ///< full, e.g. "denoising_unet.conv_in.weight"
  std::vector<int64_t> shape;
  Init init;
  std::string unit;        ///< what is gathered, recomputed and reduced together, e.g.
                           ///< "denoising_unet.down_blocks.0.layers.1"
  std::string group;       ///< gradient group: what always gets a gradient together, e.g. "denoising_unet"
  bool is_buffer = false;  ///< saved with the weights, never trained (motion modules' pe)
  int64_t numel() const;
};

/// Declared parameters in declaration order. Names are unique.
class ParamTable {
 public:
  /// Throws ContractError if the name is taken.
  void add(ParamInfo info);
  const std::vector<ParamInfo>& params() const { return params_; }
  /// Null if there is none of that name.
  const ParamInfo* find(std::string_view name) const;
  /// Elements of all parameters whose name starts with `prefix`; buffers are not counted.
  int64_t num_elements(std::string_view prefix = "") const;
  /// State-dict entries whose name starts with `prefix`, buffers included.
  size_t num_tensors(std::string_view prefix = "") const;
  /// Unit names in the order first declared, which is forward order.
  std::vector<std::string> units() const;

 private:
  std::vector<ParamInfo> params_;
  std::map<std::string, size_t, std::less<>> by_name_;
};

}  // namespace zt::params
