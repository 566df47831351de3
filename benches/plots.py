"""Plots of what peers.py measured, as SVG files: latency against rows, latency against recall, build time, size."""

try:
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "vera_vec", "svg.fonttype": "none", "font.size": 9, "axes.spines.top": False,
                                "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.3})
    from matplotlib import pyplot, ticker
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
    for dim in sorted({r["dimensions"] for r in hard}):
        searched, built = ([r for r in results if r["dimensions"] == dim] for results in (hard, build))
        if len({r["rows"] for r in searched}) > 1:
            save(latency_by_rows, searched, f"{directory}/peers-rows-{dim}.svg")
        # The largest table may be ours alone, which is no race.
        raced = max((r["rows"] for r in searched if r["contender"].startswith("pgvector")), default=max(r["rows"] for r in searched))
        searched, built = ([r for r in results if r["rows"] <= raced] for results in (searched, built))
        save(latency_by_recall, searched, f"{directory}/peers-recall-{dim}.svg")
        save(bars("seconds"), [r for r in built if "seconds" in r], f"{directory}/peers-build-{dim}.svg")
        save(bars("MiB"), [r for r in built if "MiB" in r], f"{directory}/peers-size-{dim}.svg")


def save(plot, results, path):
    figure, axis = pyplot.subplots(figsize=(6, 4), layout="constrained")
    plot(axis, results)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def most(results):
    """The results with the most rows, and a title that says how many and of what."""
    rows = max(r["rows"] for r in results)
    found = [r for r in results if r["rows"] == rows]
    return found, f"{rows:,} x {found[0]['dimensions']}, {found[0]['data']}"


def plain_numbers(*axes):
    """10,000 and not 10 to the power of 4."""
    for axis in axes:
        axis.set_minor_locator(ticker.LogLocator(subs=(2, 5)))
        axis.set_major_formatter("{x:,.10g}")
        axis.set_minor_formatter("{x:,.10g}")


def latency_by_rows(axis, results):
    """Without parallel scans, which are for the tables."""
    for name in dict.fromkeys(r["contender"] for r in results if "parallel" not in r["contender"]):
        points = sorted((r["rows"], r["median_ms"]) for r in results if r["contender"] == name)
        # HNSW's lines differ in strength, by their ef.
        strength = 0.3 + int(name.split("=")[1]) / 600 if "ef=" in name else 1
        axis.plot(*zip(*points), marker="o", markersize=3, label=name, color=colour(name), alpha=strength, linestyle="--" if "scan" in name else "-",
                  linewidth=2.5 if name == "vera_vec index" else 1.2)
    axis.set(xscale="log", yscale="log", xlabel="rows", ylabel="median ms, k = 10", title=most(results)[1])
    plain_numbers(axis.xaxis, axis.yaxis)
    axis.legend(fontsize=6, loc="upper left")


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
    plain_numbers(axis.yaxis)
    axis.legend(fontsize=6)


def bars(value):
    def plot(axis, results):
        results, title = most(results)
        names = [r["what"] for r in results]
        drawn = axis.barh(names, [r[value] for r in results], color=[colour(n.split(", ")[1]) if ", pgvector" in n else colour("vera_vec") for n in names])
        axis.bar_label(drawn, fmt="%.3g", fontsize=7, padding=2)
        axis.invert_yaxis()
        axis.set(xlabel=value, title=title)
    return plot
