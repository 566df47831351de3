"""pgvector's published client packages, unchanged, with a veraflat index on its types, and with vera_vec's types.

Makes the extensions, and under CACHE what the clients need: a virtual environment for each file of requirements, and
node_modules. Without pgvector on the server only what needs no type of its is run. Also looks whether the examples of
docs/clients.md are what is run here.

Run by `make test` with the environment of a server whose database is empty, and CACHE; needs npm. Prints one line for
each check, and ends with `N passed, N failed`.
"""

import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

import psycopg

HERE = pathlib.Path(__file__).resolve().parent
DOCUMENT = HERE.parent.parent / "docs" / "clients.md"
CACHE = pathlib.Path(os.environ["CACHE"]) / "clients"
TESTED = {"python": "test_python.py", "js": "test_node.js"}
BLOCK = re.compile(r"^```(python|js)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

passed = failed = 0


def count(line):
    global passed, failed
    print(line, flush=True)
    passed += line.startswith("ok: ")
    failed += line.startswith("FAILED: ")


def prepared(name, *sources):
    """A directory for what is made from these files, and whether it has to be made."""
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    directory = CACHE / f"{name}-{digest[:16]}"
    if (directory / "complete").exists():
        return directory, False
    for older in CACHE.glob(f"{name}-*"):
        shutil.rmtree(older)
    directory.mkdir(parents=True)
    return directory, True


def python_with(requirements, name):
    """A Python that has the packages of a file of requirements."""
    directory, missing = prepared(name, HERE / requirements)
    if missing:
        subprocess.run(["/usr/bin/python3", "-m", "venv", directory], check=True)
        pip = [directory / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", HERE / requirements], check=True)
        (directory / "complete").touch()
    return directory / "bin/python"


def node_script(script):
    """A copy of a script beside the packages of package-lock.json."""
    sources = [HERE / "package.json", HERE / "package-lock.json"]
    directory, missing = prepared("node", *sources)
    if missing:
        for source in sources:
            shutil.copy(source, directory)
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=directory, check=True)
        (directory / "complete").touch()
    return shutil.copy(HERE / script, directory)


def run(*command):
    """Counts what a program reports; its own failure, too."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        for line in program.stdout:
            count(line.rstrip("\n"))
    if program.returncode != 0:
        count(f"FAILED: {pathlib.Path(command[-1]).name} ended with status {program.returncode}")


def create_extensions():
    with psycopg.connect("", autocommit=True) as connection:
        connection.execute("CREATE EXTENSION vera_vec")
        if connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").fetchone():
            connection.execute("CREATE EXTENSION vector")
            connection.execute("CREATE EXTENSION vera_vec_pgvector")
        else:
            count("skipped: vector and halfvec with every client, and LlamaIndex, because this server has no pgvector")


def bare(code):
    """Code without indentation and empty lines."""
    return "".join(f"\n{line.strip()}" for line in code.splitlines() if line.strip()) + "\n"


def check_examples():
    """Every example of the document is in a test, line by line."""
    text = DOCUMENT.read_text()
    for match in BLOCK.finditer(text):
        kind, body = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        there = bare(body) in bare((HERE / TESTED[kind]).read_text())
        count(f"{'ok' if there else 'FAILED'}: the example at docs/clients.md:{line} is one that is run")


def main():
    create_extensions()
    check_examples()
    run(python_with("requirements.txt", "python"), HERE / "test_python.py")
    run(python_with("requirements-frameworks.txt", "frameworks"), HERE / "test_frameworks.py")
    run("node", node_script("test_node.js"))
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
