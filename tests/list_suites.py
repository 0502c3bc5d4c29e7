#!/usr/bin/env python3
"""Tells CTest which suites a test executable has: one CTest test for each, and for each Go release and
mode that a suite has in the names of its parameters. The tests of one suite share a process, and what
they learnt of a program.

    list_suites.py OUTPUT FILTER LABELS [EMULATOR...] EXECUTABLE

OUTPUT is a file for CTest to include; FILTER leaves tests out, as --gtest_filter does. EMULATOR runs executables of
another architecture.
"""
import re
import subprocess
import sys

RELEASE = re.compile(r"\d+_\d+_\d+")
SKIPPED = 77  # of support/test_main.cpp
COST = 10     # of a suite that looks at programs: first those that take long


def filters_of(listing):
    """Name for CTest -> filter for the executable, in the order of the listing."""
    filters, suite = {}, None
    for line in listing.splitlines():
        if not line.startswith(" "):
            suite = line.partition("#")[0].strip().removesuffix(".")
            continue
        name, _, parameter = line.partition("#")[0].strip().partition("/")
        if RELEASE.search(parameter):
            filters[f"{suite}/{parameter}"] = f"{suite}.*/{parameter}"
        else:
            filters[suite] = f"{suite}.*"
    return filters


def main():
    output, left_out, labels, *command = sys.argv[1:]
    listing = subprocess.run([*command, "--gtest_list_tests", f"--gtest_filter={left_out}"],
                             check=True, stdout=subprocess.PIPE, text=True).stdout
    words = " ".join(f"[==[{word}]==]" for word in command)
    with open(output, "w") as file:
        for name, chosen in filters_of(listing).items():
            cost = COST if RELEASE.search(name) else 1
            file.write(f'add_test([==[{name}]==] {words} [==[--gtest_filter={chosen}]==])\n'
                       f'set_tests_properties([==[{name}]==] PROPERTIES LABELS {labels} SKIP_RETURN_CODE {SKIPPED} COST {cost})\n')


if __name__ == "__main__":
    main()
