"""What a Go release changed that mapscope may have to follow, against an older one: read from the sources
of both, and from the same program built with both. Used by tools/add-go.

Each function returns sentences. Offsets are compared by tools/go-layouts.
"""
import collections
import difflib
import json
import os
import pathlib
import re
import subprocess

# Map code by its sources; a file may be missing in a release.
MAP_SOURCES = ("src/internal/runtime/maps/*.go", "src/runtime/map*.go", "src/internal/abi/map*.go", "src/runtime/alg.go",
               "src/internal/runtime/maps/*.s", "src/reflect/map*.go")

# What mapscope knows by value and no table has: what it is used for, where it stands, and its lines.
CONSTANTS = (
    ("kinds of special records, which userspace/heap/sites/special_lists.cpp knows", ("src/runtime/mheap.go",), r"\b_KindSpecial\w+\s*="),
    ("ids of functions, which userspace/heap/owners/frame_sizes.cpp knows", ("src/internal/abi/symtab.go", "src/runtime/symtab.go"), r"^\s*(FuncID_|funcID_)\w+"),
    ("size classes, which userspace/go/size_classes.h knows",
     ("src/internal/runtime/gc/sizeclasses.go", "src/runtime/sizeclasses.go"), r"(class_to_size|SizeClassToSize)\b.*="),
    ("limits of maps, which userspace/go/map_rules.cpp knows",
     ("src/internal/runtime/maps/table.go", "src/internal/runtime/maps/group.go", "src/internal/abi/map.go", "src/internal/abi/map_swiss.go",
      "src/internal/abi/map_noswiss.go", "src/runtime/map.go", "src/runtime/map_noswiss.go"),
     r"\b(maxTableCapacity|maxAvgGroupLoad|loadFactor\w+|(Swiss|Old)?Map(GroupSlots\w*|MaxKeyBytes|MaxElemBytes|BucketCount\w*))\s*="),
    ("states of goroutines, which userspace/heap/goroutine_stacks.cpp knows", ("src/runtime/runtime2.go",), r"^\s*_G\w+(\s|$)"),
    ("flags of types, which userspace/heap/go_types.cpp knows", ("src/internal/abi/type.go",), r"\b(TFlag|KindMask|KindGCProg|KindDirectIface)\w*\b.*="),
)

MAP_FUNCTION = re.compile(r"(runtime\.(make|reflect_)?map\w*|internal/runtime/maps\.\S+|reflect\.\S*map\S*|maps\.\w+|runtime\.\(\*hmap\)\.\w+)", re.IGNORECASE)
# A program's own instances of generic functions, and what the linker made.
NOT_A_FUNCTION = re.compile(r"\[|\.\.|^type:|\.func\d|\.deferwrap|·|\.map\.|\.init")


def lines_of(goroot, files, pattern):
    """Lines of code that match, without comments and needless space."""
    found = []
    for name in files:
        path = pathlib.Path(goroot, name)
        if path.exists():
            for line in path.read_text().splitlines():
                code = " ".join(line.partition("//")[0].split())
                if re.search(pattern, code):
                    found.append(code)
    return found


def constants(older, newer):
    for what, files, pattern in CONSTANTS:
        before, after = (lines_of(goroot, files, pattern) for goroot in (older, newer))
        if not after:
            yield f"No line was found that names {what}: look for them."
        elif before != after:
            changes = [line for line in difflib.unified_diff(before, after, lineterm="", n=0) if line[0] in "+-" and line[:3] not in ("+++", "---")]
            shown = "; ".join(line[:160] for line in changes[:12])
            yield f"Changed: {what}: {shown}{' ...' if len(changes) > 12 else ''}"


def map_sources(older, newer):
    def files(goroot):
        return {str(path.relative_to(goroot)): path for pattern in MAP_SOURCES for path in pathlib.Path(goroot).glob(pattern)
                if not path.name.endswith("_test.go")}
    before, after = files(older), files(newer)
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            yield f"{name} {'is new' if name in after else 'is gone'}"
            continue
        old, new = (path.read_text(errors="replace").splitlines() for path in (before[name], after[name]))
        if old != new:
            signs = collections.Counter(line[0] for line in difflib.unified_diff(old, new, lineterm="", n=0) if line[:3] not in ("+++", "---"))
            yield f"{name}: {signs['+']} lines came, {signs['-']} went"


def experiments(older, newer):
    def flags(goroot):
        return {line.split()[0] for line in lines_of(goroot, ("src/internal/goexperiment/flags.go",), r"^\w+ bool$")}
    before, after = flags(older), flags(newer)
    for name in sorted(after - before):
        yield f"GOEXPERIMENT={name.lower()} is new{': it is about maps' if 'map' in name.lower() else ''}"
    for name in sorted(before - after):
        yield f"GOEXPERIMENT={name.lower()} is gone"


def system_calls(older, newer):
    """Those of the runtime's own assembly and packages on amd64."""
    def names(goroot):
        found = set()
        for pattern in ("src/runtime/sys_linux_amd64.s", "src/runtime/defs*linux*.go", "src/internal/runtime/syscall/**/*.go", "src/runtime/internal/syscall/*.go"):
            for path in pathlib.Path(goroot).glob(pattern):
                if not re.search(r"_(386|arm|arm64|loong64|mips\w*|ppc64\w*|riscv64|s390x|test)\.go$", path.name):
                    found |= set(re.findall(r"\bSYS_([a-z]\w*|[A-Z]\w*)", path.read_text()))
        return {name.lower() for name in found}
    before, after = names(older), names(newer)
    for name in sorted(after - before):
        yield f"the runtime can call {name} now"
    for name in sorted(before - after):
        yield f"the runtime no longer calls {name}"


def functions(program):
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    listing = subprocess.run(["go", "tool", "nm", program], check=True, capture_output=True, text=True, env=environment).stdout
    names = {words[-1].removesuffix(".abi0").removesuffix(".abiinternal") for line in listing.splitlines() if (words := line.split()) and words[-2] in "tT"}
    return {name for name in names if MAP_FUNCTION.fullmatch(name) and not NOT_A_FUNCTION.search(name)}


def map_functions(older, newer, known):
    """`older` and `newer`: programs; `known`: what mapscope knows of the newer one."""
    before, after = functions(older), functions(newer)
    for name in sorted(after - before):
        yield f"{name} is new{'' if name in known else ', and mapscope does not take it for one that writes maps: see userspace/binary/probe_catalog.cpp'}"
    for name in sorted(before - after):
        yield f"{name} is gone"


def facts(mapscope, program):
    done = subprocess.run([mapscope, "inspect", "--json", program], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"mapscope inspect {program} failed: {done.stderr.strip()}")
    return json.loads(done.stdout)


def probe_points(before, after):
    """`before` and `after`: what `inspect --json` says of the same program."""
    def points(of):
        named = {(kind, point["function"]) for kind, all_points in of["operations"].items() for point in all_points}
        named |= {(kind, point["function"]) for kind, point in of["heap_requests"].items()}
        return named | {("misuse", function) for function in of["misuse"]} | {("write", point["function"]) for point in of["map_writes"]}

    def copies(of):
        return {(copy["function"], copy["into"]) for copy in of["inlined_copies"]}
    for kind, function in sorted(points(after) - points(before)):
        yield f"{function} can be probed now ({kind})"
    for kind, function in sorted(points(before) - points(after)):
        yield f"{function} can no longer be probed ({kind})"
    for function, into in sorted(copies(after) - copies(before)):
        yield f"{function} is now inlined into {into}, where no probe sees it"
    for warning in after["warnings"]:
        if warning not in before["warnings"]:
            yield f"inspect warns: {warning}"
    if before["map_implementation"] != after["map_implementation"]:
        yield f"maps are {after['map_implementation']} now, and were {before['map_implementation']}"
