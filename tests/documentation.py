"""Runs the SQL of the documentation as a newcomer would: every block, in order, in one database.

A block ```sql is run by psql; a block ```text right after it is what it must print. Blocks of other kinds are not
run. Run by `make test` with the environment of a server whose database is empty; ends with `N passed, N failed`.
"""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = ["README.md", "docs/document-store.md"]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def psql(script):
    command = [os.path.join(os.environ["BIN"], "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]
    run = subprocess.run(command, input=script, capture_output=True, text=True, cwd=ROOT)
    return run.returncode, run.stdout, run.stderr


def normal(text):
    return [line.rstrip() for line in text.strip().splitlines()]


def main():
    passed = failed = 0
    for document in DOCUMENTS:
        text = (ROOT / document).read_text()
        blocks = [(text.count("\n", 0, m.start()) + 1, m[1], m[2], m) for m in BLOCK.finditer(text)]
        for number, (line, kind, body, match) in enumerate(blocks):
            if kind != "sql":
                continue
            expected = None
            if number + 1 < len(blocks):
                _, next_kind, next_body, next_match = blocks[number + 1]
                if next_kind == "text" and not text[match.end() : next_match.start()].strip():
                    expected = next_body
            status, output, errors = psql(body)
            if status != 0:
                problem = errors
            elif expected is not None and normal(output) != normal(expected):
                problem = f"expected:\n{expected}\ngot:\n{output}"
            else:
                passed += 1
                print(f"ok: {document}:{line}")
                continue
            failed += 1
            print(f"FAILED: {document}:{line}\n{body}\n{problem}")
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
