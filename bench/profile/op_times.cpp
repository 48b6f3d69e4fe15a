// SPDX-License-Identifier: Apache-2.0
// Preloaded into zoetrope-worker by bench/profile/ops: counts every libtorch operation and its own time
// (without that of operations inside it) and writes a table, longest first, to $OP_TIMES at exit. Counts from
// the start of the process. With OP_SHAPES=1 the same operation on other sizes is a row of its own.
#include <ATen/record_function.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Total {
  int64_t calls = 0;
  double seconds = 0;
};

std::mutex g_mutex;
std::map<std::string, Total>& totals() {
  static auto* const map = new std::map<std::string, Total>;  // never destroyed: threads outlive statics
  return *map;
}

thread_local double t_inner_s = 0;  ///< of the operations inside the running one

struct Call final : at::ObserverContext {
  explicit Call(std::string row) : name(std::move(row)) {}
  std::string name;
  Clock::time_point start = Clock::now();
  double outer_inner_s = std::exchange(t_inner_s, 0.0);
};

const bool g_by_shape = std::getenv("OP_SHAPES") != nullptr;

/// The operation's name, with the sizes of its tensors where rows are by size.
std::string row_name(const at::RecordFunction& op) {
  std::string name = op.name();
  if (!g_by_shape) return name;
  for (const c10::IValue& input : op.inputs()) {
    if (!input.isTensor() || !input.toTensor().defined()) continue;
    name += " ";
    for (const int64_t size : input.toTensor().sizes()) name += std::to_string(size) + "x";
    if (name.back() == 'x') name.pop_back();
  }
  return name;
}

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& op) {
  return std::make_unique<Call>(row_name(op));
}

void end(const at::RecordFunction&, at::ObserverContext* context) {
  const auto& call = static_cast<const Call&>(*context);
  const double seconds = std::chrono::duration<double>(Clock::now() - call.start).count();
  {
    const std::lock_guard lock(g_mutex);
    Total& total = totals()[call.name];
    ++total.calls;
    total.seconds += seconds - t_inner_s;
  }
  t_inner_s = call.outer_inner_s + seconds;
}

void write_table() {
  const char* path = std::getenv("OP_TIMES");
  std::FILE* file = path ? std::fopen(path, "w") : nullptr;
  if (!file) return;
  std::vector<std::pair<std::string, Total>> rows(totals().begin(), totals().end());
  std::sort(rows.begin(), rows.end(),
            [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  for (const auto& [name, total] : rows)
    std::fprintf(file, "%s\t%lld\t%.6f\n", name.c_str(), static_cast<long long>(total.calls), total.seconds);
  std::fclose(file);
}

[[maybe_unused]] const bool g_is_installed = [] {
  at::addGlobalCallback(at::RecordFunctionCallback(begin, end)
                            .needsInputs(g_by_shape)
                            .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
  std::at_quick_exit(write_table);  // the worker does not run other handlers
  return true;
}();

}  // namespace
