"""The race: latency query by query, throughput with one and with two clients, and whether the answers are right."""

import multiprocessing
import statistics
import time
from queue import Empty

import numpy as np

from common import quantile, timed

# Cosine distances that floating-point sums of different orders may confuse.
ROUNDING = 2e-6

fork = multiprocessing.get_context("fork")


def distances(vectors, query, ids):
    rows = vectors[ids].astype(np.float64)
    query = query.astype(np.float64)
    return 1 - rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)


def same_answer(vectors, query, found, expected):
    """Whether two exact answers agree: the same ids, or at every place equal distances within rounding."""
    if found == expected:
        return True
    if len(found) != len(expected) or len(set(found)) != len(found):
        return False
    return bool(np.all(np.abs(distances(vectors, query, found) - distances(vectors, query, expected)) < ROUNDING))


def recall(found, expected):
    return len(set(found) & set(expected)) / len(expected)


class Mismatches:
    """Wrong answers of exact contenders: counted, printed, and at the end the exit status."""

    def __init__(self):
        self.count = 0

    def check(self, where, vectors, queries, found, expected):
        for query, some, wanted in zip(queries, found, expected):
            if not same_answer(vectors, query, some, wanted):
                self.count += 1
                print(f"ERROR: {where}: wrong answer: {some[:12]}, not {wanted[:12]}", flush=True)


def race(contenders, vectors, queries, k, mismatches, expected=None):
    """Every query is asked of all, in turns that begin with another one each time, so that nobody always follows the same one.
    What is expected is the first contender's answers, if nothing else. Returns a result for each."""
    prepared = {c.name: [c.prepare(query) for query in queries] for c in contenders}
    seconds, answers = ({c.name: [] for c in contenders} for _ in range(2))
    for contender in contenders:
        contender.open()
        contender.search(prepared[contender.name][-1], k)   # warms, plans
    for number in range(len(queries)):
        first = number % len(contenders)
        for contender in contenders[first:] + contenders[:first]:
            taken, answer = timed(lambda: contender.search(prepared[contender.name][number], k))
            seconds[contender.name].append(taken)
            answers[contender.name].append(answer)
    expected = expected or answers[contenders[0].name]
    base = statistics.median(seconds[contenders[0].name])
    results = []
    for contender in contenders:
        contender.close()
        found, took = answers[contender.name], seconds[contender.name]
        if contender.exact:
            mismatches.check(f"{contender.name}, {len(vectors)} rows, k={k} {contender.where}", vectors, queries, found, expected)
        median = statistics.median(took)
        results.append({"contender": contender.name, "median_ms": median * 1e3, "p95_ms": quantile(took, 0.95) * 1e3, "ratio": median / base,
                        "recall": statistics.mean(map(recall, found, expected)), "returned": statistics.mean(map(len, found)),
                        "fewest": min(map(len, found))})
    return results


def together(clients, seconds, work):
    """Runs `work(client)`, a generator that does one thing at each step, in so many processes for so many seconds; the first step does not
    count. Returns how often a second it was done by all: the sum of each one's, so that one long step at the end does no harm."""
    barrier, queue = fork.Barrier(clients), fork.Queue()

    def run(client):
        steps = work(client)
        next(steps)
        barrier.wait()
        started, done = time.perf_counter(), 0
        while (spent := time.perf_counter() - started) < seconds:
            next(steps)
            done += 1
        queue.put((done, time.perf_counter() - started))

    processes = [fork.Process(target=run, args=(client,)) for client in range(clients)]
    for process in processes:
        process.start()
    measured = []
    while len(measured) < clients:
        try:
            measured.append(queue.get(timeout=1))
        except Empty:
            if any(process.exitcode for process in processes):
                for process in processes:
                    process.terminate()
                raise SystemExit("a client failed") from None
    for process in processes:
        process.join()
    return sum(done / spent for done, spent in measured), sum(done for done, _ in measured)


def throughput(contenders, queries, k, seconds):
    """Queries a second with one client and with two, each a process with a connection of its own."""
    rates = {}
    for contender in contenders:
        def work(client):
            contender.open()
            prepared = [contender.prepare(query) for query in queries]
            while True:
                for number in range(len(prepared)):
                    yield contender.search(prepared[(number + client * 7) % len(prepared)], k)

        rates[contender.name] = [together(clients, seconds, work)[0] for clients in (1, 2)]
    return rates
