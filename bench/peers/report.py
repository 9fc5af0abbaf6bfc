"""The table of ratios and that of modes, as text and as Markdown."""
import statistics

STATISTICS = {"median": statistics.median, "least": min}


def figure(rounds, statistic="median"):
    """Median of the rounds' medians; or the least sample of all, which holds on a machine that others use too."""
    over = STATISTICS[statistic]
    return over(over(samples) for samples in rounds)


def spread(rounds):
    """Half the way from the slowest to the fastest round, in per cent of the figure."""
    medians = [statistics.median(samples) for samples in rounds]
    return 50 * (max(medians) - min(medians)) / figure(rounds)


def duration(seconds):
    for unit, factor in (("s", 1), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 1 or unit == "us":
            break
    return ("%.3g %s" if seconds * factor < 1000 else "%.0f %s") % (seconds * factor, unit)


def ratio(of, to):
    return "%.2fx" % (of / to) if of and to else "-"


def label(about):
    return "%s %s" % (about["peer"], about["version"])


def best(result, row, peer):
    """(time, version, mode) of the fastest mode of all versions of a peer, or None."""
    found = [(figure(mode["rounds"], result["statistic"]), about["version"], name)
             for about in result["peers"] if about["peer"] == peer
             for name, mode in row["peers"].get(label(about), {}).items() if mode.get("rounds")]
    return min(found, default=None)


def own(result, row):
    return figure(row["clgrad"], result["statistic"]) if row["clgrad"] else None


def ratio_table(result):
    """A cell is a peer's time over clgrad's, its time, and the version and mode that reached it."""
    peers = list(dict.fromkeys(about["peer"] for about in result["peers"]))
    lines = [["row", "clgrad", "best peer"] + peers]
    for row in result["rows"]:
        mine = own(result, row)
        found = [best(result, row, peer) for peer in peers]
        least = min((f[0] for f in found if f), default=None)
        cells = ["%s %s (%s %s)" % (ratio(f[0], mine), duration(f[0]), f[1], f[2]) if f else "-" for f in found]
        lines.append([row["id"], duration(mine) if mine else row["reason"], ratio(least, mine)] + cells)
    return lines


def roof_table(result):
    """Shares of the roof that was measured beside clgrad's samples, and the ratios that work at the roof would have."""
    peers = list(dict.fromkeys(about["peer"] for about in result["peers"]))
    lines = [["row", "at the roof", "clgrad", "best peer"] + ["%s over the roof" % peer for peer in peers]]
    for row in result["rows"]:
        if not row["at_roof"]:
            continue
        roof, mine = figure(row["at_roof"], result["statistic"]), own(result, row)
        found = [best(result, row, peer) for peer in peers]
        least = min((f[0] for f in found if f), default=None)
        lines.append([row["id"], duration(roof), share(roof, mine), share(roof, least)] + [ratio(f and f[0], roof) for f in found])
    return lines


def share(roof, time):
    return "%.0f %%" % (100 * roof / time) if time else "-"


def mode_table(result):
    lines = [["row", "who", "mode", "median", "rounds +-", "least", "ratio", "error"]]
    for row in result["rows"]:
        mine = own(result, row)
        if row["clgrad"]:
            lines.append([row["id"], "clgrad", ""] + mode_cells(result, row["clgrad"], mine) + [""])
        for peer, measured in row["peers"].items():
            for name, mode in measured.items():
                cells = mode_cells(result, mode["rounds"], mine) + ["%.1g" % mode["error"]] if mode.get("rounds") else \
                    ["not timed: " + mode.get("reason", "?"), "", "", "", ""]
                lines.append([row["id"], peer, name] + cells)
    return lines


def mode_cells(result, rounds, mine):
    return [duration(figure(rounds)), "%.0f%%" % spread(rounds), duration(figure(rounds, "least")),
            ratio(figure(rounds, result["statistic"]), mine)]


def peer_table(result):
    return [["peer", "threads", "matrix products by", "device"]] + [
        [label(a), str(a["threads"]), a["core"], a["device"]] for a in result["peers"]]


def text(table):
    widths = [max((len(line[i]) for line in table if len(line[i]) < 60), default=0) for i in range(len(table[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in table)


def markdown(table):
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in table]
    return "\n".join([lines[0], "|" + "---|" * len(table[0])] + lines[1:])


def document(result, form):
    """Everything, by `form` (text or markdown)."""
    taken = "medians over %d rounds" if result["statistic"] == "median" else "the least of all samples of %d rounds"
    explanation = ("Times are " + taken + " in which clgrad and the peers took turns. A ratio is the peer's time over clgrad's: above 1, "
                   "clgrad is faster. Each peer in the fastest of its modes and versions.") % result["rounds"]
    return "\n\n".join([result["machine"], form(peer_table(result)), *result["notes"], explanation, form(ratio_table(result)),
                        "Shares of each row's roof (the rate of `clgrad bench`'s own roof for its access pattern, measured in the same turns), and how much longer than work at "
                        "that roof each peer takes, which bounds any ratio above:", form(roof_table(result)),
                        "Every mode, half the range of its rounds, and its error against f64:", form(mode_table(result))]) + "\n"
