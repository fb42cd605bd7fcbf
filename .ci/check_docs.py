#!/usr/bin/env python3
"""Checks the Markdown files of the repository. Needs Python 3.10 or later, and nothing else.

- A relative link must name a file or directory that exists.
- An anchor must name a heading of its target.
- A path in backticks, such as `crates/core/src/id.rs`, must exist.

Links to other sites are not followed: CI must not depend on them.
"""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^ {0,3}(```|~~~)")
LINK = re.compile(r"\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?\s*$")
HTML_LINK = re.compile(r"(?:href|src|srcset)=\"([^\"]+)\"")
CODE = re.compile(r"`([^`]+)`")
TOP = r"(?:\.ci|\.github|bench|contracts|crates|docs|events|examples|functions|local|schemas|tests)"
PATH = re.compile(rf"^{TOP}/[A-Za-z0-9_.\-/]*$")


def lines_of(path):
    """Returns the lines outside fenced code blocks, each with its number."""
    inside = False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if FENCE.match(line):
            inside = not inside
        elif not inside:
            yield number, line


def anchors(path):
    """Returns the anchors of the headings, as GitHub makes them."""
    found, seen = set(), {}
    for _, line in lines_of(path):
        heading = re.match(r"^#{1,6}\s+(.*?)\s*#*$", line)
        if heading:
            text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.group(1)).replace("`", "")
            slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            count = seen.get(slug, 0)
            seen[slug] = count + 1
            found.add(slug if count == 0 else f"{slug}-{count}")
        found.update(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", line))
    return found


def problems(path):
    """Yields what is wrong in one file: the line number and the message."""
    for number, line in lines_of(path):
        prose = CODE.sub("``", line)
        targets = LINK.findall(prose) + REFERENCE.findall(prose) + HTML_LINK.findall(prose)
        # A link whose text is code, such as [`a.md`](a.md), survives the substitution above.
        for target in targets:
            if re.match(r"^[a-z][a-z0-9+.-]*:", target):
                continue
            name, _, anchor = target.partition("#")
            base = ROOT if name.startswith("/") else path.parent
            file = (base / unquote(name).lstrip("/")) if name else path
            if not file.exists():
                yield number, f"broken link: {target}"
            elif anchor and file.suffix == ".md" and anchor not in anchors(file):
                yield number, f"no such heading: {target}"
        for code in CODE.findall(line):
            if PATH.match(code) and "..." not in code and not (ROOT / code).exists():
                yield number, f"no such file: {code}"


def main():
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    names = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")
    files = sorted({ROOT / name for name in names if name and (ROOT / name).exists()})
    count = 0
    for file in files:
        for number, message in problems(file):
            print(f"{file.relative_to(ROOT)}:{number}: {message}", file=sys.stderr)
            count += 1
    print(f"{len(files)} Markdown files, {count} problems")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
