"""Makes a table of what criterion measured: time of a distance, and how it compares with the yardsticks.

Usage: kernels.py CRITERION_DIRECTORY CSV_FILE
"""

import csv
import json
import pathlib
import platform
import sys


def cpu():
    names = [line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {len(names)} cores"


def main(directory, csv_file):
    times = {}  # (dimensions, metric, level): nanoseconds of the median
    for estimates in pathlib.Path(directory).glob("*/*/*/new/estimates.json"):
        dim, metric, level = estimates.parts[-5:-2]
        if dim.isdecimal():
            times[int(dim), metric, level] = json.loads(estimates.read_text())["median"]["point_estimate"]
    print(f"Conditions: {cpu()}; one thread; both vectors in cache; medians.\n")
    rows = []
    for (dim, metric, level), nanoseconds in sorted(times.items()):
        scalar = times[dim, metric, "scalar"]
        rows.append({"dimensions": dim, "metric": metric, "level": level, "ns": round(nanoseconds, 1),
                     "times_faster_than_scalar": round(scalar / nanoseconds, 1)})
    with open(csv_file, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    widths = {key: max(len(key), *(len(str(row[key])) for row in rows)) for key in rows[0]}
    for row in [dict(zip(rows[0], rows[0])), *rows]:
        print("  ".join(str(row[key]).ljust(widths[key]) for key in widths))


if __name__ == "__main__":
    main(*sys.argv[1:])
