#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that the documents at the root and under docs/ still tell the truth about the tree.

- ARCHITECTURE.md names every folder and subfolder of src/ (but internal/ and those of test data) and has at most 200 lines, CONTRIBUTING.md at most 150.
- Every path in backquotes that begins with a folder of the tree exists ("<...>" and "*" stand for anything).
- Every relative link of a Markdown file leads to a file.
Prints one line per finding; exit code 1 if there is any. Usage: check_documents.py [ROOT]
"""
import re
import sys
from pathlib import Path

LIMITS = {"ARCHITECTURE.md": 200, "CONTRIBUTING.md": 150}
PATH = re.compile(r"`((?:src|scripts|cmake|tests|docs|configs|bench|fuzz)/[\w./-]*)`")
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)")


def documents(root):
    yield from sorted(root.glob("*.md"))
    yield from sorted((root / "docs").rglob("*.md"))


def check(root, path):
    lines = path.read_text(encoding="utf-8").splitlines()
    limit = LIMITS.get(path.name)
    if limit and len(lines) > limit:
        yield 1, f"{len(lines)} lines: at most {limit}"
    for number, line in enumerate(lines, 1):
        for name in PATH.findall(line):
            if not (root / name).exists():
                yield number, f"{name} does not exist"
        for target in LINK.findall(line):
            if not (path.parent / target).exists():
                yield number, f"the link to {target} leads nowhere"


def unnamed_folders(root):
    text = (root / "ARCHITECTURE.md").read_text(encoding="utf-8")
    source = root / "src"
    for folder in sorted(p.relative_to(source) for p in source.rglob("*") if p.is_dir()):
        is_detail = {"internal", "testdata", "gloo_headers"} & set(folder.parts)
        if not is_detail and not re.search(rf"`(src/)?{folder.as_posix()}/?`", text):
            yield f"ARCHITECTURE.md:1: folder src/{folder} is not named"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    findings = [f"{path.relative_to(root)}:{number}: {what}"
                for path in documents(root) for number, what in check(root, path)]
    for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"):
        if not (root / name).is_file():
            findings.append(f"{name}: is missing")
    if (root / "ARCHITECTURE.md").is_file():
        findings += unnamed_folders(root)
    print("\n".join(findings) if findings else "documents agree with the tree")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
