"""Executables, memory and files that lie: damaged copies of real ones, given to every command and
started under the daemon. mapscope says what it can't read, in a sentence; it never crashes, takes no
more memory than others, and leaves nothing behind.

What is damaged, and how, is drawn from a seed, so that a failure can be had again:

    tests/e2e/test_hostile.py                        the small set of `make test`
    tests/e2e/test_hostile.py --count 2000           so many of each kind, for hours
    tests/e2e/test_hostile.py --seed 7 --count 50    others
    tests/e2e/test_hostile.py --only /usr/bin/prometheus ...   copies of that program instead
"""
import argparse
import contextlib
import dataclasses
import functools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

import daemons
import harness

OPTIONS = argparse.Namespace(count=3, seed=20261122, only=None)
RESIDENT_BYTES_MAX = 1536 << 20  # of one command and its parsers; sanitizers take thrice what others do
KNOWN_STATUS = {harness.CLEAN, harness.FOUND, harness.INCONCLUSIVE, harness.GONE}
CRASHES = re.compile(r"terminate called|AddressSanitizer|LeakSanitizer|runtime error:|Assertion|core dumped|stack smashing")


# ---- What is damaged.

@dataclasses.dataclass
class Region:
    """Bytes of a file that mean something."""
    name: str
    start: int
    size: int


def sections(content):
    """The section headers of an ELF file: name, kind, address, offset and size of each."""
    table, = struct.unpack_from("<Q", content, 0x28)
    entry_bytes, count, names = struct.unpack_from("<HHH", content, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", content, table + i * entry_bytes) for i in range(count)]
    names_at = headers[names][4] if count else 0
    for name, kind, _, address, offset, size in headers:
        end = content.index(b"\0", names_at + name)
        yield content[names_at + name:end].decode(), kind, address, offset, size
    yield "section headers", 1, 0, table, count * entry_bytes


@functools.cache
def regions(path):
    """Where of an executable something lies that a parser reads."""
    content = pathlib.Path(path).read_bytes()
    program_headers, = struct.unpack_from("<H", content, 0x38)
    found = [Region("ELF header", 0, 64), Region("program headers", 64, program_headers * 56)]
    wanted = {"section headers", ".go.buildinfo", ".gopclntab", ".go.module", ".typelink", ".rodata", ".data.rel.ro",
              ".noptrdata", ".data", ".go.type", ".itablink", ".symtab", ".strtab", ".debug_info", ".zdebug_info", ".note.go.buildid"}
    NO_BITS = 8
    for name, kind, _, offset, size in sections(content):
        if name in wanted and size and kind != NO_BITS:
            found.append(Region(name, offset, size))
            if name == ".gopclntab":
                found.append(Region("header of .gopclntab", offset, min(size, 128)))
    return found


INTERESTING = (0, 1, 7, 8, 0xFF, 0x7FFF, 0xFFFF, 1 << 20, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 47, (1 << 63) - 1, (1 << 64) - 1)


def spoil(content, region, generator):
    """Changes some bytes or words of a region."""
    for _ in range(generator.choice((1, 1, 4, 32))):
        at = region.start + generator.randrange(region.size)
        width = generator.choice((1, 1, 2, 4, 8))
        if width == 1:
            value = generator.randrange(256)
        else:
            value = generator.choice(INTERESTING) if generator.random() < 0.7 else generator.getrandbits(64)
        piece = (value & ((1 << 8 * width) - 1)).to_bytes(width, "little")
        end = min(at + width, len(content))
        content[at:end] = piece[:end - at]


def damaged(source, path, generator):
    """A damaged copy of an executable, or of any file that is no ELF; says what was done."""
    content = bytearray(pathlib.Path(source).read_bytes())
    kind = generator.random()
    what = "truncated"
    if kind < 0.08:
        del content[generator.choice((generator.randrange(200), generator.randrange(len(content)))):]
    else:
        is_program = content.startswith(b"\x7fELF") and content[0x10] != 4  # ET_CORE has segments only
        region = generator.choice(regions(source)) if is_program else Region("the file", 0, len(content))
        if not is_program and generator.random() < 0.5:
            region = Region("the beginning", 0, min(4096, len(content)))
        what = f"{region.name} of {pathlib.Path(source).name}"
        spoil(content, region, generator)
    path.unlink(missing_ok=True)  # it may be running
    path.write_bytes(content)
    path.chmod(0o755)
    if kind > 0.97:
        os.truncate(path, 1 << 40)  # a terabyte of nothing
        what += ", with a terabyte behind"
    return what


def programs():
    """The executables to damage."""
    if OPTIONS.only:
        return [pathlib.Path(OPTIONS.only)]
    found = [path for mode in ("plain", "stripped", "pie") if (path := harness.WORKLOADS / harness.go_versions()[-1] / mode / "sick").exists()]
    # With the older maps, too.
    older = [version for version in harness.go_versions() if harness.version_key(version) < [1, 24]]
    if older and (path := harness.WORKLOADS / older[-1] / "plain/sick").exists():
        found.append(path)
    return found or [harness.workload("sick")]


# ---- What is asked.

class HostileTest(harness.EndToEndTest):
    def setUp(self):
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="mapscope-e2e-")))
        # Each test draws its own, so that one alone has the same.
        self.generator = random.Random(f"{OPTIONS.seed} {self.id()}")

    def run_mapscope(self, what, *arguments, status=KNOWN_STATUS):
        """It ends by itself, with one of the statuses that it documents, and says why in a sentence."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as messages:
            process = subprocess.Popen([harness.mapscope(), *map(str, arguments)], stdout=output, stderr=messages,
                                       stdin=subprocess.DEVNULL)
            with self.ends(process, f"{what}: {arguments}"):
                _, ended, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(ended)
            output.seek(0)
            messages.seek(0)
            said, text = messages.read().decode(errors="replace"), output.read()
        context = f"{what}: mapscope {' '.join(map(str, arguments))} ended with {process.returncode}: {said[-3000:]}"
        self.assertIn(process.returncode, status, context)
        self.assertNotRegex(said, CRASHES, context)
        self.assertLess(usage.ru_maxrss << 10, RESIDENT_BYTES_MAX, context)
        if process.returncode == harness.INCONCLUSIVE:
            self.assertRegex(said, r"(?m)^mapscope: \S", context)
        return process.returncode, text, said

    @contextlib.contextmanager
    def ends(self, process, what):
        """Kills it where it does not end within what nothing takes."""
        killed = []

        def kill(*_):
            killed.append(what)
            process.kill()
        before = signal.signal(signal.SIGALRM, kill)
        signal.alarm(harness.TIMEOUT_SECONDS)
        try:
            yield
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        self.assertFalse(killed, "did not end by itself")

    def assert_sound_census(self, text, what):
        """What it says of a process that lies is no truth, but agrees with itself."""
        report = json.loads(text)
        self.assertEqual(report["schema"], "mapscope.maps/1", what)
        for row in report["maps"]:
            self.assertLessEqual(row["len"], row["slots"], f"{what}: {row}")

    def each(self, look):
        """One after the other, also where one fails."""
        for number in range(OPTIONS.count):
            with self.subTest(number=number, seed=OPTIONS.seed):
                look(number)


class ExecutablesTest(HostileTest):
    def test_commands_that_read_files(self):
        sources = programs()
        def look(number):
            path = self.directory / "damaged"
            what = damaged(sources[number % len(sources)], path, self.generator)
            status, text, _ = self.run_mapscope(what, "inspect", "--json", path)
            if status == harness.CLEAN:
                self.assertEqual(json.loads(text)["schema"], "mapscope.inspect/1", what)
            other = self.generator.choice((["inspect", "--functions", path], ["vet", "--no-go", path],
                                           ["maps", "--core", path], ["replay", path], ["maps", "--snapshot", path]))
            self.run_mapscope(what, *other, status=KNOWN_STATUS | {harness.USAGE})
        self.each(look)

    def test_programs_that_run_nevertheless(self):
        sources = programs()
        def look(number):
            path = self.directory / f"damaged-{number}"
            what = damaged(sources[number % len(sources)], path, self.generator)
            with contextlib.ExitStack() as stack:
                try:
                    program = stack.enter_context(harness.started([path, "-illness", "waste"], stdin=subprocess.PIPE,
                                                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
                except OSError:  # the kernel does not take it
                    return
                status, text, _ = self.run_mapscope(what, "maps", "--json", "-p", program.pid)
                if status == harness.CLEAN:
                    self.assert_sound_census(text, what)
                self.run_mapscope(what, "verify", "--duration", "0.2", "-p", program.pid)
            path.unlink()
        self.each(look)

    def test_the_daemon(self):
        """Programs come, some are replaced while they run, and all go again."""
        sources = programs()
        watched = f'watch: {{include: [{{exe: ["{self.directory}/*"]}}]}}\n'
        rules = "census: {interval: 1s, shortest: 1s, longest: 2s, cpu_share: 50%}\nverify: {at_start: 1s, every: 0s}\n"
        config = daemons.configuration(self.directory, watched + rules + daemons.alerts_section(self.directory))
        sound = self.directory / "sound"
        shutil.copy(harness.workload("sick"), sound)
        with daemons.running(self.directory, config) as daemon:
            def sees(pid, state="watched"):
                self.assertIsNone(daemon.process.poll(), daemon.log()[-3000:])
                return (row := daemon.watched(pid)) and row["state"] == state

            def rests():  # parsers of programs that are gone end, and so do connections
                return daemon.ask("/api/v1/status")["self"]["parser_children"] == 0

            def round_with(count):
                with contextlib.ExitStack() as stack:
                    for number in range(count):
                        path = self.directory / f"damaged-{number}"
                        damaged(sources[number % len(sources)], path, self.generator)
                        with contextlib.suppress(OSError):
                            stack.enter_context(harness.started([path, "-illness", "waste"], stdin=subprocess.PIPE,
                                                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
                        if number % 3 == 0:
                            damaged(sources[0], path, self.generator)
                    # It finds the time for one that is as it should be.
                    program = stack.enter_context(harness.started([sound, "-illness", "waste"], stdin=subprocess.PIPE,
                                                                  stdout=subprocess.DEVNULL))
                    harness.wait_for(lambda: sees(program.pid), "the sound program is watched")
                harness.wait_for(rests, "parsers end")

            round_with(min(OPTIONS.count, 5))
            descriptors, resident = daemon.descriptors(), daemon.resident_bytes()
            for _ in range(max(1, OPTIONS.count // 20)):
                round_with(min(OPTIONS.count, 20))
            with contextlib.suppress(AssertionError):
                harness.wait_for(lambda: daemon.descriptors() <= descriptors + 2, "descriptors go", 60)
            self.assertLessEqual(daemon.descriptors(), descriptors + 2)
            self.assertLess(daemon.resident_bytes(), resident + (256 << 20))
            died = daemon.ask("/api/v1/status")["self"].get("parser_deaths")
            print(f"parsers that died: {died}", file=sys.stderr)
            self.assertEqual(daemon.stop(), 0, daemon.log()[-3000:])
            self.assertNotRegex(daemon.log(), CRASHES)


class MemoryTest(HostileTest):
    """A process that is stopped while its memory is written to from outside can't die of it."""

    def writable_ranges(self, pid):
        """Where something lies that a census reads: data, types, the heap and the runtime's own structures."""
        executable = os.readlink(f"/proc/{pid}/exe")
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, rights, _, _, _, *name = line.split(maxsplit=5)
            begin, end = (int(word, 16) for word in place.split("-"))
            if rights.startswith("r") and (not name or name[0] == executable or name[0].startswith("[anon")):
                yield begin, end, "x" in rights

    def lie(self, memory, ranges, generator):
        """Overwrites some words that are not 0, with what could be meant, and returns what they were."""
        kept = []
        for _ in range(generator.choice((1, 8, 64)) if ranges else 0):
            begin, end, is_code = generator.choice(ranges)
            page = begin + generator.randrange((end - begin) // 4096) * 4096
            with contextlib.suppress(OSError):
                content = os.pread(memory, 4096, page)
                words = struct.unpack(f"<{len(content) // 8}Q", content)  # none of a process that is gone
                used = [i for i, word in enumerate(words) if word]
                if not used or is_code:
                    continue
                index = generator.choice(used)
                near = words[index] + generator.choice((-64, -8, -1, 1, 8, 48, 4096, 1 << 26))
                other = generator.choice(ranges)[0] + generator.randrange(1 << 16)
                value = generator.choice((near, other, words[generator.choice(used)], page, *INTERESTING)) & ((1 << 64) - 1)
                width = generator.choice((1, 2, 4, 8))
                at = page + 8 * index
                kept.append((at, os.pread(memory, width, at)))
                os.pwrite(memory, (value & ((1 << 8 * width) - 1)).to_bytes(width, "little"), at)
        return kept

    def look_at_lies(self, program, source, number):
        pid = program.pid
        ranges = list(self.writable_ranges(pid))
        # The heap, the data and what the runtime keeps beside are alike in number of draws.
        memory = os.open(f"/proc/{pid}/mem", os.O_RDWR)
        try:
            kept = self.lie(memory, ranges, self.generator)
            what = f"{source}, {[hex(at) for at, _ in kept]}"
            saved = self.directory / "saved"
            options = self.generator.choice(([], ["--owners"], ["--save", saved], ["--group-by", "owner", "--owners"]))
            status, text, _ = self.run_mapscope(what, "maps", "--json", *options, "-p", pid)
            if status == harness.CLEAN and "--group-by" not in options:
                self.assert_sound_census(text, what)
            if saved.exists():
                self.run_mapscope(what, "maps", "--json", "--snapshot", saved)
                saved.unlink()
            if number % 3:  # some lies stay, and add up
                for at, before in reversed(kept):
                    os.pwrite(memory, before, at)
        finally:
            os.close(memory)

    def test_a_process_that_lies(self):
        for name in ("leaks", "sick"):
            source = harness.workload(name)
            arguments = ["-illness", "waste"] if name == "sick" else []
            with harness.started([source, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
                if name == "leaks":
                    program.stdout.readline()
                else:
                    daemons.Patient(program).tell("fall")
                program.send_signal(signal.SIGSTOP)
                harness.wait_for(lambda: pathlib.Path(f"/proc/{program.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T",
                                 "it is stopped")
                def look(number):
                    self.look_at_lies(program, source, number)
                self.each(look)

    def test_a_program_that_lies_while_it_runs(self):
        """Traced all the time, with lies about goroutines, types and its heap, until it dies of them."""
        source = harness.workload("sick")
        def look(_):
            with harness.started([source, "-illness", "waste"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL) as program:
                tracer = [harness.mapscope(), "trace", "--all", "--json", "-o", self.directory / "events", "-p", str(program.pid)]
                with harness.started(tracer, stderr=subprocess.PIPE, text=True) as traced:
                    said = traced.stderr.readline()
                    memory = os.open(f"/proc/{program.pid}/mem", os.O_RDWR)
                    try:
                        with contextlib.suppress(OSError, ValueError):
                            program.stdin.write(b"fall\n")
                            program.stdin.flush()
                            for _ in range(10):
                                self.lie(memory, list(self.writable_ranges(program.pid)), self.generator)
                    finally:
                        os.close(memory)
                    if traced.poll() is None:
                        harness.interrupt(traced)
                    said += traced.stderr.read()
                    self.assertIn(traced.returncode, KNOWN_STATUS | {harness.DENIED}, said[-3000:])
                    self.assertNotRegex(said, CRASHES)
        self.each(look)


class FilesTest(HostileTest):
    """Core files, snapshots, recordings and configurations with damaged bytes."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.kept = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="mapscope-e2e-")))
        cls.program = harness.workload("leaks")
        with harness.started([cls.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
            program.stdout.readline()
            subprocess.run([harness.mapscope(), "maps", "--owners", "--save", cls.kept / "snapshot", "-p", str(program.pid)],
                           check=True, capture_output=True)
            if shutil.which("gcore"):
                subprocess.run(["gcore", "-o", cls.kept / "core", str(program.pid)], check=True, capture_output=True)
                (cls.kept / f"core.{program.pid}").rename(cls.kept / "core")
        subprocess.run([harness.mapscope(), "record", cls.kept / "recording", "--", harness.workload("growth")], check=True,
                       capture_output=True)

    def look_at(self, name, *arguments, also=()):
        def look(_):
            path = self.directory / name
            what = damaged(self.kept / name, path, self.generator)
            self.run_mapscope(what, *arguments, path, *also, status=KNOWN_STATUS | {harness.USAGE})
        self.each(look)

    def test_snapshots(self):
        self.look_at("snapshot", "maps", "--json", "--snapshot")

    def test_recordings(self):
        self.look_at("recording", "replay", "--json")
        self.look_at("recording", "replay", "--verify", "--json")

    def test_core_files(self):
        """Most of a core file is memory: here the census has to do with it."""
        core = self.kept / "core"
        if not core.exists():
            self.skipTest("gcore is not installed (Debian: gdb).")
        segments = [segment for segment in self.segments(core) if segment.size >= 4096]
        def look(_):
            kept = []
            with open(core, "r+b", buffering=0) as file:  # of half a gigabyte, no copies
                for _ in range(self.generator.choice((1, 16, 256))):
                    segment = self.generator.choice((Region("header", 0, 4096), *segments))
                    at = segment.start + self.generator.randrange(segment.size // 8) * 8
                    before = os.pread(file.fileno(), 8, at)
                    kept.append((at, before))
                    word = int.from_bytes(before, "little")
                    value = self.generator.choice((word ^ 1 << self.generator.randrange(64), word + 8, *INTERESTING)) & ((1 << 64) - 1)
                    os.pwrite(file.fileno(), value.to_bytes(8, "little")[:len(before)], at)
            what = f"words at {[hex(at) for at, _ in kept[:20]]}"
            status, text, _ = self.run_mapscope(what, "maps", "--json", "--core", core, "--exe", self.program,
                                                status=KNOWN_STATUS | {harness.USAGE})
            if status == harness.CLEAN:
                self.assert_sound_census(text, what)
            with open(core, "r+b", buffering=0) as file:
                for at, before in reversed(kept):
                    os.pwrite(file.fileno(), before, at)
        self.each(look)

    @staticmethod
    def segments(core):
        with open(core, "rb") as file:
            header = file.read(64)
            table, = struct.unpack_from("<Q", header, 0x20)
            count, = struct.unpack_from("<H", header, 0x38)
            file.seek(table)
            headers = file.read(56 * count)
        for i in range(count):
            kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", headers, 56 * i)
            if size:
                yield Region(f"segment {i} of type {kind}", offset, size)

    def test_configurations(self):
        done = subprocess.run([harness.mapscope(), "daemon", "--print-config"], check=True, capture_output=True)
        (self.kept / "config").write_bytes(done.stdout)
        self.look_at("config", "daemon", "--check", "--config")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=OPTIONS.count, help="damaged things of each kind")
    parser.add_argument("--seed", type=int, default=OPTIONS.seed)
    parser.add_argument("--only", help="an executable to damage, instead of the workloads")
    _, rest = parser.parse_known_args(namespace=OPTIONS)
    sys.argv[1:] = rest
    harness.main()


if __name__ == "__main__":
    main()
