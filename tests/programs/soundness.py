"""What has to hold of every answer about a program that nobody here wrote: a list of sentences on what does not.

And what an answer can't tell, though what it says is true: these make a cell `degraded`.
"""
CONTENTS_UNKNOWN_SHARE_MAX = 0.05  # of maps with contents, as in the quick end-to-end tests


def lost(report):
    return {name: count for name, count in report["events"]["lost"].items() if count and name != "stack_unreadable"}


def verify_problems(report):
    """What contradicts itself in a mapscope.verify/1."""
    found = []
    inside = report["system_calls"]["inside"]
    if report["verdict"] == "clean" and (inside.get("file") or report["file_calls_inside"] or lost(report)):
        found.append(f"verify says clean, with {inside.get('file')} file calls inside and {lost(report)} lost")
    if report["verdict"] == "violated" and not report["violations"]:
        found.append("verify says violated, and shows no violation")
    for name in ("window_only", "stack_only"):
        if report["witnesses"][name]:
            found.append(f"the witnesses of verify disagree: {name} {report['witnesses'][name]}")
    by_name = sum(calls["inside"] + calls["outside"] for calls in report["system_calls"]["by_name"].values())
    by_class = sum(sum(report["system_calls"][place].values()) for place in ("inside", "outside"))
    if by_name != by_class:
        found.append(f"verify counts {by_name} system calls by name and {by_class} by class")
    return found


def trace_problems(events, end):
    """What contradicts itself in the lines of a mapscope.trace/1."""
    if end is None:
        return ["trace did not end its output"]
    found, kinds = [], end["events"]["by_kind"]
    counted = sum(kind["sent"] for kind in kinds.values())
    if counted != end["events"]["sent"]:
        found.append(f"trace sent {end['events']['sent']} records, and {counted} by kind")
    times = [event["time_ns"] for event in events]
    if times != sorted(times):
        found.append("the lines of trace are not in the order of time")
    for event in events:
        slots, before = event.get("slots"), event.get("slots_before")
        if event["event"] == "map_grown" and slots is not None and before is not None and slots < before:
            found.append(f"trace says of a map that it grew from {before} to {slots} slots")
        if event["event"] == "map_split" and slots is not None and before is not None and slots <= before:
            found.append(f"trace says of a split from {before} to {slots} slots")
    return found[:5]


def map_problems(report):
    """What contradicts itself in a mapscope.maps/1, for a look at all maps."""
    found, totals, heap = [], report["totals"], report["heap"]
    told = [row for row in report["maps"] if row["evidence"] != "plausible"]
    for what, sum_of_rows in (("maps", len(told)), ("bytes", sum(row["bytes"] for row in told)), ("entries", sum(row["len"] for row in told))):
        if sum_of_rows != totals[what]:
            found.append(f"its totals say {totals[what]} {what}, its maps add up to {sum_of_rows}")
    for row in report["maps"]:
        at = f"map {row['address']} ({row['type']})"
        if sum(part or 0 for part in row["bytes_by_cause"].values()) != row["bytes"]:
            found.append(f"the bytes by cause of {at} don't add up")
        if row["len"] + row["tombstones"] > row["slots"]:
            found.append(f"{at} has {row['len']} entries and {row['tombstones']} tombstones in {row['slots']} slots")
        if row["reclaimable_bytes"] is not None and not 0 <= row["reclaimable_bytes"] <= row["bytes"]:
            found.append(f"{at} has {row['bytes']} bytes, {row['reclaimable_bytes']} of them reclaimable")
        if row["type_certainty"] == "candidate" and not row["type_candidates"]:
            found.append(f"{at} has candidates for its type, and none is named")
        if row["reachable"] and not (row["owner"] and row["owner_path"]):
            found.append(f"{at} is reachable, and nobody is named")
        if any(site["function"].startswith("runtime.") for site in row["sites"]):
            found.append(f"{at} has a line of the runtime for its site")
    in_heap = sum(row["bytes"] for row in told if row["location"] == "heap")
    # Of a process that runs, the runtime's counts are of another moment.
    if in_heap > heap["in_use_bytes"]:
        found.append(f"its maps hold {in_heap} bytes of {heap['in_use_bytes']} in use")
    return found[:5]


def same_moment_problems(plain, with_owners):
    """Of a process that stands still: who looks for owners too sees the same maps, and headers without contents that something refers to."""
    found = []
    plain, with_owners = ({row["address"]: row for row in report["maps"]} for report in (plain, with_owners))
    for address in sorted(plain.keys() | with_owners.keys()):
        one, other = plain.get(address), with_owners.get(address)
        if not other or not one and (other["evidence"] != "referenced" or other["slots"]):
            found.append(f"map {address} is told only {'with' if other else 'without'} owners")
        elif one and any(one[key] != other[key] for key in ("len", "slots", "tombstones", "seed")):
            found.append(f"map {address} is another one with owners")
    return found[:5]


def heap_problems(report, before, after):
    """Both look at a heap that changes, by a collection even."""
    found = []
    for key, name in (("in_use_bytes", "heap_inuse_bytes"), ("allocated_bytes", "heap_alloc_bytes")):
        low, high = sorted((before[name], after[name]))
        if not 0.5 * low < report["heap"][key] < 2 * high:
            found.append(f"its {key} are {report['heap'][key]}; the program counted {low:.0f} and {high:.0f}")
    return found


def what_maps_leave_open(report):
    """Sentences; none: every map with contents has a type or candidates for it."""
    contents = [row for row in report["maps"] if row["len"] > 0]
    unknown = [row for row in contents if row["type_certainty"] == "unknown"]
    sentences = []
    if len(unknown) > CONTENTS_UNKNOWN_SHARE_MAX * len(contents):
        sentences.append(f"Of {len(contents)} maps with contents, {len(unknown)} have no type: this program's heap does not tell it.")
    if unsettled := report["totals"]["unsettled"]:
        if unsettled * 100 > report["totals"]["maps"]:
            sentences.append(f"{unsettled} of {report['totals']['maps']} maps changed while they were read, and what they hold is not told.")
    return sentences + [sentence for sentence in report["not_seen"] if not report["stacks_searched"]]


def what_owners_leave_open(report):
    """Sentences; none: every map with contents has an owner or is garbage, but for a few that changed meanwhile."""
    owners, contents = report["owners"], [row for row in report["maps"] if row["len"] > 0]
    if not owners["looked_for"] or owners["stopped_by"]:
        return [f"The walk for owners was not complete: {owners['stopped_by'] or 'it would have taken too long'}."]
    untold = [row for row in contents if row["reachable"] is None]
    if len(untold) <= CONTENTS_UNKNOWN_SHARE_MAX * len(contents):
        return []
    why = "they changed meanwhile" if owners["complete"] else f"of the goroutines {owners['goroutines_left_out']} ran and could not be read"
    return [f"Of {len(contents)} maps with contents {len(untold)} have no owner and are not called unreachable: {why}."]
