// SPDX-License-Identifier: Apache-2.0
#include "weights/internal/state_dict.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "base/text/text.hpp"
#include "weights/internal/strided_copy.hpp"

namespace zt::weights::internal {
namespace {

constexpr int kMaxDepth = 32;
constexpr size_t kMaxDims = 64;
constexpr size_t kMaxSkipped = 100;

struct StorageType {
  std::string_view name;
  DType dtype;
};
constexpr StorageType kStorageTypes[] = {
    {"DoubleStorage", DType::F64},    {"FloatStorage", DType::F32}, {"HalfStorage", DType::F16},
    {"BFloat16Storage", DType::BF16}, {"LongStorage", DType::I64},  {"IntStorage", DType::I32},
    {"ShortStorage", DType::I16},     {"CharStorage", DType::I8},   {"ByteStorage", DType::U8},
    {"BoolStorage", DType::Bool},
};

// Modules and built-in functions that no model needs and that give an attacker a shell, a file or an import.
// Nothing of them would run here; the file is refused because it is not what its owner believes it to be.
constexpr std::string_view kHostileModules[] = {
    "os",        "posix",    "nt",      "subprocess", "sys",  "socket", "shutil",     "runpy",
    "importlib", "ctypes",   "pty",     "commands",   "code", "pip",    "webbrowser", "multiprocessing",
    "urllib",    "requests", "httplib", "bdb",        "pdb",  "timeit", "cProfile",
};
constexpr std::string_view kHostileBuiltins[] = {"eval",    "exec",       "execfile", "compile",
                                                 "open",    "getattr",    "setattr",  "__import__",
                                                 "globals", "breakpoint", "input",    "apply"};

bool contains(std::span<const std::string_view> list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

Status refuse_hostile(const PickleTree& tree, std::string_view label) {
  for (size_t id = 0; id < tree.nodes.size(); ++id) {
    if (tree.nodes[id].kind != NodeKind::Global) continue;
    const std::string_view module = tree[tree.nodes[id].items[0]].text,
                           name = tree[tree.nodes[id].items[1]].text;
    const bool is_builtin = module == "builtins" || module == "__builtin__";
    // A dotted name can reach a module through another one's imports, e.g. "torch" "serialization.os.system".
    const auto parts = text::split(fmt::format("{}.{}", module, name), '.');
    const bool reaches_out = std::any_of(parts.begin(), parts.end() - 1, [](const std::string& part) {
      return contains(kHostileModules, part);
    });
    if (reaches_out || (is_builtin && contains(kHostileBuiltins, name))) {
      return fail(
          ErrorCode::Corrupt,
          fmt::format(
              "{} asks to run {}, which no model does: take it for an attack and delete it. Nothing was run.",
              label, tree.global_name(static_cast<NodeId>(id))));
    }
  }
  return {};
}

class Collector {
 public:
  Collector(const PickleTree& tree, const StorageLookup& storage, uint64_t max_copy_bytes,
            std::string_view label)
      : tree_(tree), storage_(storage), copy_bytes_left_(max_copy_bytes), label_(label) {}

  Status visit(NodeId id, const std::string& name, int depth);
  Result<TorchTensors> finish();

 private:
  // The tensor call behind wrappers such as Parameter; nothing when the node is none.
  std::optional<NodeId> as_tensor(NodeId id) const;
  // Key, value, key, value... of a dict or an OrderedDict.
  std::optional<std::vector<std::pair<NodeId, NodeId>>> as_pairs(NodeId id) const;
  Result<TensorEntry> read_tensor(NodeId call, const std::string& name);
  Result<std::vector<int64_t>> read_ints(NodeId id, const std::string& name) const;
  Result<std::span<const std::byte>> unfold(std::span<const std::byte> from, DType dtype,
                                            const Strided& layout, const std::string& name);
  Status visit_pairs(const std::vector<std::pair<NodeId, NodeId>>& pairs, const std::string& name, int depth);
  void skip(NodeId id, const std::string& name);
  tl::unexpected<Error> corrupt(const std::string& name, std::string_view what) const {
    return fail(ErrorCode::Corrupt, fmt::format("{}: tensor {} {}", label_, text::quoted(name), what));
  }

  const PickleTree& tree_;
  const StorageLookup& storage_;
  uint64_t copy_bytes_left_;
  std::string_view label_;
  size_t visits_ = 0;
  TorchTensors out_;
};

std::optional<NodeId> Collector::as_tensor(NodeId id) const {
  for (int depth = 0; depth < kMaxDepth && tree_[id].kind == NodeKind::Call; ++depth) {
    const std::string callee = tree_.global_name(id);
    const auto& args = tree_[tree_[id].items[1]].items;
    if (callee == "torch._utils._rebuild_tensor_v2" || callee == "torch._utils._rebuild_tensor" ||
        callee == "torch._utils._rebuild_tensor_v3") {
      return id;
    }
    const bool is_wrapper =
        callee == "torch._utils._rebuild_parameter" || callee == "torch._utils._rebuild_parameter_with_state";
    if (!is_wrapper || args.empty()) return std::nullopt;
    id = args[0];
  }
  return std::nullopt;
}

std::optional<std::vector<std::pair<NodeId, NodeId>>> Collector::as_pairs(NodeId id) const {
  const PickleNode& node = tree_[id];
  std::vector<std::pair<NodeId, NodeId>> pairs;
  size_t first = 0;
  if (node.kind == NodeKind::Call) {
    if (tree_.global_name(id) != "collections.OrderedDict" &&
        tree_.global_name(id) != "collections.defaultdict")
      return {};
    // Python 2 wrote OrderedDict([[key, value], ...]).
    const auto& args = tree_[node.items[1]].items;
    if (!args.empty() && tree_[args[0]].kind == NodeKind::List) {
      for (const NodeId pair : tree_[args[0]].items) {
        if (tree_[pair].items.size() == 2) pairs.emplace_back(tree_[pair].items[0], tree_[pair].items[1]);
      }
    }
    first = 2;
  } else if (node.kind != NodeKind::Dict) {
    return std::nullopt;
  }
  for (size_t i = first; i + 1 < node.items.size(); i += 2)
    pairs.emplace_back(node.items[i], node.items[i + 1]);
  return pairs;
}

void Collector::skip(NodeId id, const std::string& name) {
  const std::string global = tree_.global_name(id);
  if (global.empty() || out_.skipped.size() >= kMaxSkipped) return;
  out_.skipped.push_back(fmt::format("{}: {}", name.empty() ? "the whole file" : text::quoted(name), global));
}

Status Collector::visit(NodeId id, const std::string& name, int depth) {
  // Shared and cyclic values are visited once per path: both counts keep that finite.
  if (depth > kMaxDepth || ++visits_ > kMaxNodes) {
    return fail(ErrorCode::Exhausted,
                fmt::format("{} nests its values deeper or wider than any state dict (at {})", label_,
                            text::quoted(name)));
  }
  if (const auto call = as_tensor(id)) {
    ZT_TRY_ASSIGN(TensorEntry entry, read_tensor(*call, name.empty() ? "tensor" : name));
    out_.entries.push_back(std::move(entry));
    return {};
  }
  if (const auto pairs = as_pairs(id)) return visit_pairs(*pairs, name, depth);
  const PickleNode& node = tree_[id];
  if (node.kind == NodeKind::List || node.kind == NodeKind::Tuple) {
    for (size_t i = 0; i < node.items.size(); ++i) {
      ZT_TRY(visit(node.items[i], name.empty() ? fmt::format("{}", i) : fmt::format("{}.{}", name, i),
                   depth + 1));
    }
    return {};
  }
  skip(id, name);
  return {};
}

Status Collector::visit_pairs(const std::vector<std::pair<NodeId, NodeId>>& pairs, const std::string& name,
                              int depth) {
  // The last of equal keys wins, as in Python, and keeps the first one's place.
  std::unordered_map<std::string, size_t> places;
  std::vector<std::pair<std::string, NodeId>> members;
  for (const auto& [key, value] : pairs) {
    const PickleNode& k = tree_[key];
    if (k.kind != NodeKind::Text && k.kind != NodeKind::Int) continue;
    std::string word = k.kind == NodeKind::Text ? std::string(k.text) : fmt::format("{}", k.integer);
    if (!text::is_utf8(word)) return corrupt(name + "." + word, "has a name that is not UTF-8");
    const auto [place, is_new] = places.try_emplace(word, members.size());
    if (is_new) {
      members.emplace_back(std::move(word), value);
    } else {
      members[place->second].second = value;
    }
  }
  for (const auto& [word, value] : members) {
    ZT_TRY(visit(value, name.empty() ? word : fmt::format("{}.{}", name, word), depth + 1));
  }
  return {};
}

Result<std::vector<int64_t>> Collector::read_ints(NodeId id, const std::string& name) const {
  const PickleNode& node = tree_[id];
  if ((node.kind != NodeKind::Tuple && node.kind != NodeKind::List) || node.items.size() > kMaxDims) {
    return corrupt(name, "has a size or stride that is not a short tuple");
  }
  std::vector<int64_t> out;
  for (const NodeId item : node.items) {
    if (tree_[item].kind != NodeKind::Int || tree_[item].integer < 0) {
      return corrupt(name, "has a size or stride that is negative or not an integer");
    }
    out.push_back(tree_[item].integer);
  }
  return out;
}

// Arguments: storage, offset, size, stride, then flags that do not matter for reading. Version 3 (element
// types without a storage class of their own) gives the element type as argument 6.
Result<TensorEntry> Collector::read_tensor(NodeId call, const std::string& name) {
  const auto& args = tree_[tree_[call].items[1]].items;
  if (args.size() < 4) return corrupt(name, "has fewer than four arguments");
  if (tree_.global_name(call) == "torch._utils._rebuild_tensor_v3") {
    const std::string dtype = args.size() > 6 ? tree_.global_name(args[6]) : "";
    return fail(ErrorCode::Unsupported,
                fmt::format("{}: tensor {} has the element type {}, which is not read. Convert it to "
                            "float32, float16 or bfloat16.",
                            label_, text::quoted(name), dtype.empty() ? "?" : dtype));
  }
  ZT_TRY_ASSIGN(const StorageId id, read_storage_id(tree_, args[0], label_));
  ZT_TRY_ASSIGN(const std::span<const std::byte> storage, storage_(id));
  if (tree_[args[1]].kind != NodeKind::Int || tree_[args[1]].integer < 0)
    return corrupt(name, "has no valid offset");
  Strided layout{.offset = tree_[args[1]].integer, .shape = {}, .strides = {}};
  ZT_TRY_ASSIGN(layout.shape, read_ints(args[2], name));
  ZT_TRY_ASSIGN(layout.strides, read_ints(args[3], name));

  const auto num_bytes = byte_count(id.dtype, layout.shape);
  const auto end = layout.end();
  if (layout.shape.size() != layout.strides.size() || !num_bytes || !end || *end > id.num_elements) {
    return corrupt(
        name, fmt::format("(size [{}], stride [{}], offset {}) does not lie in its storage of {} elements",
                          fmt::join(layout.shape, ", "), fmt::join(layout.strides, ", "), layout.offset,
                          id.num_elements));
  }
  TensorEntry entry{name, id.dtype, layout.shape, {}};
  if (*num_bytes == 0) return entry;
  if (layout.is_contiguous()) {
    entry.bytes = storage.subspan(static_cast<size_t>(layout.offset) * size_bytes(id.dtype),
                                  static_cast<size_t>(*num_bytes));
    return entry;
  }
  ZT_TRY_ASSIGN(entry.bytes, unfold(storage, id.dtype, layout, name));
  return entry;
}

Result<std::span<const std::byte>> Collector::unfold(std::span<const std::byte> from, DType dtype,
                                                     const Strided& layout, const std::string& name) {
  const uint64_t num_bytes = byte_count(dtype, layout.shape).value_or(UINT64_MAX);
  if (num_bytes > copy_bytes_left_) {
    return fail(
        ErrorCode::Exhausted,
        fmt::format(
            "{}: tensor {} repeats its elements by strides to {}, far more than the file holds. Save it with "
            ".contiguous(), or not at all.",
            label_, text::quoted(name), text::bytes(num_bytes)));
  }
  copy_bytes_left_ -= num_bytes;
  auto& copy = out_.copies.emplace_back(new std::byte[static_cast<size_t>(num_bytes)]);
  const std::span<std::byte> target(copy.get(), static_cast<size_t>(num_bytes));
  copy_strided(from, size_bytes(dtype), layout, target);
  return target;
}

Result<TorchTensors> Collector::finish() {
  std::unordered_map<std::string_view, size_t> names;
  for (const TensorEntry& entry : out_.entries) {
    if (++names[entry.name] > 1) return corrupt(entry.name, "occurs twice");
  }
  if (out_.entries.empty()) {
    return fail(
        ErrorCode::Unsupported,
        fmt::format("{} holds no tensors{}{}. Save model.state_dict(), not the model.", label_,
                    out_.skipped.empty() ? "" : "; what it holds is ", fmt::join(out_.skipped, ", ")));
  }
  return std::move(out_);
}

}  // namespace

Result<StorageId> read_storage_id(const PickleTree& tree, NodeId persistent, std::string_view label) {
  const auto corrupt = [&](std::string_view what) {
    return fail(ErrorCode::Corrupt, fmt::format("{}: a tensor's storage {}", label, what));
  };
  if (tree[persistent].kind != NodeKind::Persistent) return corrupt("is not a reference to the file");
  const auto& parts = tree[tree[persistent].items[0]].items;
  if (tree[tree[persistent].items[0]].kind != NodeKind::Tuple || parts.size() < 5 ||
      tree[parts[0]].text != "storage" || tree[parts[2]].kind != NodeKind::Text ||
      tree[parts[4]].kind != NodeKind::Int || tree[parts[4]].integer < 0) {
    return corrupt("is not named as (\"storage\", type, key, place, size)");
  }
  const std::string type = tree.global_name(parts[1]);
  for (const StorageType& known : kStorageTypes) {
    if (type == fmt::format("torch.{}", known.name))
      return StorageId{known.dtype, tree[parts[2]].text, tree[parts[4]].integer};
  }
  return fail(ErrorCode::Unsupported,
              fmt::format("{} holds a tensor of type {}, which is not read. Convert it to float32, "
                          "float16 or bfloat16.",
                          label, type.empty() ? "?" : type));
}

Result<TorchTensors> collect_tensors(const PickleTree& tree, const StorageLookup& storage,
                                     uint64_t max_copy_bytes, std::string_view label) {
  ZT_TRY(refuse_hostile(tree, label));
  Collector collector(tree, storage, max_copy_bytes, label);
  ZT_TRY(collector.visit(tree.root, "", 0));
  return collector.finish();
}

}  // namespace zt::weights::internal
