"""What the kernel knows that mapscope does not say of itself: BPF objects, breakpoints in code, descriptors, threads, memory."""
import contextlib
import json
import os
import pathlib
import re
import subprocess

KINDS = ("prog", "link", "map")


def listed(kind):
    """Every BPF object of a kind that the machine has, by its id."""
    text = subprocess.run(["bpftool", "-j", kind, "show"], check=True, capture_output=True, text=True).stdout
    return {row["id"]: row for row in json.loads(text or "[]")}


def bpf_objects():
    return {kind: listed(kind) for kind in KINDS}


def pins():
    return {str(path) for path in pathlib.Path("/sys/fs/bpf").rglob("*")}


def held_by_living():
    """Ids of the objects to which some process has a descriptor."""
    held = {kind: set() for kind in KINDS}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for entry in os.scandir(process / "fdinfo"):
                with contextlib.suppress(OSError):
                    for kind, number in re.findall(r"^(prog|link|map)_id:\s*(\d+)", pathlib.Path(entry.path).read_text(), re.M):
                        held[kind].add(int(number))
    return held


def left_over(before):
    """Objects that were not there before and that no process holds: others of this machine come and go, and hold theirs."""
    now, held = bpf_objects(), held_by_living()
    kept_maps = {number for row in now["prog"].values() if row["id"] in held["prog"] for number in row.get("map_ids", [])}
    for row in now["link"].values():
        held["prog"].add(row.get("prog_id")) if row["id"] in held["link"] else None
    kept_maps |= {number for row in now["prog"].values() if row["id"] in held["prog"] for number in row.get("map_ids", [])}
    held["map"] |= kept_maps
    return {f"{kind} {number} ({row.get('name', row.get('type'))})" for kind in KINDS for number, row in now[kind].items()
            if number not in before[kind] and number not in held[kind]}


def changed_code(pid):
    """Bytes of a process's code that are not those of its file: probes that are still there. None: it is gone."""
    try:
        executable = os.readlink(f"/proc/{pid}/exe")
        changed = 0
        with open(f"/proc/{pid}/exe", "rb") as file, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
                place, rights, offset, *_, path = line.split(maxsplit=5)
                if path != executable or "x" not in rights:
                    continue
                begin, end = (int(word, 16) for word in place.split("-"))
                live, kept = os.pread(memory.fileno(), end - begin, begin), os.pread(file.fileno(), end - begin, int(offset, 16))
                changed += sum(a != b for a, b in zip(live, kept)) if live[:len(kept)] != kept else 0
        return changed
    except (OSError, ValueError):
        return None


def children_of(pid):
    children = set()
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            children |= {int(word) for word in task.read_text().split()}
    return children


def is_zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return False


def figures_of(pid):
    """Of one process: resident KiB, descriptors, threads, children. None: it is gone."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        return {"resident_kib": int(re.search(r"^VmRSS:\s*(\d+)", status, re.M)[1]), "descriptors": len(os.listdir(f"/proc/{pid}/fd")),
                "threads": int(re.search(r"^Threads:\s*(\d+)", status, re.M)[1]), "children": len(children_of(pid))}
    except (OSError, TypeError):
        return None


class Sanitizers:
    """Reports go to files of their own, whoever's standard error is closed, and end the process with a status of theirs."""

    EXIT_STATUS = 99

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        directory.chmod(0o777)  # of those, too, that run as nobody
        common = f"log_path={directory}/report:exitcode={self.EXIT_STATUS}:handle_abort=1"
        # Freed memory is kept for a while to be watched: little of it, so that resident memory says something.
        self.environment = {"ASAN_OPTIONS": f"{common}:quarantine_size_mb=8:detect_leaks=1", "UBSAN_OPTIONS": f"{common}:print_stacktrace=1",
                            "LSAN_OPTIONS": f"exitcode={self.EXIT_STATUS}"}

    def reports(self):
        return {path.name: path.read_text(errors="replace")[:3000] for path in sorted(self.directory.iterdir()) if path.stat().st_size > 0}


def has_sanitizers(executable):
    return b"__asan_init" in pathlib.Path(executable).read_bytes()
