// SPDX-License-Identifier: Apache-2.0
#include "weights/internal/pickle.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <unordered_map>

#include "base/text/text.hpp"
#include "weights/internal/byte_reader.hpp"

namespace zt::weights::internal {
namespace {

using Bytes = std::span<const std::byte>;

class Machine {
 public:
  Machine(Bytes bytes, std::string_view label) : reader_(bytes), label_(label) {}
  Result<PickleTree> run();

 private:
  using Handler = Status (Machine::*)();
  struct Op {
    uint8_t code;
    Handler handler;
  };
  static const std::array<Handler, 256>& handlers();
  static std::span<const Op> value_ops();
  static std::span<const Op> container_ops();
  static std::span<const Op> object_ops();

  // Values
  Status proto();
  Status frame();
  template <NodeKind kKind, int64_t kValue>
  Status push_constant() {
    return push({.kind = kKind, .integer = kValue, .text = {}, .items = {}});
  }
  template <class Stored>
  Status push_int();
  Status push_float();
  template <class Length>
  Status push_long();
  template <NodeKind kKind, class Length>
  Status push_text();

  // Stack and memo
  Status mark();
  Status pop();
  Status pop_mark();
  Status dup();
  template <class Index>
  Status get();
  template <class Index>
  Status put();
  Status memoize();

  // Containers
  template <NodeKind kKind>
  Status push_empty() {
    return push({.kind = kKind, .integer = 0, .text = {}, .items = {}});
  }
  template <NodeKind kKind>
  Status push_from_mark();
  template <size_t kCount>
  Status push_tuple();
  template <size_t kCount>
  Status extend();  // APPEND (1), SETITEM (2)
  Status extend_from_mark();

  // Objects
  Status push_global();
  Status push_stack_global();
  Status push_call();
  Status push_call_with_keywords();
  Status build();
  Status push_persistent();

  tl::unexpected<Error> corrupt(std::string_view what) const;
  tl::unexpected<Error> cut_short() const { return corrupt("it ends in the middle"); }
  tl::unexpected<Error> exhausted() const;
  Status push(PickleNode node);
  Status push_id(NodeId id);
  Result<std::vector<NodeId>> take(size_t count);
  Result<std::vector<NodeId>> take_from_mark();
  Status append_to_top(const std::vector<NodeId>& items);
  // How many values stand on the stack above the newest mark.
  size_t height() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }

  ByteReader reader_;
  std::string_view label_;
  PickleTree tree_;
  std::vector<NodeId> stack_;
  std::vector<size_t> marks_;  // stack heights
  std::unordered_map<uint32_t, NodeId> memo_;
  size_t items_ = 0;
};

tl::unexpected<Error> Machine::corrupt(std::string_view what) const {
  return fail(ErrorCode::Corrupt,
              fmt::format("{} holds a broken pickle: {} (byte {})", label_, what, reader_.position()));
}

tl::unexpected<Error> Machine::exhausted() const {
  return fail(
      ErrorCode::Exhausted,
      fmt::format(
          "{} holds a pickle of more than {} values, far beyond any state dict; it is refused to save memory",
          label_, kMaxNodes));
}

Status Machine::push_id(NodeId id) {
  if (stack_.size() >= kMaxItems) return exhausted();
  stack_.push_back(id);
  return {};
}

Status Machine::push(PickleNode node) {
  items_ += node.items.size();
  if (tree_.nodes.size() >= kMaxNodes || items_ > kMaxItems) return exhausted();
  tree_.nodes.push_back(std::move(node));
  return push_id(static_cast<NodeId>(tree_.nodes.size() - 1));
}

Result<std::vector<NodeId>> Machine::take(size_t count) {
  if (height() < count) return corrupt("it takes more values than it made");
  std::vector<NodeId> out(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  return out;
}

Result<std::vector<NodeId>> Machine::take_from_mark() {
  if (marks_.empty()) return corrupt("a mark is missing");
  const size_t count = height();
  marks_.pop_back();
  std::vector<NodeId> out(stack_.end() - static_cast<ptrdiff_t>(count), stack_.end());
  stack_.resize(stack_.size() - count);
  return out;
}

Status Machine::proto() {
  const auto version = reader_.read<uint8_t>();
  if (!version) return cut_short();
  if (*version > 5) return corrupt(fmt::format("its protocol is {}, wanted at most 5", *version));
  return {};
}

Status Machine::frame() { return reader_.read<uint64_t>() ? Status{} : cut_short(); }

template <class Stored>
Status Machine::push_int() {
  const auto value = reader_.read<Stored>();
  if (!value) return cut_short();
  return push({.kind = NodeKind::Int, .integer = *value, .text = {}, .items = {}});
}

Status Machine::push_float() {
  if (!reader_.read<uint64_t>()) return cut_short();
  return push({.kind = NodeKind::Number, .integer = 0, .text = {}, .items = {}});
}

// A little-endian two's-complement integer of any length.
template <class Length>
Status Machine::push_long() {
  const auto length = reader_.read<Length>();
  const auto digits = length ? reader_.take(*length) : std::nullopt;
  if (!digits) return cut_short();
  if (digits->size() > sizeof(int64_t))
    return push({.kind = NodeKind::Number, .integer = 0, .text = {}, .items = {}});
  const bool is_negative = !digits->empty() && (std::to_integer<unsigned>(digits->back()) & 0x80) != 0;
  int64_t value = is_negative ? -1 : 0;
  if (!digits->empty()) std::memcpy(&value, digits->data(), digits->size());
  return push({.kind = NodeKind::Int, .integer = value, .text = {}, .items = {}});
}

template <NodeKind kKind, class Length>
Status Machine::push_text() {
  const auto length = reader_.read<Length>();
  const auto body = length ? reader_.take(*length) : std::nullopt;
  if (!body) return cut_short();
  return push({.kind = kKind, .integer = 0, .text = as_text(*body), .items = {}});
}

Status Machine::mark() {
  if (marks_.size() >= kMaxNodes) return exhausted();
  marks_.push_back(stack_.size());
  return {};
}

Status Machine::pop() {
  // As in CPython, POP right above a mark takes the mark.
  if (height() == 0 && !marks_.empty()) {
    marks_.pop_back();
    return {};
  }
  ZT_TRY(take(1));
  return {};
}

Status Machine::pop_mark() {
  ZT_TRY(take_from_mark());
  return {};
}

Status Machine::dup() {
  if (height() == 0) return corrupt("it copies a value that is not there");
  return push_id(stack_.back());
}

template <class Index>
Status Machine::get() {
  const auto index = reader_.read<Index>();
  if (!index) return cut_short();
  const auto found = memo_.find(*index);
  if (found == memo_.end()) return corrupt("it refers to a value that it did not store");
  return push_id(found->second);
}

template <class Index>
Status Machine::put() {
  const auto index = reader_.read<Index>();
  if (!index) return cut_short();
  if (height() == 0) return corrupt("it stores a value that is not there");
  if (memo_.size() >= kMaxNodes) return exhausted();
  memo_[*index] = stack_.back();
  return {};
}

Status Machine::memoize() {
  if (height() == 0) return corrupt("it stores a value that is not there");
  if (memo_.size() >= kMaxNodes) return exhausted();
  memo_[static_cast<uint32_t>(memo_.size())] = stack_.back();
  return {};
}

template <NodeKind kKind>
Status Machine::push_from_mark() {
  ZT_TRY_ASSIGN(std::vector<NodeId> items, take_from_mark());
  return push({.kind = kKind, .integer = 0, .text = {}, .items = std::move(items)});
}

template <size_t kCount>
Status Machine::push_tuple() {
  ZT_TRY_ASSIGN(std::vector<NodeId> items, take(kCount));
  return push({.kind = NodeKind::Tuple, .integer = 0, .text = {}, .items = std::move(items)});
}

template <size_t kCount>
Status Machine::extend() {
  ZT_TRY_ASSIGN(const std::vector<NodeId> items, take(kCount));
  return append_to_top(items);
}

Status Machine::extend_from_mark() {
  ZT_TRY_ASSIGN(const std::vector<NodeId> items, take_from_mark());
  return append_to_top(items);
}

// APPEND, SETITEM and their plural forms differ in Python by the type of the target; here each is "more
// items".
Status Machine::append_to_top(const std::vector<NodeId>& items) {
  if (height() == 0) return corrupt("it fills a container that is not there");
  PickleNode& target = tree_.nodes[stack_.back()];
  switch (target.kind) {
    case NodeKind::List:
    case NodeKind::Set:
      break;
    case NodeKind::Dict:
    case NodeKind::Call:
      if (target.kind == NodeKind::Dict && items.size() % 2 != 0)
        return corrupt("a dictionary has a key without a value");
      break;
    default:
      return corrupt("it fills a value that is not a container");
  }
  items_ += items.size();
  if (items_ > kMaxItems) return exhausted();
  target.items.insert(target.items.end(), items.begin(), items.end());
  return {};
}

Status Machine::push_global() {
  const auto module = reader_.line();
  const auto name = module ? reader_.line() : std::nullopt;
  if (!name) return cut_short();
  ZT_TRY(push({.kind = NodeKind::Text, .integer = 0, .text = *module, .items = {}}));
  ZT_TRY(push({.kind = NodeKind::Text, .integer = 0, .text = *name, .items = {}}));
  return push_stack_global();
}

Status Machine::push_stack_global() {
  ZT_TRY_ASSIGN(std::vector<NodeId> names, take(2));
  if (tree_[names[0]].kind != NodeKind::Text || tree_[names[1]].kind != NodeKind::Text) {
    return corrupt("the name of a class is not a text");
  }
  return push({.kind = NodeKind::Global, .integer = 0, .text = {}, .items = std::move(names)});
}

// REDUCE and NEWOBJ: callee, argument tuple.
Status Machine::push_call() {
  ZT_TRY_ASSIGN(std::vector<NodeId> parts, take(2));
  if (tree_[parts[1]].kind != NodeKind::Tuple) return corrupt("the arguments of a call are not a tuple");
  return push({.kind = NodeKind::Call, .integer = 0, .text = {}, .items = std::move(parts)});
}

// NEWOBJ_EX: no class that we read has keyword arguments, so they are dropped.
Status Machine::push_call_with_keywords() {
  ZT_TRY(take(1));
  return push_call();
}

// BUILD gives an object its attributes. A state dict's `_metadata` (module versions) is set that way; none is
// needed.
Status Machine::build() {
  ZT_TRY(take(1));
  return height() == 0 ? corrupt("it sets attributes of a value that is not there") : Status{};
}

Status Machine::push_persistent() {
  ZT_TRY_ASSIGN(std::vector<NodeId> id, take(1));
  return push({.kind = NodeKind::Persistent, .integer = 0, .text = {}, .items = std::move(id)});
}

// Codes and their Python names as in CPython's Lib/pickle.py.

std::span<const Machine::Op> Machine::value_ops() {
  static constexpr Op kOps[] = {
      {0x80, &Machine::proto},                                 // PROTO
      {0x95, &Machine::frame},                                 // FRAME
      {'N', &Machine::push_constant<NodeKind::None, 0>},       // NONE
      {0x88, &Machine::push_constant<NodeKind::Bool, 1>},      // NEWTRUE
      {0x89, &Machine::push_constant<NodeKind::Bool, 0>},      // NEWFALSE
      {'J', &Machine::push_int<int32_t>},                      // BININT
      {'K', &Machine::push_int<uint8_t>},                      // BININT1
      {'M', &Machine::push_int<uint16_t>},                     // BININT2
      {0x8A, &Machine::push_long<uint8_t>},                    // LONG1
      {0x8B, &Machine::push_long<uint32_t>},                   // LONG4
      {'G', &Machine::push_float},                             // BINFLOAT
      {'U', &Machine::push_text<NodeKind::Text, uint8_t>},     // SHORT_BINSTRING (Python 2)
      {'T', &Machine::push_text<NodeKind::Text, uint32_t>},    // BINSTRING (Python 2)
      {0x8C, &Machine::push_text<NodeKind::Text, uint8_t>},    // SHORT_BINUNICODE
      {'X', &Machine::push_text<NodeKind::Text, uint32_t>},    // BINUNICODE
      {0x8D, &Machine::push_text<NodeKind::Text, uint64_t>},   // BINUNICODE8
      {'C', &Machine::push_text<NodeKind::Bytes, uint8_t>},    // SHORT_BINBYTES
      {'B', &Machine::push_text<NodeKind::Bytes, uint32_t>},   // BINBYTES
      {0x8E, &Machine::push_text<NodeKind::Bytes, uint64_t>},  // BINBYTES8
      {0x96, &Machine::push_text<NodeKind::Bytes, uint64_t>},  // BYTEARRAY8
  };
  return kOps;
}

std::span<const Machine::Op> Machine::container_ops() {
  static constexpr Op kOps[] = {
      {'(', &Machine::mark},                             // MARK
      {'0', &Machine::pop},                              // POP
      {'1', &Machine::pop_mark},                         // POP_MARK
      {'2', &Machine::dup},                              // DUP
      {'h', &Machine::get<uint8_t>},                     // BINGET
      {'j', &Machine::get<uint32_t>},                    // LONG_BINGET
      {'q', &Machine::put<uint8_t>},                     // BINPUT
      {'r', &Machine::put<uint32_t>},                    // LONG_BINPUT
      {0x94, &Machine::memoize},                         // MEMOIZE
      {')', &Machine::push_empty<NodeKind::Tuple>},      // EMPTY_TUPLE
      {']', &Machine::push_empty<NodeKind::List>},       // EMPTY_LIST
      {'}', &Machine::push_empty<NodeKind::Dict>},       // EMPTY_DICT
      {0x8F, &Machine::push_empty<NodeKind::Set>},       // EMPTY_SET
      {'t', &Machine::push_from_mark<NodeKind::Tuple>},  // TUPLE
      {0x91, &Machine::push_from_mark<NodeKind::Set>},   // FROZENSET
      {0x85, &Machine::push_tuple<1>},                   // TUPLE1
      {0x86, &Machine::push_tuple<2>},                   // TUPLE2
      {0x87, &Machine::push_tuple<3>},                   // TUPLE3
      {'a', &Machine::extend<1>},                        // APPEND
      {'s', &Machine::extend<2>},                        // SETITEM
      {'e', &Machine::extend_from_mark},                 // APPENDS
      {'u', &Machine::extend_from_mark},                 // SETITEMS
      {0x90, &Machine::extend_from_mark},                // ADDITEMS
  };
  return kOps;
}

std::span<const Machine::Op> Machine::object_ops() {
  static constexpr Op kOps[] = {
      {'c', &Machine::push_global},               // GLOBAL
      {0x93, &Machine::push_stack_global},        // STACK_GLOBAL
      {'R', &Machine::push_call},                 // REDUCE
      {0x81, &Machine::push_call},                // NEWOBJ
      {0x92, &Machine::push_call_with_keywords},  // NEWOBJ_EX
      {'b', &Machine::build},                     // BUILD
      {'Q', &Machine::push_persistent},           // BINPERSID
  };
  return kOps;
}

const std::array<Machine::Handler, 256>& Machine::handlers() {
  static const auto table = [] {
    std::array<Handler, 256> out{};
    for (const auto ops : {value_ops(), container_ops(), object_ops()}) {
      for (const Op& op : ops) out[op.code] = op.handler;
    }
    return out;
  }();
  return table;
}

Result<PickleTree> Machine::run() {
  constexpr uint8_t kStop = '.';
  // Text opcodes of protocols 0 and 1, extension codes and out-of-band buffers: valid pickle, but nothing
  // torch.save writes.
  constexpr std::string_view kForeign = "ILFSVPigpldo\x82\x83\x84\x97\x98";
  for (;;) {
    const auto code = reader_.read<uint8_t>();
    if (!code) return cut_short();
    if (*code == kStop) break;
    const Handler handler = handlers()[*code];
    if (handler) {
      ZT_TRY((this->*handler)());
    } else if (kForeign.find(static_cast<char>(*code)) != std::string_view::npos) {
      return fail(ErrorCode::Unsupported,
                  fmt::format("{} uses pickle opcode 0x{:02x}, which torch.save does not write. Save the "
                              "state dict again from PyTorch.",
                              label_, *code));
    } else {
      return corrupt(fmt::format("0x{:02x} is not an opcode", *code));
    }
  }
  if (stack_.size() != 1 || !marks_.empty()) return corrupt("it does not end with one value");
  tree_.root = stack_.back();
  tree_.bytes_read = reader_.position();
  return std::move(tree_);
}

}  // namespace

std::string PickleTree::global_name(NodeId id) const {
  const PickleNode* node = &nodes[id];
  if (node->kind == NodeKind::Call) node = &nodes[node->items[0]];
  if (node->kind != NodeKind::Global) return "";
  const std::string joined = fmt::format("{}.{}", nodes[node->items[0]].text, nodes[node->items[1]].text);
  const std::string quoted = text::quoted(joined);
  return quoted.substr(1, quoted.rfind('"') - 1);
}

Result<PickleTree> parse_pickle(Bytes bytes, std::string_view label) {
  return Machine(bytes.first(std::min(bytes.size(), kMaxPickleBytes)), label).run();
}

}  // namespace zt::weights::internal
