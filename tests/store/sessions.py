"""The document store with several sessions: the same ids added at once, collections made at once, snapshots, and a cancel.

SESSIONS_SEED repeats the order of ids. Needs the environment of a server whose database is empty.
"""

import pathlib
import random
import sys
import threading
import time

import psycopg

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "cluster"))
from common import Checks, seed_from  # noqa: E402

WRITERS, ROUNDS, IDS = 4, 25, 60


def at_once(work, *argument_lists):
    """Calls `work` with each of these arguments and a connection of its own, all at the same time; results or errors."""
    results = [None] * len(argument_lists)
    start = threading.Barrier(len(argument_lists))

    def run(number, arguments):
        with psycopg.connect(autocommit=True) as connection:
            start.wait()
            try:
                results[number] = work(connection, *arguments)
            except psycopg.Error as error:
                results[number] = error

    threads = [threading.Thread(target=run, args=item) for item in enumerate(argument_lists)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def add(connection, writer, ids):
    """Adds documents of these ids that say who has added them; (added, replaced)."""
    return connection.execute(
        "SELECT * FROM vera.add_documents('shared', %s, %s, %s::veravec[], %s::jsonb[])",
        (ids, [f"by {writer}"] * len(ids), [f"[{writer + 1},1]"] * len(ids), [f'{{"writer": {writer}}}'] * len(ids))).fetchone()


def same_ids(connection, checks, rng):
    """Sessions that add the same documents in different orders wait for each other, and none fails."""
    connection.execute("SELECT vera.create_collection('shared', 2, key_fields => ARRAY['writer numeric'])")
    for number in range(ROUNDS):
        if number % 5 == 0:
            connection.execute("SELECT vera.delete_documents('shared', everything => true)")
        before = connection.execute("SELECT vera.count('shared')").fetchone()[0]
        ids = [f"doc {i}" for i in range(IDS)]
        results = at_once(add, *((writer, rng.sample(ids, IDS)) for writer in range(WRITERS)))
        errors = [result for result in results if isinstance(result, psycopg.Error)]
        checks.check(f"round {number}: nobody fails", errors)
        if errors:
            continue
        checks.check(f"round {number}: each document is added once",
                     sum(result[0] for result in results) != IDS - before or sum(map(sum, results)) != WRITERS * IDS)
        # Rows are locked in the same order by all, so the last one to come replaces them all.
        writers = connection.execute("SELECT DISTINCT content, metadata, embedding FROM shared").fetchall()
        checks.check(f"round {number}: the documents of one writer, whole", len(writers) != 1 or f"by {writers[0][1]['writer']}" != writers[0][0])
    found = connection.execute("SELECT count(*) FROM vera.search('shared', '[1,1]', 1000)").fetchone()[0]
    checks.check("all are found", found != IDS)
    connection.execute("SELECT veraflat_check(indexrelid) FROM pg_index JOIN pg_class ON oid = indexrelid"
                       " WHERE indrelid = 'shared'::regclass AND relam = (SELECT oid FROM pg_am WHERE amname = 'veraflat')")
    connection.execute("SELECT vera.delete_collection('shared')")


def update(connection, writer, ids):
    return connection.execute("SELECT vera.update_metadata('shared', %s, %s)", (ids, f'{{"writer": {writer}}}')).fetchone()[0]


def same_metadata(connection, checks, rng):
    """Sessions that change the metadata of the same documents, some of which are added again, wait for each other, and none fails."""
    connection.execute("SELECT vera.create_collection('shared', 2, key_fields => ARRAY['writer numeric'])")
    ids = [f"doc {i}" for i in range(IDS)]
    add(connection, 0, ids)
    connection.execute("UPDATE shared SET content = 'moved' WHERE id IN (SELECT id FROM shared ORDER BY random() LIMIT 20)")
    for number in range(ROUNDS):
        results = at_once(lambda session, writer, ids: (add if writer % 2 else update)(session, writer, ids),
                          *((writer, rng.sample(ids, IDS)) for writer in range(WRITERS)))
        errors = [result for result in results if isinstance(result, psycopg.Error)]
        checks.check(f"round {number}: nobody fails", errors)
        checks.check(f"round {number}: all are updated", results[0::2] != [IDS] * len(results[0::2]) and results)
        checks.check(f"round {number}: one writer was last",
                     len(connection.execute("SELECT DISTINCT metadata FROM shared").fetchall()) != 1)
    connection.execute("SELECT vera.delete_collection('shared')")


def same_collection(connection, checks, _):
    """Of those who make one collection at once, one does; with if_not_exists the others get it."""
    def create(session, if_not_exists):
        return session.execute("SELECT vera.create_collection('one', 2, if_not_exists => %s)::text", (if_not_exists,)).fetchone()[0]

    for number in range(10):
        results = at_once(create, *[(False,)] * WRITERS)
        states = sorted(result.sqlstate if isinstance(result, psycopg.Error) else result for result in results)
        checks.check(f"{number}: one makes it", states != ["42710"] * (WRITERS - 1) + ["one"] and states)
        connection.execute("SELECT vera.delete_collection('one')")
        results = at_once(create, *[(True,)] * WRITERS)
        checks.check(f"{number}: all have it", results != ["one"] * WRITERS and results)
        results = at_once(lambda session: session.execute("SELECT vera.delete_collection('one', if_exists => true)").fetchone()[0],
                          *[()] * WRITERS)
        checks.check(f"{number}: one deletes it", sorted(map(str, results)) != ["False"] * (WRITERS - 1) + ["True"] and results)


def same_collection_in_between(connection, checks, _):
    """One appears after create_collection has not found it, and before it looks whether the name is free."""
    check = connection.execute("SELECT pg_get_functiondef('vera._check_name'::regproc)").fetchone()[0]
    for if_not_exists, expected in (True, "one"), (False, "42710"):
        with psycopg.connect() as other, psycopg.connect() as waiting:
            other.execute("SELECT vera.create_collection('one', 2)")
            # The lock is where the second session waits until the first has committed; then it looks.
            connection.execute(check.replace(" STABLE", " VOLATILE").replace("BEGIN\n", "BEGIN\n\tPERFORM pg_advisory_xact_lock(1);\n", 1))
            connection.execute("SELECT pg_advisory_lock(1)")
            result = waits(connection, other, waiting, f"SELECT vera.create_collection('one', 2, if_not_exists => {if_not_exists})::text",
                           lambda: connection.execute("SELECT pg_advisory_unlock(1)"))
            checks.check(f"if_not_exists => {if_not_exists}", result != expected and result)
        connection.execute(check)
        connection.execute("SELECT vera.delete_collection('one')")


def gone_meanwhile(connection, checks, _):
    """Those who delete or rename a collection that somebody else deletes or renames wait for him, and then it isn't there."""
    first = {"delete": "SELECT vera.delete_collection('one')", "rename": "SELECT vera.rename_collection('one', 'two')"}
    listed = "SELECT coalesce(string_agg(name || coalesce(documents, 0), ''), 'none') FROM vera.list_collections()"
    second = {
        "delete": ("SELECT vera.delete_collection('one')", "42P01"),
        "delete if_exists": ("SELECT vera.delete_collection('one', if_exists => true)::text", "false"),
        "rename": ("SELECT vera.rename_collection('one', 'three')", "42P01"),
        "rename another": ("SELECT vera.rename_collection('more', 'two')", {"delete": "two", "rename": "42710"}),
        "list": (listed, {"delete": "more0one0", "rename": "more0one0"}),
    }
    for before, change in first.items():
        for name, (call, expected) in second.items():
            if isinstance(expected, dict):
                expected = expected[before]
            if before == "delete" and name == "rename another":
                continue # they have nothing to do with each other
            connection.execute("SELECT vera.create_collection('one', 2), vera.create_collection('more', 2)")
            with psycopg.connect() as other, psycopg.connect() as waiting:
                other.execute(change)
                checks.check(f"{name} after {before}", waits(connection, other, waiting, call) != expected)
            checks.check(f"{name} after {before}: what is left",
                         connection.execute("SELECT array_agg(name) FROM vera.list_collections()").fetchone()[0]
                         != (["more", "two"] if before == "rename" else ["more"]))
            connection.execute("SELECT vera.delete_collection('two', if_exists => true), vera.delete_collection('more')")


def names_exchanged(connection, checks, _):
    """Where tables exchange their names while a statement waits for one, it does nothing to the wrong one."""
    exchange = "ALTER TABLE one RENAME TO spare; ALTER TABLE two RENAME TO one; ALTER TABLE spare RENAME TO two"
    document = "ARRAY['a'], NULL, NULL, ARRAY['{\"changed\": true}']::jsonb[]"
    calls = {
        "add": f"SELECT vera.add_documents('one', {document})",
        "update": "SELECT vera.update_metadata('one', ARRAY['a'], '{\"changed\": true}')",
        "delete": "SELECT vera.delete_documents('one', ARRAY['a'])",
        "delete all": "SELECT vera.delete_documents('one', everything => true)",
        "delete the collection": "SELECT vera.delete_collection('one')",
        "rename": "SELECT vera.rename_collection('one', 'three')",
    }
    for name, call in calls.items():
        connection.execute("SELECT vera.create_collection('one', 2), vera.create_collection('two', 2)")
        connection.execute("SELECT vera.add_documents(c, '[{\"id\": \"a\"}]') FROM unnest(ARRAY['one', 'two']) c")
        with psycopg.connect() as other, psycopg.connect() as waiting:
            other.execute(exchange)
            result = waits(connection, other, waiting, call)
            checks.check(name, result != "40001" and result)
            waiting.rollback()
            checks.check(f"{name}: nothing has changed", connection.execute(
                "SELECT array_agg(c.name || vera.count(c.name, '{\"changed\": {\"$exists\": false}}') ORDER BY c.name) FROM vera.collections c").fetchone()[0]
                != ["one1", "two1"])
            waiting.execute(call)
            waiting.rollback()
        connection.execute("SELECT vera.delete_collection('one'), vera.delete_collection('two')")


def gone_for_the_catalog(connection, checks, _):
    """A table that is gone is missed by name, even where a snapshot still sees that it was there."""
    calls = ["search('one', '[1,0]')", "count('one')", "get_documents('one')", "search_mmr('one', '[1,0]')", "collection_info('one')",
             "add_documents('one', '[]')", "delete_documents('one', ARRAY['a'])", "recommend('one', ARRAY['a'])"]
    for call in calls:
        connection.execute("SELECT vera.create_collection('one', 2)")
        with psycopg.connect() as reader:
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            reader.execute("SELECT FROM vera.collections")
            connection.execute("SELECT vera.delete_collection('one')")
            result = outcome(lambda: reader.execute(f"SELECT * FROM vera.{call}"))
            checks.check(f"{call}: SQLSTATE", result != "42P01" and result)


def old_strings(checks):
    """Backslashes in the functions are not the client's to interpret."""
    with psycopg.connect(autocommit=True, options="-c standard_conforming_strings=off -c escape_string_warning=off") as connection:
        keys = outcome(lambda: connection.execute(
            "SELECT vera.create_collection('old', 2, key_fields => ARRAY['sets numeric', ' by.name'])::text").fetchone()[0])
        checks.check("key fields", keys != "old" and keys)
        refused = outcome(lambda: connection.execute("SELECT vera.create_collection('older', 2, key_fields => ARRAY[E'a\\\\b'])"))
        checks.check("a backslash in a key field", refused != "22023" and refused)
        connection.execute("SELECT vera.delete_collection('old')")


def waits(connection, other, waiting, call, then=lambda: None):
    """What a call of the waiting connection gives, which waits for a lock until the other one commits and what follows is done."""
    result = []
    thread = threading.Thread(target=lambda: result.append(outcome(lambda: waiting.execute(call).fetchone()[0])))
    thread.start()
    wait_for_lock(connection, waiting)
    other.commit()
    then()
    thread.join()
    return result[0]


def outcome(call):
    """What the call returns, or the SQLSTATE of its error."""
    try:
        return call()
    except psycopg.Error as error:
        return error.sqlstate


def wait_for_lock(connection, waiting):
    """Returns when the other connection waits for a lock."""
    deadline = time.monotonic() + 60
    while connection.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", (waiting.info.backend_pid,)).fetchone()[0] != "Lock":
        if time.monotonic() > deadline:
            raise TimeoutError("it does not wait")
        time.sleep(0.01)


def snapshots(connection, checks, _):
    """A transaction sees its own documents at once, and others' when they are committed; a repeatable read one, never."""
    connection.execute("SELECT vera.create_collection('seen', 2)")
    ask = "SELECT id FROM vera.search('seen', '[1,0]', filter => '{\"a\": 1}') ORDER BY id"
    with psycopg.connect() as reader, psycopg.connect() as writer:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        checks.check("nothing yet", reader.execute(ask).fetchall())
        writer.execute("SELECT vera.add_documents('seen', '[{\"id\": \"x\", \"embedding\": [1, 0], \"metadata\": {\"a\": 1}}]')")
        checks.check("one's own", writer.execute(ask).fetchall() != [("x",)])
        checks.check("not committed", connection.execute(ask).fetchall())
        writer.commit()
        checks.check("committed", connection.execute(ask).fetchall() != [("x",)])
        checks.check("an older snapshot", reader.execute(ask).fetchall())
        checks.check("an older snapshot, counted", reader.execute("SELECT vera.count('seen')").fetchone() != (0,))
        reader.rollback()
        writer.execute("SELECT vera.update_metadata('seen', ARRAY['x'], '{\"a\": 2}')")
        checks.check("its own change", writer.execute(ask).fetchall())
        writer.rollback()
        checks.check("undone", writer.execute(ask).fetchall() != [("x",)])
    connection.execute("SELECT vera.delete_collection('seen')")


def cancel(connection, checks, _):
    """What looks at every document answers a cancel."""
    connection.execute("SELECT vera.create_collection('many', 16)")
    connection.execute("INSERT INTO many (id, embedding) SELECT i, array_fill(i::real, ARRAY[16])::veravec FROM generate_series(1, 20000) i")
    connection.execute("SET statement_timeout = 100")
    calls = {
        "recommend": "SELECT count(*) FROM vera.recommend('many', (SELECT array_agg(i::text) FROM generate_series(1, 2000) i), strategy => 'best_score')",
        "search_mmr": "SELECT count(*) FROM vera.search_mmr('many', array_fill(1, ARRAY[16])::veravec, 10000, candidates => 20000)",
        "search_batch": "SELECT count(*) FROM vera.search_batch('many', array_fill(array_fill(1, ARRAY[16])::veravec, ARRAY[20000]))",
    }
    for name, call in calls.items():
        started = time.monotonic()
        try:
            connection.execute(call)
            problem = "it was not cancelled"
        except psycopg.errors.QueryCanceled:
            seconds = time.monotonic() - started
            problem = seconds > 3 and f"after {seconds:.1f} s"
        checks.check(f"{name} is cancelled", problem)
    connection.execute("RESET statement_timeout")
    connection.execute("SELECT vera.delete_collection('many')")


def main():
    rng = random.Random(seed_from("SESSIONS_SEED"))
    checks = Checks()
    with psycopg.connect(autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vera_vec")
        for test in (same_ids, same_metadata, same_collection, same_collection_in_between, gone_meanwhile, names_exchanged,
                     gone_for_the_catalog, snapshots, cancel):
            started = time.monotonic()
            test(connection, checks, rng)
            print(f"{test.__name__}: {time.monotonic() - started:.1f} s", flush=True)
        old_strings(checks)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 0 if checks.passed and not checks.failed else 1


if __name__ == "__main__":
    sys.exit(main())
