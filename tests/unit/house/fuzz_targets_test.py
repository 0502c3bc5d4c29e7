"""Every fuzz target is in the table of docs/testing.md and has seeds, which stay small; and nothing else does."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[3]
FUZZ = ROOT / "tests/fuzz"
TARGET_BYTES_MAX, ALL_BYTES_MAX = 200 << 10, 2 << 20


def problems():
    targets = {path.stem for path in FUZZ.glob("*.cpp") if "MAPSCOPE_FUZZ_TARGET(" in path.read_text()}
    if len(targets) < 20:
        yield f"only {len(targets)} fuzz targets were found"
    told = set(re.findall(r"`(\w+_fuzz)`", (ROOT / "docs/testing.md").read_text()))
    built = set(re.findall(r"^mapscope_fuzz_target\((\w+)", (FUZZ / "CMakeLists.txt").read_text(), re.MULTILINE))
    for what, names in (("docs/testing.md", told), ("tests/fuzz/CMakeLists.txt", built)):
        yield from (f"{what} lacks {name}" for name in sorted(targets - names))
        yield from (f"{what} has {name}, which is no target" for name in sorted(names - targets))
    all_bytes = 0
    for name in sorted(targets | {path.name for path in (FUZZ / "corpus").iterdir()}):
        seeds = list((FUZZ / "corpus" / name).glob("*"))
        size = sum(path.stat().st_size for path in seeds)
        all_bytes += size
        if name not in targets:
            yield f"tests/fuzz/corpus/{name} is of no target"
        if not seeds:
            yield f"tests/fuzz/corpus/{name} has no seeds"
        if size > TARGET_BYTES_MAX:
            yield f"tests/fuzz/corpus/{name} has {size} bytes, and {TARGET_BYTES_MAX} are the most: tools/run-fuzzers --merge {name}"
    if all_bytes > ALL_BYTES_MAX:
        yield f"tests/fuzz/corpus has {all_bytes} bytes, and {ALL_BYTES_MAX} are the most: tools/run-fuzzers --merge"


if __name__ == "__main__":
    found = list(problems())
    print("\n".join(found))
    sys.exit(bool(found))
