"""Rows within a radius, in no order: how many there are, and the sum of a column of theirs; radii that so many rows are within.

The planner chooses ("ours", with its plan), beside the sequential scan. Counting needs no look at rows that bounds decide, after VACUUM.
"""

import statistics

from common import literal, timed

PERCENT = (0.01, 0.1, 1, 10, 30, 100)
QUERIES = 3
WAYS = {"ours": "SET vera_vec.enable_filter_first = on", "sequential scan": "SET vera_vec.enable_filter_first = off"}


def bench(connection, queries, mismatches):
    connection.execute("VACUUM (ANALYZE) ours")
    connection.execute("SET max_parallel_workers_per_gather = 0")
    results = []
    for percent in PERCENT:
        for what in ("count(*)", "sum(id)"):
            seconds, plans = {way: [] for way in WAYS}, set()
            for query in queries[:QUERIES]:
                distance = f"embedding <=> '{literal(query)}'"
                [[radius]] = connection.execute(f"SELECT percentile_disc({percent / 100}) WITHIN GROUP (ORDER BY {distance}) FROM ours").fetchall()
                statement = f"SELECT {what} FROM ours WHERE {distance} <= {radius!r}"
                answers = set()
                for way, setting in WAYS.items():
                    connection.execute(setting)
                    if way == "ours":
                        plan = connection.execute("EXPLAIN " + statement).fetchall()
                        plans.add("VeraFilterFirst" if "VeraFilterFirst" in str(plan) else "sequential scan")
                    for _ in range(2):
                        taken, answer = timed(lambda: connection.execute(statement).fetchall())
                        answers.add(answer[0][0])
                    seconds[way].append(taken)
                if len(answers) != 1:
                    mismatches.count += 1
                    print(f"ERROR: {what} within {radius}: {answers}", flush=True)
            medians = {f"{way}, ms": 1e3 * statistics.median(taken) for way, taken in seconds.items()}
            results.append({"rows within, %": percent, "asked for": what, **medians, "plan": ", ".join(sorted(plans))})
    for setting in ("vera_vec.enable_filter_first", "max_parallel_workers_per_gather"):
        connection.execute(f"RESET {setting}")
    return results
