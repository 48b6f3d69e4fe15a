#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks every #include and the shape of every source file of src/ against the rules the build cannot see.

- An include of another folder must be a lower level of the same plane or of "common" (cmake/layers.cmake) and be named in
  the DEPS of the including folder's CMakeLists.txt; "internal/" belongs to the folder or subfolder that it lies in alone.
- No folder, or subfolder, with more than 25 files; tests and their data do not count.
- No file over 500 lines (tests 600), no function over 60 (tests may hold longer tables), an SPDX line first, no torch/torch.h, no file called
  utils, helper, manager or common.
- at::parallel_for is serial in a file compiled without OpenMP: tensor/parallel.hpp is the one that is not.
- x.cpp includes x.hpp before anything else, and x.hpp includes the standard headers whose names it uses. (That it compiles
  alone is cmake/check_headers.cmake's to prove, where the standard headers are precompiled.)
Prints one line per finding, "path:line: what"; exit code 1 if there is any. Usage: check_layers.py [ROOT]
"""
import re
import sys
from pathlib import Path

MAX_LINES, MAX_TEST_LINES, MAX_FUNCTION, MAX_FILES = 500, 600, 60, 25
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
STANDARD = {  # header: names of namespace std that the headers of src/ use
    "algorithm": "clamp max min", "array": "array", "atomic": "atomic memory_order_relaxed", "bit": "bit_cast bit_floor endian",
    "chrono": "chrono", "cmath": "ceil cos floor log lround sin sqrt", "concepts": "integral", "cstddef": "byte size_t",
    "condition_variable": "condition_variable", "cstdint": "int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t",
    "cstring": "memcpy", "ctime": "tm", "deque": "deque", "exception": "exception", "filesystem": "filesystem",
    "fstream": "ifstream ofstream", "functional": "function less", "future": "future",
    "initializer_list": "initializer_list", "ios": "streamoff", "iterator": "ssize", "limits": "numeric_limits", "list": "list", "map": "map",
    "memory": "enable_shared_from_this make_shared make_unique shared_ptr unique_ptr", "mutex": "mutex once_flag",
    "numbers": "numbers", "optional": "nullopt optional", "set": "set", "span": "as_bytes span", "sstream": "ostringstream",
    "stdexcept": "invalid_argument logic_error runtime_error", "string": "string", "string_view": "string_view",
    "thread": "this_thread thread", "tuple": "tuple", "type_traits": "is_arithmetic_v is_enum_v is_same_v is_trivially_copyable_v",
    "unordered_map": "unordered_map", "utility": "exchange forward in_range move pair", "variant": "variant",
    "vector": "vector"}
HEADER_OF = {name: header for header, names in STANDARD.items() for name in names.split()}
STANDARD_NAME = re.compile(r"\bstd::(\w+)|(?<!:)\b(u?int(?:8|16|32|64)_t|size_t)\b")
BANNED_NAMES = re.compile(r"(utils?|helpers?|manager|common)\b")


def read_layers(root):
    """folder -> (plane, level)"""
    rows = re.findall(r'^\s*"(\w+)\s+(\w+)\s+(\d+)"', (root / "cmake/layers.cmake").read_text(), re.M)
    return {folder: (plane, int(level)) for folder, plane, level in rows}


def read_deps(root):
    """folder -> folders named in DEPS of its library or programs"""
    deps = {}
    for path in (root / "src").glob("*/CMakeLists.txt"):
        text = re.sub(r"#.*", "", path.read_text())
        named = set()
        for words in re.findall(r"\bDEPS\s+((?:[a-z_]+\s*)+)", text):
            named.update(words.split())
        deps[path.parent.name] = named
    return deps


def edge_problem(layers, deps, folder, other):
    if other not in layers:
        return f"'{other}' is no folder of cmake/layers.cmake"
    plane, level = layers[folder]
    other_plane, other_level = layers[other]
    if other_plane not in ("common", plane):
        return f"{folder} ({plane} plane) may not use {other} ({other_plane} plane)"
    if other_level >= level:
        return f"{folder} (level {level}) may not use {other} (level {other_level})"
    if other not in deps.get(folder, ()):
        return f"{folder} uses {other}, which its CMakeLists.txt does not name in DEPS"
    return None


def check_includes(path, folder, root, lines, layers, deps):
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        kind, name = match.groups()
        if name in ("torch/torch.h", "torch/all.h", "torch/extension.h"):
            yield number, f"{name} costs 20 s a file: include the narrow headers"
        if name == "ATen/ATen.h" and path.suffix == ".hpp":
            yield number, f"{name} costs 6 s a file in a header: include ATen/core/Tensor.h"
        if kind == "<" or "/" not in name:
            continue
        other = name.split("/")[0]
        if path.name.endswith("_test.cpp"):
            if other != folder and other in layers and layers[other][0] not in ("common", layers[folder][0]):
                yield number, f"a test of {folder} may not use {other} ({layers[other][0]} plane)"
            continue
        problem = edge_problem(layers, deps, folder, other) if other != folder else None
        if problem:
            yield number, problem
        owner = name.rpartition("/internal/")[0]
        if owner and root / "src" / owner not in path.parents:
            yield number, f"{name} is internal to {owner}"


def check_standard_headers(path, lines):
    """A header names what it uses: one that leaned on another's includes would compile behind the precompiled ones."""
    if path.suffix != ".hpp":
        return
    included = {match.group(2) for match in map(INCLUDE.match, lines) if match}
    for number, line in enumerate(lines, 1):
        for match in STANDARD_NAME.finditer(line.split("//")[0]):
            name = match.group(1) or match.group(2)
            if name not in HEADER_OF:
                yield number, f"which header has std::{name}? Add it to STANDARD in scripts/check_layers.py"
            elif HEADER_OF[name] not in included:
                included.add(HEADER_OF[name])
                yield number, f"{name} wants #include <{HEADER_OF[name]}>"


def check_own_header(path, root, lines):
    own = path.with_suffix(".hpp")
    if path.suffix != ".cpp" or not own.exists():
        return
    first = next(((n, m) for n, m in ((n, INCLUDE.match(line)) for n, line in enumerate(lines, 1)) if m), None)
    name = own.relative_to(root / "src").as_posix()
    if first is None or first[1].group(2) != name:
        yield first[0] if first else 1, f"the first include must be {name}"


def check_functions(lines):
    """Functions start in column 0 in the house format and end with a brace there."""
    start = None
    for number, line in enumerate(lines, 1):
        opens = line.endswith("{") and not line.startswith((" ", "}", "#"))
        if opens and not re.match(r"(namespace|struct|class|enum|union|extern|constexpr|const|static const)\b", line):
            start = start or number
        elif line and line[0].isalpha() and line.endswith(("(", ",")):
            start = start or number  # a signature over several lines
        if start and line.startswith("}"):
            if number - start + 1 > MAX_FUNCTION:
                yield start, f"a function of {number - start + 1} lines: at most {MAX_FUNCTION}"
            start = None
        elif start and line.endswith(";") and not line.startswith(" "):
            start = None


def check_file(path, folder, root, layers, deps):
    lines = path.read_text(encoding="utf-8").splitlines()
    limit = MAX_TEST_LINES if path.name.endswith("_test.cpp") else MAX_LINES
    if len(lines) > limit:
        yield 1, f"{len(lines)} lines: at most {limit}"
    if not lines or "SPDX-License-Identifier: Apache-2.0" not in lines[0]:
        yield 1, "the first line must be the SPDX line"
    if BANNED_NAMES.match(path.stem):
        yield 1, f"'{path.stem}' says nothing: name the file after what it holds"
    if path.relative_to(root / "src").as_posix() != "tensor/parallel.cpp":
        for number, line in enumerate(lines, 1):
            if "at::parallel_for(" in line:
                yield number, "at::parallel_for is serial here: call tensor::parallel_for (tensor/parallel.hpp)"
    yield from check_own_header(path, root, lines)
    yield from check_standard_headers(path, lines)
    yield from check_includes(path, folder, root, lines, layers, deps)
    if not path.name.endswith("_test.cpp"):
        yield from check_functions(lines)


def check_folder_sizes(root):
    """The folders with more files than one finds one's way in."""
    source = root / "src"
    for folder in sorted(p for p in source.rglob("*") if p.is_dir()):
        if "testdata" in folder.relative_to(source).parts:
            continue
        count = sum(1 for p in folder.iterdir() if p.is_file() and not p.name.endswith("_test.cpp"))
        if count > MAX_FILES:
            yield folder, f"{count} files besides tests: at most {MAX_FILES}, make subfolders by what they are for"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    layers, deps = read_layers(root), read_deps(root)
    findings = 0
    files = sorted(p for p in (root / "src").rglob("*") if p.suffix in (".hpp", ".cpp", ".cu", ".cuh"))
    for path in files:
        folder = path.relative_to(root / "src").parts[0]
        if folder not in layers:
            print(f"{path.relative_to(root)}:1: folder '{folder}' is not in cmake/layers.cmake")
            findings += 1
            continue
        for number, what in check_file(path, folder, root, layers, deps):
            print(f"{path.relative_to(root)}:{number}: {what}")
            findings += 1
    for path, what in check_folder_sizes(root):
        print(f"{path.relative_to(root)}: {what}")
        findings += 1
    print(f"{len(files)} files checked, {findings} findings", file=sys.stderr)
    return 1 if findings or not files else 0


if __name__ == "__main__":
    sys.exit(main())
