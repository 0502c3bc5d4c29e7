"""The tables that a soak ends with, as Markdown."""

def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"
    yield ""


def lines_of(soak):
    yield from table(["fault", "times"], sorted(soak.journal.faults.items()))
    commands = sorted({name for name, _ in soak.ended})
    yield from table(["command", "runs", "by exit status"], (
        (name, sum(count for (one, _), count in soak.ended.items() if one == name),
         ", ".join(f"{status}: {count}" for (one, status), count in sorted(soak.ended.items(), key=lambda item: item[0][1]) if one == name))
        for name in commands))
    yield from table(["targets that ended", "number"], sorted(soak.targets_ended.items()))
    yield from table(["sum that was checked", "times"], sorted(soak.sums.items()))
    yield from table(["told by", "sent", "lost, by name"], (
        *((command, f"{soak.sent[command]:,}", ", ".join(f"{name}: {count:,}" for name, count in sorted(soak.losses[command].items())) or "nothing")
          for command in sorted(soak.sent)),
        ("the daemon, all lives", "", ", ".join(f"{name}: {count:,}" for name, count in sorted(soak.daemon_losses.items())) or "nothing")))
    yield from table(["`verify` was inconclusive since", "times"], soak.reasons.most_common(12))
    figures = soak.figures
    if figures and soak.baseline and soak.last:
        yield from table(["the daemon", "at the beginning", "at most", "at the end"], (
            (words, soak.baseline[key] // part, max(row[key] for row in figures) // part, soak.last[key] // part)
            for words, key, part in (("resident MiB", "resident_kib", 1024), ("descriptors", "descriptors", 1), ("threads", "threads", 1),
                                     ("children", "children", 1))))
    yield (f"Daemon: {soak.subject.lives} lives, {len(soak.told)} findings, {len(soak.unwritten)} of them first seen while its disk was full; SIGTERM took "
           f"{', '.join(f'{seconds:.2f}' for seconds in sorted(soak.subject.ends_seconds))} s.")
    yield f"{len(soak.kinds_of)} targets of {len(soak.options.versions)} Go releases, at most {max([row['targets'] for row in figures], default=0)} at once."
    yield f"Problems: {len(soak.journal.problems)}"
    for problem in soak.journal.problems:
        yield f"- {problem[:400]}"


def summary(soak):
    title = "each fault once" if soak.options.each_once else f"{soak.options.minutes:g} minutes"
    kind = "with sanitizers" if soak.options.sanitizers else "without sanitizers"
    return "\n".join([f"soak: seed {soak.options.seed}, {title}, {kind}", "", *lines_of(soak)])
