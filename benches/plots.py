"""Plots of what peers.py measured, as SVG files: latency against rows, latency against recall, build time, size."""

try:
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "vera_vec", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False,
                                "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3})
    from matplotlib import pyplot
except ImportError:
    pyplot = None

COLOURS = {"vera_vec": "#c0392b", "pgvector": "#2c6fbb", "pgvector PLAIN": "#7fb0e0", "pgvector HNSW": "#e08e0b", "faiss": "#3a8a3a", "numpy": "#777777",
           "usearch": "#8e5ea2"}


def colour(contender):
    """That of the longest name it begins with."""
    return COLOURS[max((name for name in COLOURS if contender.startswith(name)), key=len)]


def draw(search, build, directory):
    if not pyplot:
        print("without plots: matplotlib is not installed")
        return
    hard = [r for r in search if r["queries"] == "hard" and r["k"] == 10]
    dimensions = sorted({r["dimensions"] for r in hard})
    save(latency_by_rows, hard, [d for d in dimensions if len({r["rows"] for r in hard if r["dimensions"] == d}) > 1], f"{directory}/peers-rows.svg")
    save(latency_by_recall, hard, dimensions, f"{directory}/peers-recall.svg")
    save(bars("seconds", "seconds"), [r for r in build if "seconds" in r], dimensions, f"{directory}/peers-build.svg")
    save(bars("MiB", "MiB"), [r for r in build if "MiB" in r], dimensions, f"{directory}/peers-size.svg")


def save(plot, results, dimensions, path):
    """One plot beside the other for every number of dimensions."""
    if not dimensions:
        return
    figure, axes = pyplot.subplots(1, len(dimensions), figsize=(5.5 * len(dimensions), 4), squeeze=False, layout="constrained")
    for axis, dim in zip(axes[0], dimensions):
        some = [r for r in results if r["dimensions"] == dim]
        plot(axis, some)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def most(results):
    """The results with the most rows, and a title that says how many and of what."""
    rows = max(r["rows"] for r in results)
    found = [r for r in results if r["rows"] == rows]
    return found, f"{rows:,} x {found[0]['dimensions']}, {found[0]['data']}"


def latency_by_rows(axis, results):
    for name in dict.fromkeys(r["contender"] for r in results):
        points = sorted((r["rows"], r["median_ms"]) for r in results if r["contender"] == name)
        axis.plot(*zip(*points), marker="o", markersize=3, label=name, color=colour(name), linestyle="--" if "parallel" in name or "ef=" in name else "-")
    axis.set(xscale="log", yscale="log", xlabel="rows", ylabel="median ms, k = 10", title=most(results)[1])
    axis.legend(fontsize=6)


def latency_by_recall(axis, results):
    results, title = most(results)
    curve = [(r["recall"], r["median_ms"], r["contender"]) for r in results if "HNSW" in r["contender"]]
    if curve:
        axis.plot([c[0] for c in curve], [c[1] for c in curve], marker="o", markersize=3, color=colour("pgvector HNSW"), label="pgvector HNSW")
    for recall, milliseconds, name in curve:
        axis.annotate(name.split()[-1], (recall, milliseconds), fontsize=6, xytext=(3, -8), textcoords="offset points")
    for result in results:
        if "HNSW" not in result["contender"] and "parallel" not in result["contender"]:
            star = result["contender"] == "vera_vec index"
            axis.plot(1, result["median_ms"], "*" if star else "s", markersize=11 if star else 4, color=colour(result["contender"]), label=result["contender"],
                      markerfacecolor=None if star or "scan" not in result["contender"] else "none", clip_on=False)
    axis.set(yscale="log", xlabel="recall, k = 10", ylabel="median ms", title=title)
    axis.legend(fontsize=6)


def bars(value, unit):
    def plot(axis, results):
        results, title = most(results)
        names = [r["what"] for r in results]
        drawn = axis.barh(names, [r[value] for r in results], color=[colour(n.split(", ")[1]) if ", pgvector" in n else colour("vera_vec") for n in names])
        axis.bar_label(drawn, fmt="%.3g", fontsize=7, padding=2)
        axis.invert_yaxis()
        axis.set(xlabel=unit, title=title)
    return plot
