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
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What a user of bpftrace would write: the same functions, at their first instruction.
BPFTRACE = "uprobe:{0}:\"{1}\" {{ @ = count(); }}"
FUNCTIONS = ["internal/runtime/maps.(*table).rehash", "internal/runtime/maps.(*Map).growToTable",
             "internal/runtime/maps.NewMap", "runtime.makemap_small"]
# name -> program and arguments of one run, and those for strace
RUNS = {
    "system calls": (["bench_syscalls", "-n", "400000", "-rounds", "10"], ["bench_syscalls", "-n", "40000", "-rounds", "2"]),
    "maps of 1,000": (["bench_growth", "-k", "1000", "-n", "1000", "-rounds", "5"], None),
    "maps of 10": (["bench_growth", "-k", "20000", "-n", "10", "-rounds", "5"], None),
    "hot loop": (["bench_hot", "-k", "1000000", "-rounds", "5"], None),
}


def measure(command):
    """CPU nanoseconds of one operation in the program's fastest round, and CPU seconds of everything."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    rounds = [float(value) for value in re.findall(r"cpu_ns_per_operation=([0-9.]+)", output)]
    if not rounds:
        sys.exit(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)} and printed no round")
    return min(rounds), usage.ru_utime + usage.ru_stime


def commands_of(name, options):
    """label -> command"""
    program, for_strace = RUNS[name]
    folder = ROOT / "build/workloads" / options.go / "plain"
    bare = [str(folder / program[0]), *program[1:]]
    commands = {"bare": bare}
    for depth in ([], ["--light"], ["--exact"]):
        commands[" ".join(["verify", *depth])] = [options.mapscope, "verify", "-o", "/dev/null", *depth, "--", *bare]
    if for_strace and shutil.which("strace"):
        commands["strace -f"] = ["strace", "-f", "-o", "/dev/null", str(folder / for_strace[0]), *for_strace[1:]]
    if program[0] == "bench_growth" and shutil.which("bpftrace"):
        script = " ".join(BPFTRACE.format(bare[0], function) for function in FUNCTIONS)
        commands["bpftrace"] = ["bpftrace", "-e", script, "-c", " ".join(bare)]
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
        fastest = {label: [min(turn[label][part] for turn in turns) for part in (0, 1)] for label in commands}
        for label, (target, everything) in fastest.items():
            together = "" if label == "strace -f" else f"{everything / fastest['bare'][1]:.2f}x"
            print(f"| {name} | {label} | {target:.0f} | {target / fastest['bare'][0]:.2f}x | {together} |", flush=True)


if __name__ == "__main__":
    main()
