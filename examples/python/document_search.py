"""Searches a folder of text files by what they mean.

Files (.md, .txt) are split into passages, each passage is embedded, and PostgreSQL keeps and searches them. A collection
mirrors one folder. The connection is that of the usual environment variables: PGHOST, PGDATABASE, PGUSER and so on.
"""

import argparse
import re
import sys
from pathlib import Path

import psycopg
from minilm import DIMENSION, MiniLM
from psycopg.types.json import Jsonb

WORDS = 80  # in a passage; the model reads some 150

# A heading, a block of code, or a paragraph.
BLOCK = re.compile(r"^#+ ([^\n]+)|^```.*?^```|^[^\n]*\S[^\n]*(?:\n(?!#+ |```)[^\n]*\S[^\n]*)*", re.MULTILINE | re.DOTALL)


def split(text):
    """Passages as (heading, passage): blocks that have no more than WORDS together, or a longer one alone."""
    heading = passage = ""
    for block in BLOCK.finditer(text):
        title, body = block[1], block[0].strip()
        if passage and (title or len(f"{passage} {body}".split()) > WORDS):
            yield heading, passage
            passage = ""
        if title:
            heading = title
        else:
            passage = f"{passage}\n\n{body}".strip()
    if passage:
        yield heading, passage


def read(folder):
    """All passages of a folder: {id: (content, metadata)}."""
    passages = {}
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix in (".md", ".txt") and path.is_file():
            file = path.relative_to(folder).as_posix()
            text = path.read_text("utf-8-sig", errors="replace")
            if "\0" in text or not file.isprintable():
                print(f"left out: {file!a}, which has no text in UTF-8, or no such name", file=sys.stderr)
                continue
            for number, (heading, content) in enumerate(split(text), 1):
                metadata = {"file": file, "heading": heading, "passage": number, "words": len(content.split())}
                passages[f"{file}#{number}"] = content, metadata
    return passages


def vector(model, text):
    return str(model.encode(text).tolist())


def add(connection, args):
    passages = read(args.folder)
    if not passages:
        sys.exit(f"there is no text in .md and .txt files in {args.folder}")
    connection.execute(
        "SELECT vera.create_collection(%s, %s, key_fields => ARRAY['file', 'words numeric'], if_not_exists => true)",
        (args.collection, DIMENSION),
    )
    known = {id: (content, metadata) for id, content, metadata in connection.execute(
        "SELECT id, content, metadata FROM vera.get_documents(%s)", (args.collection,))}
    # To embed is what takes time: only what is new or has changed.
    new = [(id, *passage) for id, passage in passages.items() if passage != known.get(id)]
    model = MiniLM()
    embeddings = [vector(model, f"{metadata['heading']}\n{content}") for _, content, metadata in new]
    # Passages of files that are gone, or have become shorter.
    gone = list(known.keys() - passages.keys())
    with connection.transaction():  # others see the folder as it was, and then as it is
        added, replaced = connection.execute(
            "SELECT added, replaced FROM vera.add_documents(%s, %s, %s, %s::veravec[], %s)",
            (args.collection, [id for id, _, _ in new], [content for _, content, _ in new], embeddings,
             [Jsonb(metadata) for _, _, metadata in new]),
        ).fetchone()
        removed = connection.execute("SELECT vera.delete_documents(%s, ids => %s)", (args.collection, gone)).fetchone()[0]
    print(f"{len(passages)} passages: {added} added, {replaced} replaced, {removed} removed")


SEARCHES = {
    "near": "vera.search(%(collection)s, %(vector)s, %(k)s, filter => %(filter)s, where_document => %(where)s)",
    "diverse": "vera.search_mmr(%(collection)s, %(vector)s, %(k)s, filter => %(filter)s, where_document => %(where)s)",
    "hybrid": "vera.hybrid_search(%(collection)s, %(vector)s, %(words)s, %(k)s, filter => %(filter)s,"
              " where_document => %(where)s, language => 'english')",
}


def search(connection, args):
    show(connection.execute(f"SELECT score, id, content, metadata FROM {SEARCHES[args.how]}", {
        **vars(args),
        "vector": vector(MiniLM(), args.text),
        "words": " or ".join(re.findall(r"\w+", args.text)),  # any of them; without `or`, all of them would be wanted
        "where": Jsonb({"$contains": args.containing} if args.containing else {}),
    }))


def like(connection, args):
    show(connection.execute(
        "SELECT score, id, content, metadata FROM vera.recommend(%s, ARRAY[%s], k => %s)", (args.collection, args.id, args.k)))


def show(found):
    for score, id, content, metadata in found:
        print(f"{score:.3f}  {id}  {metadata.get('heading', '')}\n       {' '.join((content or '').split())[:110]}")


def list_files(connection, args):
    for row in connection.execute(
            "SELECT coalesce(metadata ->> 'file', '(no file)'), count(*), coalesce(sum((metadata ->> 'words')::integer), 0)"
            " FROM vera.get_documents(%s) GROUP BY 1 ORDER BY 1", (args.collection,)):
        print("{}: {} passages, {} words".format(*row))


def remove(connection, args):
    removed = connection.execute(
        "SELECT vera.delete_documents(%s, filter => %s)", (args.collection, Jsonb({"file": args.file}))).fetchone()[0]
    if not removed:
        sys.exit(f"there is no file {args.file}; 'list' shows what there is")
    print(f"{removed} passages removed")


def forget(connection, args):
    connection.execute("SELECT vera.delete_collection(%s)", (args.collection,))
    print(f"collection {args.collection} deleted")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collection", default="passages", help="where passages are kept (%(default)s)")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(function, name, help, *names):
        one = commands.add_parser(name, help=help)
        one.set_defaults(function=function)
        for argument in names:
            one.add_argument(argument)
        return one

    command(add, "add", "add a folder's files; again, to follow its changes", "folder")
    one = command(search, "search", "find passages that mean something like TEXT", "text")
    one.add_argument("-k", type=int, default=5, help="how many (%(default)s)")
    one.add_argument("--filter", metavar="JSON", help="""of the metadata: '{"file": "README.md", "words": {"$gte": 20}}'""")
    one.add_argument("--containing", metavar="TEXT", help="only passages with this text in them")
    how = one.add_mutually_exclusive_group()
    how.add_argument("--hybrid", dest="how", action="store_const", const="hybrid", default="near", help="by its words as well")
    how.add_argument("--diverse", dest="how", action="store_const", const="diverse", help="passages that differ from each other")
    command(like, "like", "find passages like another one", "id").add_argument("-k", type=int, default=5)
    command(list_files, "list", "show the files")
    command(remove, "remove", "remove a file's passages", "file")
    command(forget, "forget", "delete the collection")
    return parser.parse_args()


def main():
    args = arguments()
    try:
        with psycopg.connect(autocommit=True) as connection:
            args.function(connection, args)
    except psycopg.Error as error:
        hint = f"\nhint: {error.diag.message_hint}" if error.diag.message_hint else ""
        sys.exit(f"error: {error.diag.message_primary or error}{hint}")


if __name__ == "__main__":
    main()
