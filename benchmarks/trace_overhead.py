#!/usr/bin/env python3
"""What `mapscope trace`, `record` and `verify` cost the program that they watch, beside bpftrace in the same run.

    tools/build-workloads --go 1.26.8 --mode plain bench_growth bench_hot
    sudo benchmarks/trace_overhead.py build/release/userspace/mapscope

Runs each program bare and watched in turn, so that a slow moment of the machine hits all alike, and compares
the fastest round of each: what the machine adds by itself is never negative. "target" is the program's own CPU
time for one operation. "tool" is the CPU time of whoever watches as a share of the program's, without what a run
of a single round costs as well: the start, and the end. bpftrace counts the growth functions, or prints a line
and a stack at each, at their first instructions.
"""
import argparse
import pathlib
import shutil
import tempfile

from measuring import COUNT, PRINT, bpftrace, measure, workload

# name -> program and arguments but for the rounds, rounds
RUNS = {
    "maps of 1,000": (["bench_growth", "-k", "1000", "-n", "1000"], 25),
    "maps of 10": (["bench_growth", "-k", "20000", "-n", "10"], 25),
    "hot loop": (["bench_hot", "-k", "1000000"], 25),
}
# What `trace` may cost, of the target's own CPU.
LIMITS = {("maps of 1,000", "trace"): 1.15, ("maps of 10", "trace"): 1.05, ("maps of 10", "trace --all"): 3.5, ("hot loop", "trace"): 1.02}
TOOL_LIMIT = {("maps of 1,000", "trace"): 0.02}


def commands_of(bare, mapscope, directory):
    """label -> command"""
    to = str(directory / "output")
    commands = {"bare": bare}
    for label, words in {
        "trace": ["trace", "-o", to], "trace --stack": ["trace", "--stack", "-o", to], "trace --json": ["trace", "--json", "-o", to],
        "trace -c": ["trace", "-c", "-o", to], "trace --all": ["trace", "--all", "-o", to], "trace --exact": ["trace", "--exact", "-o", to],
        "record --rare": ["record", "--rare", to], "record": ["record", to], "verify": ["verify", "-o", to],
    }.items():
        commands[label] = [mapscope, *words, "--", *bare]
    if shutil.which("bpftrace"):
        commands["bpftrace, count"] = bpftrace(bare, COUNT)
        commands["bpftrace, print"] = bpftrace(bare, PRINT)
    return commands


def compare(name, options, directory):
    words, rounds = RUNS[name]
    bare = [workload(options.go, words[0]), *words[1:], "-rounds"]
    whole, short = (commands_of([*bare, str(count)], options.mapscope, directory) for count in (rounds, 1))
    wanted = [label for label in whole if not options.label or label in options.label or label == "bare"]
    turns = [{label: (measure(whole[label]), measure(short[label])) for label in wanted} for _ in range(options.turns)]
    fastest = {label: min(turn[label][0].fastest_ns for turn in turns) for label in wanted}
    for label in wanted:
        tool = min(turn[label][0].rest_seconds for turn in turns) - min(turn[label][1].rest_seconds for turn in turns)
        share = tool / min(turn[label][0].program_seconds for turn in turns)
        ratio = fastest[label] / fastest["bare"]
        limit = LIMITS.get((name, label))
        tool_limit = TOOL_LIMIT.get((name, label))
        cells = [name, label, f"{fastest[label]:.0f}", f"{ratio:.3f}x", f"{limit:.2f}x" if limit else "",
                 f"{share * 100:.1f} %" if label != "bare" else "", f"{tool_limit * 100:.0f} %" if tool_limit else ""]
        print(f"| {' | '.join(cells)} |", flush=True)
        if (limit and ratio > limit) or (tool_limit and share > tool_limit):
            yield f"{name}, {label}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mapscope")
    parser.add_argument("--go", default="1.26.8", metavar="VERSION", help="which build of the programs")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", choices=RUNS, action="append", help="one of the programs")
    parser.add_argument("--label", action="append", help='one of the ways to watch, such as "trace --all"')
    options = parser.parse_args()

    print("| program | | target, ns | target | limit | tool | limit |\n|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="mapscope-benchmark-") as directory:
        over = [sentence for name in options.only or RUNS for sentence in compare(name, options, pathlib.Path(directory))]
    return f"over the limit: {'; '.join(over)}" if over else 0


if __name__ == "__main__":
    raise SystemExit(main())
