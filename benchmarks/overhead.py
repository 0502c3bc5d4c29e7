#!/usr/bin/env python3
"""What `mapscope verify` costs the program that it watches, beside strace and bpftrace in the same run.

    tools/build-workloads --mode plain bench_growth bench_hot bench_syscalls
    sudo benchmarks/overhead.py build/release/userspace/mapscope

Runs each program bare and watched in turn, so that a slow moment of the machine hits all alike, and
compares the fastest round of each: what the machine adds by itself is never negative. "target" is the
program's own CPU time for one operation; "all" is that of program and tool together for the whole run,
the tool's start included. strace makes a tenth of the calls, since it would take minutes.
"""
import argparse
import shutil

from measuring import COUNT, bpftrace, measure, workload

# name -> program and arguments of one run, and those for strace
RUNS = {
    "system calls": (["bench_syscalls", "-n", "400000", "-rounds", "10"], ["bench_syscalls", "-n", "40000", "-rounds", "2"]),
    "maps of 1,000": (["bench_growth", "-k", "1000", "-n", "1000", "-rounds", "5"], None),
    "maps of 10": (["bench_growth", "-k", "20000", "-n", "10", "-rounds", "5"], None),
    "hot loop": (["bench_hot", "-k", "1000000", "-rounds", "5"], None),
}


def commands_of(name, options):
    """label -> command"""
    program, for_strace = RUNS[name]
    bare = [workload(options.go, program[0]), *program[1:]]
    commands = {"bare": bare}
    for depth in ([], ["--light"], ["--exact"]):
        commands[" ".join(["verify", *depth])] = [options.mapscope, "verify", "-o", "/dev/null", *depth, "--", *bare]
    if for_strace and shutil.which("strace"):
        commands["strace -f"] = ["strace", "-f", "-o", "/dev/null", workload(options.go, for_strace[0]), *for_strace[1:]]
    if program[0] == "bench_growth" and shutil.which("bpftrace"):
        commands["bpftrace"] = bpftrace(bare, COUNT)
    return commands


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mapscope")
    parser.add_argument("--go", default="1.26.8", metavar="VERSION", help="which build of the programs")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", choices=RUNS, action="append", help="one of the programs")
    options = parser.parse_args()

    print("| program | | target, ns | target | all |\n|---|---|---|---|---|")
    for name in options.only or RUNS:
        commands = commands_of(name, options)
        turns = [{label: measure(command) for label, command in commands.items()} for _ in range(options.turns)]
        target = {label: min(turn[label].fastest_ns for turn in turns) for label in commands}
        everything = {label: min(turn[label].all_seconds for turn in turns) for label in commands}
        for label in commands:
            together = "" if label == "strace -f" else f"{everything[label] / everything['bare']:.2f}x"
            print(f"| {name} | {label} | {target[label]:.0f} | {target[label] / target['bare']:.2f}x | {together} |", flush=True)


if __name__ == "__main__":
    main()
