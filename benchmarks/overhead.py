#!/usr/bin/env python3
"""What `mapscope verify` costs the program that it watches, in that program's own CPU time.

    tools/build-workloads --mode plain bench_growth bench_hot bench_syscalls
    sudo benchmarks/overhead.py build/release/userspace/mapscope

Runs each program bare and watched in turn, so that a slow moment of the machine hits both, and
compares the fastest round of each: what the machine adds by itself is never negative.
"""
import argparse
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = {  # name -> arguments of one run
    "bench_growth": ["-k", "1000", "-rounds", "3"],
    "bench_hot": ["-k", "1000000", "-rounds", "3"],
    "bench_syscalls": ["-n", "200000", "-rounds", "3"],
}
DEPTHS = [["--light"], [], ["--exact"]]


def fastest_round_ns(command):
    """CPU nanoseconds of the whole process for one operation, in its fastest round."""
    done = subprocess.run(command, capture_output=True, text=True)
    rounds = [float(value) for value in re.findall(r"cpu_ns_per_operation=([0-9.]+)", done.stdout)]
    if not rounds:
        sys.exit(f"{' '.join(command)} ended with {done.returncode} and printed no round:\n{done.stderr}")
    return min(rounds)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mapscope")
    parser.add_argument("--go", default="1.26.8", metavar="VERSION", help="which build of the programs")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()

    print(f"{'program':16} {'':10} {'ns/operation':>12} {'ratio':>6}")
    for name, arguments in PROGRAMS.items():
        bare = [str(ROOT / "build/workloads" / options.go / "plain" / name), *arguments]
        watched = {" ".join(depth) or "verify": [options.mapscope, "verify", "-o", "/dev/null", *depth, "--", *bare] for depth in DEPTHS}
        commands = {"bare": bare, **watched}
        turns = [{label: fastest_round_ns(command) for label, command in commands.items()} for _ in range(options.turns)]
        fastest = {label: min(turn[label] for turn in turns) for label in commands}
        for label, value in fastest.items():
            print(f"{name:16} {label:10} {value:12.1f} {value / fastest['bare']:6.2f}")


if __name__ == "__main__":
    main()
