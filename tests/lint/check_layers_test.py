#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_layers.py finds each kind of offence in a small tree made for it, and nothing in a clean one."""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/check_layers.py"
SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
LAYERS = 'set(ZT_LAYERS\n  "base common 0"\n  "media common 2"\n  "cli control 5"\n  "tensor compute 2"\n)\n'


class CheckLayers(unittest.TestCase):
    def findings(self, files):
        """What the script prints for a tree of these files over a clean one."""
        tree = {"cmake/layers.cmake": LAYERS,
                "src/base/CMakeLists.txt": "zt_library(base SOURCES a.cpp)\n",
                "src/media/CMakeLists.txt": "zt_library(media SOURCES m.cpp DEPS base)\n",
                "src/base/a.hpp": SPDX}
        tree.update(files)
        with tempfile.TemporaryDirectory() as folder:
            for name, text in tree.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            done = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 1 if done.stdout else 0)
            return done.stdout

    def test_clean_tree(self):
        self.assertEqual(self.findings({"src/media/m.cpp": SPDX + '#include "base/a.hpp"\n'}), "")

    def test_upward_include(self):
        self.assertIn("base (level 0) may not use media (level 2)",
                      self.findings({"src/base/a.cpp": SPDX + '#include "media/m.hpp"\n'}))

    def test_other_plane(self):
        self.assertIn("may not use tensor (compute plane)",
                      self.findings({"src/cli/c.cpp": SPDX + '#include "tensor/t.hpp"\n'}))

    def test_unnamed_dependency(self):
        self.assertIn("does not name in DEPS", self.findings({
            "src/cli/CMakeLists.txt": "zt_library(cli SOURCES c.cpp DEPS base)\n",
            "src/cli/c.cpp": SPDX + '#include "media/m.hpp"\n'}))

    def test_internal_header(self):
        self.assertIn("is internal to base",
                      self.findings({"src/media/m.cpp": SPDX + '#include "base/internal/b.hpp"\n'}))

    def test_internal_header_of_a_subfolder(self):
        include = SPDX + '#include "media/files/internal/b.hpp"\n'
        self.assertIn("is internal to media/files", self.findings({"src/media/m.cpp": include}))
        self.assertIn("is internal to media/files", self.findings({"src/media/stills/m.cpp": include}))
        self.assertEqual(self.findings({"src/media/files/deep/m.cpp": include}), "")

    def test_folder_of_too_many_files(self):
        def folder_of(count):
            return {f"src/media/files/m{i}.hpp": SPDX for i in range(count)}
        uncounted = {"src/media/files/m_test.cpp": SPDX, **{f"src/media/testdata/{i}.png": "" for i in range(30)}}
        self.assertEqual(self.findings({**folder_of(25), **uncounted}), "")
        self.assertEqual(self.findings(folder_of(26)),
                         "src/media/files: 26 files besides tests: at most 25, make subfolders by what they are for\n")

    def test_own_header_comes_first(self):
        late = SPDX + '#include <vector>\n\n#include "base/a.hpp"\n'
        self.assertIn("a.cpp:2: the first include must be base/a.hpp", self.findings({"src/base/a.cpp": late}))
        self.assertIn("a.cpp:1: the first include", self.findings({"src/base/a.cpp": SPDX + "int x;\n"}))
        self.assertEqual(self.findings({"src/base/a.cpp": SPDX + '#include "base/a.hpp"\n#include <vector>\n'}), "")

    def test_standard_headers_of_a_header(self):
        header = SPDX + "#include <vector>\nstd::vector<std::string> names(size_t count);  // std::map\n"
        found = self.findings({"src/base/a.hpp": header})
        self.assertEqual([line.split(": ")[1] for line in found.splitlines()],
                         ["string wants #include <string>", "size_t wants #include <cstddef>"])
        self.assertIn("which header has std::regex?", self.findings({"src/base/a.hpp": SPDX + "std::regex r;\n"}))
        self.assertEqual(self.findings({"src/base/b.cpp": SPDX + "std::vector<int> v;\n"}), "")

    def test_long_file(self):
        self.assertIn("501 lines", self.findings({"src/base/a.cpp": SPDX + '#include "base/a.hpp"\n' + "int x;\n" * 499}))

    def test_long_function(self):
        body = SPDX + '#include "base/a.hpp"\n' + "int f(int a,\n      int b) {\n" + "  g();\n" * 60 + "}\n"
        self.assertIn("a function of 63 lines", self.findings({"src/base/a.cpp": body}))

    def test_short_function_after_declarations(self):
        body = SPDX + '#include "base/a.hpp"\n' + "int g(int a,\n      int b);\n" + "int x;\n" * 100 + "int f() {\n  return 1;\n}\n"
        self.assertEqual(self.findings({"src/base/a.cpp": body}), "")

    def test_missing_licence_heavy_header_and_empty_name(self):
        found = self.findings({"src/base/utils.cpp": "#include <torch/torch.h>\n"})
        for words in ("SPDX", "narrow headers", "says nothing"):
            self.assertIn(words, found)


if __name__ == "__main__":
    unittest.main()
