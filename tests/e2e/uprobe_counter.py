"""Counts calls of Go runtime functions with the kernel's own uprobe events (tracefs).

An independent witness: it shares no code with mapscope, finds functions in the symbol table and
places probes with objdump's help. Only for programs with symbols; needs root.
"""
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

TRACEFS = pathlib.Path("/sys/kernel/tracing")


class UprobeCounter:
    """Counts calls of the named functions of one executable while it is entered as a context.

    The program to run is `counter.executable`, a copy: probes are on a file, and so nobody else's.
    """

    def __init__(self, executable, functions):
        self._directory = tempfile.TemporaryDirectory(prefix="mapscope-uprobes-")
        self.executable = pathlib.Path(self._directory.name) / pathlib.Path(executable).name
        shutil.copy2(executable, self.executable)
        self._offsets = {name: offset for name in functions if (offset := _behind_stack_check(self.executable, name))}
        self._group = f"mapscope_e2e_{os.getpid()}_{id(self):x}"

    def __enter__(self):
        for i, offset in enumerate(self._offsets.values()):
            _append("uprobe_events", f"p:{self._group}/f{i} {self.executable}:{offset:#x}")
        if self._offsets:
            (TRACEFS / "events" / self._group / "enable").write_text("1")
        return self

    def __exit__(self, *_):
        if self._offsets:
            (TRACEFS / "events" / self._group / "enable").write_text("0")
        for i in range(len(self._offsets)):
            _append("uprobe_events", f"-:{self._group}/f{i}")
        self._directory.cleanup()

    def hits(self):
        """Function -> calls so far. A function that the linker left out was not called."""
        counted = {}
        for line in (TRACEFS / "uprobe_profile").read_text().splitlines():
            path, event, hits = line.split()[:3]
            if path == str(self.executable):
                counted[event] = int(hits)
        return {name: counted[f"f{i}"] for i, name in enumerate(self._offsets)}


def _append(file, line):
    """Python's own files seek to the end first, which tracefs refuses."""
    events = os.open(TRACEFS / file, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(events, line.encode() + b"\n")
    finally:
        os.close(events)


def _behind_stack_check(executable, function):
    """File offset of the instruction after the stack check, which enters the function again when the
    stack has to grow: a probe on the first instruction would count such a call twice."""
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"--disassemble={function}", executable],
                             check=True, capture_output=True, text=True).stdout
    code = [(int(address, 16), text) for address, text in re.findall(r"^ +([0-9a-f]+):\t(.*)$", listing, re.M)]
    if not code:
        return None
    for (_, text), (following, _) in zip(code[:5], code[1:6]):
        if text.startswith("jbe"):
            return _file_offset(executable, following)
    return _file_offset(executable, code[0][0])  # a function without a check


def _file_offset(executable, address):
    elf = executable.read_bytes()
    table, = struct.unpack_from("<Q", elf, 32)
    entry_bytes, count = struct.unpack_from("<HH", elf, 54)
    for i in range(count):
        kind, _, offset, start, _, file_bytes = struct.unpack_from("<IIQQQQ", elf, table + i * entry_bytes)
        if kind == 1 and start <= address < start + file_bytes:  # PT_LOAD
            return address - start + offset
    raise ValueError(f"{executable}: no segment holds {address:#x}")
