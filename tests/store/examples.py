"""Runs the programs of examples/ as a reader would, and looks at what they print.

First all of examples/README.md, from top to bottom in one shell: a block ```text is what the block ```sh before it must
print. Then each program with more arguments, and with mistakes. They run in a copy of the project in CACHE, where what
they need (a virtual environment, node_modules, compiled dependencies) stays for the next time.

Needs the environment of a server whose database is empty, and CACHE; npm, cargo and go.
"""

import gzip
import hashlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psycopg

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "cluster"))
from common import Checks  # noqa: E402

CACHE = pathlib.Path(os.environ["CACHE"]) / "examples"
PROJECT = CACHE / "project"
EXAMPLES = PROJECT / "examples"
VENV = EXAMPLES / "python" / ".venv"
BUILT = {".venv", "node_modules", "target", "__pycache__"}
TEXTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md")]
ENVIRONMENT = os.environ | {
    "PATH": f"{os.environ['BIN']}:{os.environ['PATH']}",
    "CARGO_TARGET_DIR": str(CACHE / "target"),
    "GOCACHE": str(CACHE / "go"),
    "GOFLAGS": "",
    "PSQLRC": "/dev/null",
    "HF_HUB_OFFLINE": "1",
    # Threads that wait for each other on a machine that does other things take many times as long.
    "OPENBLAS_NUM_THREADS": "1",
}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEY = "0123456789abcdef" * 2  # of tests/store/chromem.gob.gz.enc

checks = Checks()


def files_of(directory):
    return {path for path in directory.rglob("*") if path.is_file() and not BUILT & set(path.relative_to(directory).parts)}


def copy_project():
    """Makes PROJECT a copy; files that are the same are left alone, so that cargo has nothing to do."""
    sources = {*TEXTS, *(path for name in ("examples", "demo", "tests/store") for path in files_of(ROOT / name))}
    wanted = {PROJECT / source.relative_to(ROOT): source for source in sources}
    for path in files_of(PROJECT) - wanted.keys():
        path.unlink()
    for path, source in wanted.items():
        content = source.read_bytes()
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def run(*command, **environment):
    """Exit status, output and errors of a program."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=ENVIRONMENT | environment)
    return done.returncode, done.stdout, done.stderr


def expect(what, got, pattern, fails=False):
    """A program ends as it should, and prints something that the pattern is in (if it fails, as an error). Its output."""
    status, output, errors = got
    text = errors if fails else output
    right = (status != 0) == fails and re.search(pattern, text) and "Traceback" not in errors
    checks.check(what, not right and f"status {status}, no {pattern!r} in\n{text}\n{errors if not fails else output}")
    return output


def same(what, got, right):
    checks.check(what, got != right and f"{str(got)[:2000]}\ninstead of\n{str(right)[:2000]}")


# README.md


def readme():
    text = (EXAMPLES / "README.md").read_text()
    requirements = b"".join(path.read_bytes() for path in sorted((EXAMPLES / "python").glob("requirements*.txt")))
    stamp = VENV / hashlib.sha256(requirements).hexdigest()[:16]
    if stamp.exists():
        text = re.sub(r"^(python3 -m venv|\S*/pip install) .*$", "# done before", text, flags=re.MULTILINE)
    else:
        shutil.rmtree(VENV, ignore_errors=True)
    blocks = [(text.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in BLOCK.finditer(text)]
    script, expected = "set -e\n", {}
    for number, (line, kind, body) in enumerate(blocks):
        if kind == "sh":
            script += f"echo '### {line}'\n{body}"
            if blocks[number + 1 : number + 2] and blocks[number + 1][1] == "text":
                expected[line] = blocks[number + 1][2]
    done = subprocess.run(["bash", "-c", script], cwd=EXAMPLES, env=ENVIRONMENT, capture_output=True, text=True)
    parts = re.split(r"^### (\d+)\n", done.stdout, flags=re.MULTILINE)[1:]
    printed = {int(line): output for line, output in zip(parts[::2], parts[1::2])}
    for line, kind, body in blocks:
        if kind != "sh":
            continue
        problem = None
        if line not in printed:
            problem = "not reached"
        elif line in expected and normal(printed[line]) != normal(expected[line]):
            problem = f"expected:\n{expected[line]}\ngot:\n{printed[line]}"
        elif done.returncode and line == max(printed):
            problem = f"{printed[line]}\n{done.stderr}"
        checks.check(f"README.md:{line}", problem)
    if done.returncode:
        return False
    stamp.touch()
    return True


def normal(text):
    return [line.rstrip() for line in text.strip().splitlines()]


# python/document_search.py


def hits(output):
    """Pairs of score and id."""
    return [(float(score), id) for score, id in re.findall(r"^(-?\d+\.\d{3})  (\S+)  ", output, re.MULTILINE)]


def document_search(connection, directory):
    def search(*arguments, **environment):
        return run(VENV / "bin/python", EXAMPLES / "python/document_search.py", *arguments, **environment)

    def found(what, *arguments):
        return hits(expect(what, search("search", *arguments), r"^\d\.\d{3}  "))

    folder = directory / "folder"
    (folder / "docs").mkdir(parents=True)
    for path in TEXTS:
        shutil.copy(path, folder / path.relative_to(ROOT))
    (folder / "kitchen.txt").write_text(
        "Grind the beans finely, press them into the basket and let hot water through: an espresso is ready in half a"
        " minute.\n\n# Bread\nKnead flour, water, salt and yeast; let the dough rise, and bake the loaf until it is brown.\n"
        "# Dessert\nWhisk yolks, sugar and Marsala over hot water: that is a zabaglione.\n"
    )
    (folder / "notes").mkdir()
    (folder / "notes/garden.md").write_text("# Roses\n```sh\n# no heading\n\nwater roses\n```\nPrune roses in late winter.\n")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    (folder / "utf16.txt").write_text("No text in UTF-8", "utf-16")
    (folder / "marked.txt").write_text("# With a mark\nA byte order mark before the first heading.\n", "utf-8-sig")
    (folder / os.fsdecode(b"caf\xe9.md")).write_text("A name in Latin-1.\n")

    got = search("add", folder)
    output = expect("add", got, r"^(\d+) passages: \1 added, 0 replaced, 0 removed\n$")
    same("add: what is left out", sorted(re.findall(r"^left out: '(.*)', which", got[2], re.MULTILINE)), ["caf\\udce9.md", "utf16.txt"])
    same("add: the mark", connection.execute("SELECT metadata ->> 'heading' FROM vera.get_document('passages', 'marked.txt#1')").fetchone(),
         ("With a mark",))
    total = int(output.split()[0])
    output = expect("list", search("list"), r"\nnotes/garden.md: 1 passages, 12 words\n")
    listed = {file: int(count) for file, count in re.findall(r"^(\S+): (\d+) passages, \d+ words$", output, re.MULTILINE)}
    files = [path.relative_to(folder).as_posix() for path in folder.rglob("*")
             if path.suffix in (".md", ".txt") and path.name.isprintable() and path.name != "utf16.txt"]
    same("list: all files", sorted(listed), sorted(files))
    same("list: all passages", sum(listed.values()), total)
    expect("add, with nothing new", search("add", folder), f"^{total} passages: 0 added, 0 replaced, 0 removed\n$")
    content, metadata = connection.execute(
        "SELECT content, metadata FROM vera.get_document('passages', 'notes/garden.md#1')").fetchone()
    same("a passage", metadata, {"file": "notes/garden.md", "heading": "Roses", "passage": 1, "words": 12})
    same("a passage with code", content, "```sh\n# no heading\n\nwater roses\n```\n\nPrune roses in late winter.")

    nearest = found("search", "how to make coffee")
    same("search: the best", nearest[0][1], "kitchen.txt#1")
    same("search: best first", nearest, sorted(nearest, reverse=True))
    same("search: five", len(nearest), 5)
    nearest = found("search in the documentation", "Can I look at one tenant only?", "-k", "3")
    about = connection.execute(
        "SELECT count(*) FROM vera.get_documents('passages', %s, where_document => '{\"$contains\": \"tenant\"}')",
        ([id for _, id in nearest],)).fetchone()[0]
    checks.check("search in the documentation: about tenants", about == 0 and nearest)
    nearest = found("filter", "how to make coffee",
                    "--filter", '{"file": {"$in": ["README.md", "kitchen.txt"]}, "words": {"$gte": 20}}')
    same("filter: the best", nearest[0][1], "kitchen.txt#1")
    same("filter: five that pass it", connection.execute(
        "SELECT count(*) FROM vera.get_documents('passages', %s) WHERE (metadata ->> 'words')::integer >= 20"
        " AND metadata ->> 'file' IN ('README.md', 'kitchen.txt')", ([id for _, id in nearest],)).fetchone()[0], 5)
    nearest = found("containing", "how to make coffee", "--containing", "dough")
    same("containing: the passage", [id for _, id in nearest], ["kitchen.txt#2"])
    nearest = found("hybrid", "what is zabaglione?", "--hybrid")
    same("hybrid: the word", nearest[0][1], "kitchen.txt#3")
    nearest = found("diverse", "how to make coffee", "--diverse", "-k", "4")
    same("diverse: the best", nearest[0][1], "kitchen.txt#1")
    same("diverse: four", len({id for _, id in nearest}), 4)
    nearest = hits(expect("like", search("like", "kitchen.txt#2", "-k", "2"), r"^0\.\d{3}  "))
    same("like: the kitchen", sorted(id for _, id in nearest), ["kitchen.txt#1", "kitchen.txt#3"])

    (folder / "kitchen.txt").write_text("Let the dough rise.\n\nBake the bread.\n")
    (folder / "notes/garden.md").unlink()
    expect("add, after changes", search("add", folder), f"^{total - 3} passages: 0 added, 1 replaced, 3 removed\n$")
    nearest = found("search, after changes", "baking", "-k", "1")
    same("search, after changes: the new text", nearest[0][1], "kitchen.txt#1")
    expect("remove", search("remove", "kitchen.txt"), "^1 passages removed\n$")
    fails = [
        (("remove", "kitchen.txt"), "no file kitchen.txt"),
        (("search", "x", "--filter", '{"file": {"$foo": 1}}'), r'unknown operator "\$foo"'),
        (("like", "x#1"), 'no document "x#1"'),
        (("add", directory / "nothing"), "no text in"),
    ]
    for arguments, message in fails:
        expect(f"{arguments} fails", search(*arguments), message, fails=True)
    expect("forget", search("forget"), "^collection passages deleted\n$")
    expect("search without a collection", search("search", "x"), 'collection "passages" does not exist\nhint: ', fails=True)
    expect("no server", search("list", PGHOST="/nowhere"), "^error: conn", fails=True)


# node and rust: README.md has what they print.


def without_server(_connection, _directory):
    program = ["node", EXAMPLES / "node/dictionary.js"]
    expect("node without a server", run(*program, PGHOST="/nowhere"), "^error: connect ENOENT", fails=True)
    expect("node without a server at a name", run(*program, PGHOST="localhost", PGPORT="1"), "^error: connect ECONNREFUSED", fails=True)
    program = ["cargo", "run", "--quiet", "--release", "--manifest-path", EXAMPLES / "rust/Cargo.toml"]
    expect("rust without a server", run(*program, PGHOST="/nowhere"), "^error: error connecting to server: ", fails=True)


# python/import_vectors.py and go/chromem_to_jsonl.go


def importer(*arguments, **environment):
    return run(VENV / "bin/python", EXAMPLES / "python/import_vectors.py", *arguments, **environment)


def contents(connection, collection):
    """All of a collection, with vectors as text, which is exact."""
    return connection.execute(
        "SELECT id, content, embedding::text, metadata, created_at FROM vera.get_documents(%s)", (collection,)).fetchall()


def imported(connection, what, collection, source, count, *arguments):
    """Imports twice; the collection."""
    expect(f"import {what}", importer("import", collection, source, *arguments), f"^{count} added, 0 replaced\n$")
    first = contents(connection, collection)
    expect(f"import {what} again", importer("import", collection, source, *arguments), f"^0 added, {count} replaced\n$")
    again = contents(connection, collection)
    same(f"import {what} again: the same", without_times(again), without_times(first))
    return again


def without_times(rows):
    return [row[:4] for row in rows]


def metric(connection, collection):
    return connection.execute("SELECT metric FROM vera.collection_info(%s)", (collection,)).fetchone()[0]


def round_trip(connection, directory):
    lines = [
        {"id": 3, "content": "", "created_at": "1999-12-31"},
        {"id": "a", "content": "An \\ \"apple\"\n\té日本\u2028", "embedding": [1, 1e-7, 3.3333333333],
         "metadata": {"n": [1, None, True, {"x": 0.1}], "big": 10**30, "text": "\\n\u0001", "exact": "EXACT"},
         "created_at": "2026-01-02T03:04:05.123456+02:00"},
        {"id": "b", "embedding": [-0.0, 3.4028234e38, 1e-45], "tag": "other"},
    ]
    # Of numbers, PostgreSQL keeps all digits.
    sys.set_int_max_str_digits(0)
    exact = '[1700000000.123456789, 1.10, 1e-400, 1e400, -0.0, 12345678901234567890.5, ' + "9" * 5000 + "]"
    (directory / "a.jsonl").write_text("".join(json.dumps(line).replace('"EXACT"', exact) + "\n" for line in lines))
    got = imported(connection, "JSON Lines", "one", directory / "a.jsonl", 3)
    same("import JSON Lines: the documents", without_times(got), [
        ("3", "", None, {}),
        ("a", lines[1]["content"], "[1,1e-07,3.3333333]", lines[1]["metadata"] | {"exact": json.loads(exact.replace("1e400", str(10**400)))}),
        ("b", None, "[-0,3.4028235e+38,1e-45]", {"tag": "other"}),
    ])
    same("import JSON Lines: all digits", connection.execute(
        "SELECT metadata -> 'exact' #>> '{}' = %s::jsonb::text FROM vera.get_document('one', 'a')", (exact,)).fetchone(), (True,))
    same("import JSON Lines: times", [row[4].isoformat() for row in got[:2]],
         ["1999-12-31T00:00:00+00:00", "2026-01-02T01:04:05.123456+00:00"])
    expect("export", importer("export", "one", directory / "one.jsonl"), "^3 documents\n$")
    expect("import the export", importer("import", "two", directory / "one.jsonl"), "^3 added, 0 replaced\n$")
    same("import the export: the same documents", contents(connection, "two"), contents(connection, "one"))
    expect("export again", importer("export", "two", directory / "two.jsonl"), "^3 documents\n$")
    same("export again: the same bytes", (directory / "two.jsonl").read_bytes(), (directory / "one.jsonl").read_bytes())
    (directory / "c.jsonl").write_text('{"id": "b", "content": "new", "embedding": [1, 2, 3]}\n{"id": "c"}\n')
    expect("import some that are there", importer("import", "two", directory / "c.jsonl"), "^1 added, 1 replaced\n$")
    same("import some that are there: replaced whole", contents(connection, "two")[2][1:4], ("new", "[1,2,3]", {}))
    # What needs no dimensions to be known, needs no embeddings.
    (directory / "texts.jsonl").write_text('{"id": "t", "content": "a text"}\n')
    expect("import texts alone", importer("import", "two", directory / "texts.jsonl", "--metric", "cosine"), "^1 added, 0 replaced\n$")
    expect("import with another metric", importer("import", "two", directory / "texts.jsonl", "--metric", "l2"),
           "has metric cosine, not l2", fails=True)
    # An export that fails leaves what was there.
    before = (directory / "two.jsonl").read_bytes()
    expect("export that fails", importer("export", "two", directory / "two.jsonl", PGOPTIONS="-c statement_timeout=1 -c lc_messages=C"), "^error: ", fails=True)
    same("export that fails: the file", (directory / "two.jsonl").read_bytes(), before)
    same("export that fails: no other", sorted(path.name for path in directory.glob("two.jsonl*")), ["two.jsonl"])
    expect("export to a pipe", importer("export", "two", "/dev/stdout"), '^{"id" : "3"')


def kinds(connection, directory):
    vectors = np.random.default_rng(1).normal(size=(2500, 8)).astype("<f4")
    halves = vectors.astype("<f2")

    def of_rows(what, got, rows):
        embeddings = {id: np.array(json.loads(embedding), np.float32).tobytes() for id, _, embedding, _, _ in got}
        right = {str(number): row.astype(np.float32).tobytes() for number, row in enumerate(rows)}
        checks.check(f"import {what}: the vectors", embeddings != right and "they differ")

    np.save(directory / "plain.npy", vectors)
    of_rows("an array", imported(connection, "an array", "npy", directory / "plain.npy", 2500), vectors)
    np.save(directory / "double.npy", halves.astype(np.float64))
    beside = [{"id": str(row), "content": f"row {row}", "metadata": {"row": row}} for row in range(2500)]
    (directory / "double.jsonl").write_text("".join(json.dumps(one) + "\n" for one in beside))
    got = imported(connection, "an array and lines", "beside", directory / "double.npy", 2500, "--metric", "l2")
    of_rows("an array and lines", got, halves)
    same("import an array and lines: the lines", sorted((row[0], row[1], row[3]["row"]) for row in got),
         sorted((one["id"], one["content"], one["metadata"]["row"]) for one in beside))
    same("import an array and lines: the metric", metric(connection, "beside"), "l2")
    header = struct.pack("<ii", *vectors.shape)
    (directory / "single.fbin").write_bytes(header + vectors.tobytes())
    of_rows(".fbin", imported(connection, ".fbin", "fbin", directory / "single.fbin", 2500), vectors)
    (directory / "half.f16bin").write_bytes(header + halves.tobytes())
    of_rows(".f16bin", imported(connection, ".f16bin", "f16bin", directory / "half.f16bin", 2500), halves)

    # Made by the examples' packages, which this test has not.
    expect("making a Parquet file and a directory of Chroma", run(VENV / "bin/python", "-c", """
import datetime, decimal, sys, chromadb, pyarrow, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.table({
    "id": [7, 8],
    "content": ["seven", None],
    "embedding": pyarrow.array([[1, 0.5], [0, -1]], pyarrow.list_(pyarrow.float32())),
    "metadata": ['{"a": [1]}', None],
    "day": [datetime.date(2026, 1, 2), None],
    "price": [decimal.Decimal("9.90"), None],
    "map": pyarrow.array([[("k", "v")], None], pyarrow.map_(pyarrow.string(), pyarrow.string())),
    "created_at": pyarrow.array([1767312000_000000001, None], pyarrow.timestamp("ns")),
}), sys.argv[1] + "/a.parquet")
pyarrow.parquet.write_table(pyarrow.table({"id": [1], "embedding": [[1.0]], "bytes": [b"\\xff"]}), sys.argv[1] + "/bytes.parquet")
chroma = chromadb.PersistentClient(sys.argv[1] + "/chroma").create_collection("fruit", configuration={"hnsw": {"space": "ip"}})
chroma.add(ids=[f"id {i}" for i in range(2001)], embeddings=[[i, 1, 0.25] for i in range(2001)],
           documents=[f"text {i}" for i in range(2001)], metadatas=[{"i": i, "even": i % 2 == 0} for i in range(2001)])
print("made")
""", directory), "made")
    got = imported(connection, "Parquet", "parquet", directory / "a.parquet", 2)
    same("import Parquet: the documents", without_times(got),
         [("7", "seven", "[1,0.5]", {"a": [1], "day": "2026-01-02", "price": 9.9, "map": {"k": "v"}}),
          ("8", None, "[0,-1]", {"day": None, "price": None, "map": None})])
    expect("import of bytes", importer("import", "x", directory / "bytes.parquet"), "bytes.parquet, row 1: .*is not text", fails=True)
    same("import Parquet: the time", got[0][4].isoformat(), "2026-01-02T00:00:00+00:00")
    got = imported(connection, "Chroma", "fruit", directory / "chroma", 2001)
    same("import Chroma: the documents", sorted(without_times(got)),
         sorted((f"id {i}", f"text {i}", f"[{i},1,0.25]", {"i": i, "even": i % 2 == 0}) for i in range(2001)))
    same("import Chroma: the metric", metric(connection, "fruit"), "ip")
    named = importer("import", "other", directory / "chroma", "--chroma-collection", "fruit")
    expect("import Chroma by another name", named, "^2001 added, 0 replaced\n$")
    expect("import of no collection", importer("import", "x", directory / "chroma"), r"\[x\] does not exist", fails=True)
    expect("import of no Chroma", importer("import", "x", directory), "not a directory of Chroma", fails=True)


def mistakes(connection, directory):
    def place(name, content):
        """The name of a file with that in it."""
        path = directory / name
        if isinstance(content, np.ndarray):
            np.save(path, content)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    good = '{"id": "x", "embedding": [1, 2, 3]}'
    lines = [
        ('{"id":', "Expecting value at column 7"),
        ("", "Expecting value at column 1"),
        ("[1]", "not an object"),
        (b'{"id": "\xff"}', "can't decode byte 0xff in position 8"),
        ('{"embedding": [1, 2, 3]}', "id must be text or an integer, not None"),
        (good, "id 'x' is that of line 1 as well"),
        ('{"id": "y", "content": 1}', "content must be text, not 1"),
        (r'{"id": "y", "content": "\u0000"}', "invalid byte sequence"),
        (r'{"id": "y", "content": "\ud800"}', "surrogates not allowed"),
        ('{"id": "y", "embedding": [1, 2]}', "expected 3 dimensions, not 2"),
        ('{"id": "y", "embedding": [1, NaN, 3]}', "not finite"),
        ('{"id": "y", "embedding": [1, 1e39, 3]}', "too large for single precision"),
        ('{"id": "y", "embedding": [1, "2", 3]}', "embedding is not an array of numbers"),
        ('{"id": "y", "metadata": [1]}', "metadata is not an object"),
        ('{"id": "y", "metadata": {"a": NaN}}', "invalid input syntax for type json"),
        ('{"id": "y", "created_at": "yesterday"}', "Invalid isoformat string: 'yesterday'"),
        ('{"id": "y", "metadata": ' + '{"a":' * 100000 + "1" + "}" * 100000 + "}", "recursion"),
        ('{"id": "y", "embedding": [' + "0," * 69999 + "0]}", "70000 dimensions, and may have 16000"),
    ]
    place("few.jsonl", good + "\n")
    three = place("three.jsonl", good + "\n")
    cases = [(place(f"line{n}.jsonl", good.encode() + b"\n" + (line if isinstance(line, bytes) else line.encode()) + b"\n"),
              f"line{n}.jsonl, line 2: .*{re.escape(message)}") for n, (line, message) in enumerate(lines)]
    cases += [
        (place("none.jsonl", '{"id": "x"}\n'), "none.jsonl: no embeddings in it"),
        (place("few.npy", np.zeros((2, 3))), "few.jsonl: 1 lines, but there are 2 rows"),
        (place("nan.npy", np.array([[1, 2], [3, np.nan]])), "nan.npy, row 2: .*not finite"),
        (place("empty.npy", ""), "empty.npy: No data left"),
        (place("flat.npy", np.zeros(3)), r"flat.npy: an array of shape \(3,\)"),
        (place("short.fbin", struct.pack("<ii", 2, 3) + bytes(23)), "short.fbin: 31 bytes, where .* wants 32"),
        (place("text.parquet", "hello"), "text.parquet: .*Parquet"),
        (directory / "a.csv", "a.csv: neither a directory nor .jsonl"),
        (directory / "missing.jsonl", "No such file.*missing.jsonl"),
    ]
    with ThreadPoolExecutor(2) as pool:
        for (path, message), got in zip(cases, pool.map(lambda case: importer("import", "bad", case[0]), cases)):
            expect(f"mistake in {path.name}", got, f"^error: .*{message}", fails=True)
    expect("other dimensions", importer("import", "fbin", three), "three.jsonl, line 1: expected 8 dimensions, not 3", fails=True)
    expect("export of nothing", importer("export", "bad", directory / "bad.out"), 'collection "bad" does not exist', fails=True)
    left = connection.execute("SELECT count(*) FROM vera.list_collections() WHERE name = 'bad'").fetchone()[0]
    checks.check("mistakes leave nothing", left or len(contents(connection, "fbin")) != 2500)


def chromem(connection, directory):
    def convert(file, *arguments, **environment):
        return run("go", "run", EXAMPLES / "go/chromem_to_jsonl.go", file, *arguments, **environment)

    compressed, encrypted = (PROJECT / "tests/store" / name for name in ("chromem.gob.gz", "chromem.gob.gz.enc"))
    plain = directory / "plain.gob"
    plain.write_bytes(gzip.decompress(compressed.read_bytes()))
    lines = expect("convert", convert(compressed, "fruit"), '^{"id":"apfel"')
    same("convert: uncompressed", convert(plain, "fruit")[1], lines)
    same("convert: encrypted", convert(encrypted, "fruit", CHROMEM_KEY=KEY)[1], lines)
    expect("convert: no name", convert(plain), "name one of its collections: fruit, tools", fails=True)
    expect("convert: another name", convert(plain, "x"), "name one of its collections: fruit, tools", fails=True)
    expect("convert: another key", convert(encrypted, "fruit", CHROMEM_KEY=KEY[::-1]), "authentication failed", fails=True)
    expect("convert: half a key", convert(encrypted, "fruit", CHROMEM_KEY=KEY[:16]), "has 16 bytes, and must have 32", fails=True)
    expect("convert: no key", convert(encrypted, "fruit"), "not an export of chromem-go, or encrypted", fails=True)
    (directory / "chromem.jsonl").write_text(lines)
    got = imported(connection, "chromem-go's", "chromem", directory / "chromem.jsonl", 3)
    same("import chromem-go's: the documents", without_times(got), [
        ("apfel", 'Ein "Apfel" für <dich>', "[0.9938837,0.11043153,0]", {"lang": "de"}),
        ("apple", "An apple a day", "[1,0,0]", {"lang": "en", "year": "1866"}),
        ("hammer", "", "[0,0.6,0.8]", {}),
    ])


def main():
    copy_project()
    with psycopg.connect("", autocommit=True) as connection, tempfile.TemporaryDirectory() as name:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vera_vec")
        connection.execute("SET timezone TO 'UTC'")
        directory = pathlib.Path(name)
        # Without what README.md installs, nothing else would run.
        if readme():
            left = connection.execute("SELECT count(*) FROM vera.collections").fetchone()[0]
            checks.check("README.md leaves no collections", left)
            for part in (document_search, without_server, round_trip, kinds, mistakes, chromem):
                try:
                    part(connection, directory)
                except Exception:  # what follows from a check that failed
                    checks.check(part.__name__, traceback.format_exc())
        connection.execute("SELECT vera.delete_collection(name) FROM vera.list_collections()")
    checks.finish()


if __name__ == "__main__":
    main()
