// SPDX-License-Identifier: Apache-2.0
// What a job struct's describe() lists: per field its key, member, help, unit, range, whether it names a
// path, and resume rule. Reading, --set, help, docs, JSON schema, freezing, digest and the resume check all
// walk this one listing.
//
//   void describe(Listing& listing, CheckpointJob& job) {
//     listing.field("keep_last", job.keep_last, {.help = "newest checkpoints kept", .min = 1, .resume =
//     Resume::Allow});
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "config/enum_names.hpp"

namespace zt::config {

/// Whether a run may be resumed with another value.
enum class Resume {
  Refuse,
  Allow,
  IfEmpty,  ///< a text that says nothing yet: an import may have no data
};

/// Whether a text, or each text of a list, names a file or folder: one that must be there, or one that is
/// made.
enum class Names { NoPath, Input, Output };

/// Texts point at literals. A range holds for a number, and for each number of a list.
struct About {
  std::string_view help;
  std::string_view unit = "";
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  size_t count = 0;  ///< a list has exactly this many items; 0 = any number
  Names names = Names::NoPath;
  Resume resume = Resume::Refuse;
  std::string (*problem)(const std::string& text) = nullptr;  ///< why a text won't do; "" if it does
};

/// An enum member with its type erased.
struct Choice {
  void* member;
  std::span<const std::string_view> names;
  size_t (*get)(const void* member);
  void (*set)(void* member, size_t index);
};

using Member = std::variant<bool*, int64_t*, double*, std::string*, std::vector<int64_t>*,
                            std::vector<double>*, std::vector<std::string>*, Choice>;

struct Field {
  std::string key;  ///< dotted, from the job's root
  Member member;    ///< points into the described job
  About about;
};

struct Section {
  std::string key;  ///< dotted
  std::string_view help;
};

/// The fields of one job object, in the order of its describe(). Must not outlive the object.
class Listing {
 public:
  template <class T>
  void field(std::string_view key, T& member, const About& about) {
    fields_.push_back({prefix_ + std::string(key), bind(member), about});
  }

  template <class T>
  void section(std::string_view key, T& member, std::string_view help) {
    const std::string outer = std::exchange(prefix_, prefix_ + std::string(key) + ".");
    sections_.push_back({outer + std::string(key), help});
    describe(*this, member);
    prefix_ = outer;
  }

  const std::vector<Field>& fields() const { return fields_; }
  const std::vector<Section>& sections() const { return sections_; }
  /// Null when there is none of that dotted key.
  const Field* find(std::string_view key) const;
  bool has_section(std::string_view key) const;

 private:
  template <class T>
  static Member bind(T& member) {
    if constexpr (std::is_enum_v<T>)
      return Choice{&member, EnumNames<T>::values,
                    [](const void* m) { return static_cast<size_t>(*static_cast<const T*>(m)); },
                    [](void* m, size_t index) { *static_cast<T*>(m) = static_cast<T>(index); }};
    else
      return &member;
  }

  std::string prefix_;
  std::vector<Field> fields_;
  std::vector<Section> sections_;
};

/// All fields of a job, bound to it.
template <class Job>
Listing list(Job& job) {
  Listing listing;
  describe(listing, job);
  return listing;
}

}  // namespace zt::config
