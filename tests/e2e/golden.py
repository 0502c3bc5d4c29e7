"""What a trace says of a workload, without what differs from run to run: for people to read, and to
compare.

    goroutine 1
      created   #1  map[int]int  no hint                  make(map[int]int)   main.without
      grown     #1  map[int]int  8 -> 16 slots, len 8     m[i] = i            main.fill

Told are the events whose site is in package main, each with the text of that source line. Maps are
numbered in the order of appearance, and goroutines too.
"""
import functools
import pathlib

import harness

FOLDER = pathlib.Path(__file__).resolve().parent / "golden"
KINDS = {"map_created": "created", "map_grown": "grown", "map_split": "split", "map_rehashed": "rehashed",
         "map_cleared": "cleared", "map_cloned": "cloned", "large_allocation": "large", "map_misuse": "misuse"}


@functools.cache
def source_lines(path):
    return pathlib.Path(path).read_text().splitlines()


def source_of(site):
    """The text of a line of a workload, whatever directory it was compiled in."""
    path = harness.ROOT / "workloads" / pathlib.Path(*pathlib.Path(site["file"]).parts[-2:])
    return source_lines(path)[site["line"] - 1].strip()


def is_told(event):
    return event["event"] in KINDS and event["site"] is not None and event["site"]["function"].startswith("main.")


def what(event):
    """What happened, in words: only what the event says, in the order of its keys."""
    words = []
    if event.get("message"):
        words.append(event["message"])
    if event.get("hint") is not None:
        words.append(f"hint {event['hint']}")
    if event.get("len") is not None:
        words.append(f"len {event['len']}")
    before, after = event.get("slots_before"), event.get("slots")
    if before is not None and after is not None:
        words.append(f"{before} -> {after} slots")
    elif after is not None or before is not None:
        words.append(f"{before if after is None else after} slots")
    if event.get("table_slots_before") is not None and before is None:
        words.append(f"a table of {event['table_slots_before']} slots")
    # With 128 slots a classic map begins to keep overflow buckets; whether it had some before, and so the 24 bytes
    # for their list, is up to its seed.
    if event.get("bytes") is not None and not (event.get("operation") == "hash_grow" and after == 128):
        words.append(f"{event['bytes']} bytes")
    if event.get("stack_distance") is not None:
        words.append("on the stack")
    if event.get("first_sight"):
        words.append("creation not seen")
    return ", ".join(words)


def normalised(events):
    """The text of a golden file."""
    goroutines = {}
    for event in filter(is_told, events):
        goroutines.setdefault((event["pid"], event["goroutine"]), []).append(event)
    maps, rows = {}, []
    for number, told in enumerate(goroutines.values(), 1):
        rows.append((f"goroutine {number}",))
        for event in told:
            identity = event.get("map_number") and (event["pid"], event["map_number"])
            name = f"#{maps.setdefault(identity, len(maps) + 1)}" if identity else "-"
            rows.append(("", KINDS[event["event"]], name, event.get("type") or "-", what(event),
                         event["site"]["function"], source_of(event["site"])))
    widths = [max((len(row[column]) for row in rows if len(row) > 1), default=0) for column in range(7)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def files_of(name):
    """Go version -> the file that holds from this version on, oldest first."""
    files = {path.name.removeprefix(f"{name}.go").removesuffix(".txt"): path for path in FOLDER.glob(f"{name}.go*.txt")}
    return {version: files[version] for version in sorted(files, key=harness.version_key)}


def expected(name, version):
    """The text that holds for a Go version; None: there is none."""
    holding = [path for since, path in files_of(name).items() if harness.version_key(since) <= harness.version_key(version)]
    return holding[-1].read_text() if holding else None


def update(name, texts):
    """Writes what all Go versions said, a file for each that differs from the version before."""
    for path in files_of(name).values():
        path.unlink()
    FOLDER.mkdir(exist_ok=True)
    last = None
    for version in sorted(texts, key=harness.version_key):
        if texts[version] != last:
            last = texts[version]
            (FOLDER / f"{name}.go{minor_of(version)}.txt").write_text(last)


def minor_of(version):
    return ".".join(version.split(".")[:2])
