#!/usr/bin/env python3
"""How many events a second `mapscope verify` brings home, and whether it counts what it loses.

    tools/build-workloads --mode plain bench_memory
    sudo benchmarks/event_rate.py build/release/userspace/mapscope

Each memory call is two events: the call and its result. The program says how many it made.
"""
import argparse
import json
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mapscope")
    parser.add_argument("--go", default="1.26.8", metavar="VERSION", help="which build of the program")
    parser.add_argument("--rates", type=int, nargs="+", default=[50000, 100000, 200000, 1000000])
    options = parser.parse_args()

    program = ROOT / "build/workloads" / options.go / "plain/bench_memory"
    print("| asked, calls/s | made, calls/s | events sent | lost | madvise seen | made |\n|---|---|---|---|---|---|")
    for rate in options.rates:
        done = subprocess.run([options.mapscope, "verify", "--json", "--", program, "-rate", str(rate)], capture_output=True, text=True)
        report = json.loads(done.stderr)
        made = {key: int(value) for key, value in re.findall(r"(calls\w*)=(\d+)", done.stdout)}
        lost = report["events"]["lost"]["ring_full"]
        seen = report["system_calls"]["memory"]["madvise"]["calls"]
        print(f"| {rate:,} | {made['calls_per_second']:,} | {report['events']['sent']:,} | {lost:,} | {seen:,} | {made['calls']:,} |", flush=True)


if __name__ == "__main__":
    main()
