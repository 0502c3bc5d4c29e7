"""The daemon under soak: its lives, its configuration, who takes its alerts, the small disk that it keeps them on."""
import contextlib
import http.client
import os
import pathlib
import random as random_module
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import daemons
import harness
import kernel

DISK_BYTES = 8 << 20
DISK_ROOM_BYTES = 1 << 20  # with less, what the daemon writes at once may not fit
# The default rules with floors so low that sick programs of a soak pass them, and looks that follow each other closely.
RULES = """
watch: {{include: [{{exe: ["{directory}/*"]}}]}}
census: {{interval: 2s, shortest: 1s, longest: 10s, cpu_share: 30%, snapshot_directory: {directory}/disk/snapshots, snapshots_max_bytes: 2MiB}}
limits: {{cpu_share: 100%, memory_bytes: {memory}}}
verify: {{at_start: 3s, every: 1m, for: 2s}}
events: {{cpu_share: 5%}}
bpf: {{enabled: true, interval: 5s, key_directory: {directory}/disk/keys}}
default_rules: true
rules:
  - {{name: map-waste, min_reclaimable_bytes: 1MiB, hold: 0s, keep: 0s}}
  - {{name: map-fill, min_bytes: 1MiB, hold: 0s, keep: 0s}}
  - {{name: map-emptied, min_bytes: 1MiB, hold: 0s, keep: 0s}}
  - {{name: map-entries, max_entries: 40000, hold: 0s, keep: 0s}}
  - {{name: map-bytes, max_bytes: 1MiB, hold: 0s, keep: 0s}}
  - {{name: map-growth, bytes_per_minute: 1MiB, window: 20s, min_bytes: 1MiB, hold: 0s, keep: 0s}}
  - {{name: map-share, max_share: 50%, min_bytes: 1MiB, hold: 0s, keep: 0s}}
  - {{name: map-misuse, keep: 5s}}
  - {{name: map-rehash-storm, growths_per_minute: 10000, hold: 0s, keep: 0s}}
  - {{name: map-churn, maps_per_second: 1000, hold: 0s, keep: 0s}}
  - {{name: heap-growth, bytes_per_minute: 10MB, window: 20s, hold: 0s, keep: 0s}}
  - {{name: allocs-minus-frees, min_live_objects: 100000, window: 10s, keep: 0s}}
  - {{name: memory-limit, max_share: 50%, hold: 0s, keep: 0s}}
"""
SINKS = """    - {{name: hook, kind: webhook, url: '{hook}', retry_first: 100ms, retry_longest: 2s, timeout: 2s}}
    - {{name: nobody, kind: webhook, url: 'http://127.0.0.1:9/', retry_first: 500ms, retry_longest: 5s, queue_max: 100}}
    - {{name: file, kind: file, path: {directory}/disk/alerts.jsonl, retry_first: 500ms, retry_longest: 2s}}
    - {{name: command, kind: command, command: [/bin/sh, -c, 'cat >/dev/null; test -e {directory}/command-works'], retry_first: 500ms, retry_longest: 5s}}
"""


class Hook(daemons.Receiver):
    """Takes alerts, takes them slowly, or refuses them."""

    def __init__(self):
        self.mode = "good"
        super().__init__(self.answer)

    def answer(self, _):
        if self.mode == "slow":
            time.sleep(1.5)
        return 500 if self.mode == "refusing" else 200


class Disk:
    """A file system of some megabytes, where the kernel gives one."""

    def __init__(self, path):
        self.path = path
        path.mkdir()
        self.is_mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "soak", path], capture_output=True).returncode == 0

    def fill(self):
        with contextlib.suppress(OSError), open(self.path / "ballast", "wb", buffering=0) as file:
            while self.is_mounted:
                file.write(bytes(1 << 16))

    def free(self):
        (self.path / "ballast").unlink(missing_ok=True)

    def is_full(self):
        return self.is_mounted and shutil.disk_usage(self.path).free < DISK_ROOM_BYTES

    def close(self):
        if self.is_mounted:
            subprocess.run(["umount", "--lazy", self.path], check=False)


class Subject:
    def __init__(self, directory, journal, random):
        self.directory, self.journal, self.random = directory, journal, random
        self.socket = directory / "api.sock"
        self.disk = Disk(directory / "disk")
        self.hook = Hook()
        self.hook.__enter__()
        self.life = contextlib.ExitStack()
        self.daemon, self.lives, self.is_stopped = None, 0, False
        self.ends_seconds = []   # how long each SIGTERM took
        self.disk_was_full = False
        self.works(True)
        self.write_config()

    def works(self, does):
        path = self.directory / "command-works"
        path.touch() if does else path.unlink(missing_ok=True)

    def write_config(self, memory="2GiB", append=""):
        text = RULES.format(directory=self.directory, memory=memory) + append
        sinks = SINKS.format(directory=self.directory, hook=self.hook.url)
        alerts = f"alerts:\n  database: {self.directory}/disk/alerts.db\n  per_rule_per_hour: 100000\n  sinks:\n{sinks}"
        self.config = daemons.configuration(self.directory, text + alerts)

    def start(self):
        self.lives += 1
        self.write_config()  # with a broken one it would not start
        try:
            self.daemon = self.life.enter_context(daemons.running(self.directory, self.config))
        except AssertionError as error:
            if not self.disk.is_full():
                raise
            self.journal.note("the daemon does not start on a full disk", said=str(error)[-1000:])
            self.disk.free()
            self.daemon = self.life.enter_context(daemons.running(self.directory, self.config))

    @property
    def pid(self):
        return self.daemon.process.pid

    def must_live(self):
        """Once in a while: nobody ended it, so it runs."""
        if self.daemon and self.daemon.process.poll() is not None:
            self.journal.problem(f"The daemon ended with {self.daemon.process.returncode}: {self.daemon.log()[-3000:]}")
            self.restart()

    def kill(self):
        self.daemon.process.kill()
        self.daemon.process.wait()
        self.restart()

    def terminate(self):
        begin = time.monotonic()
        self.end_gracefully()
        self.journal.note("the daemon ended", seconds=round(time.monotonic() - begin, 2))
        self.restart()

    def end_gracefully(self):
        self.cont()
        begin = time.monotonic()
        try:
            status = self.daemon.stop()
        except subprocess.TimeoutExpired:
            status = None
        self.ends_seconds.append(time.monotonic() - begin)
        if status != harness.CLEAN:
            self.journal.problem(f"The daemon ended with {status} when it was told to: {self.daemon.log()[-3000:]}")

    def restart(self):
        self.daemon = None
        self.life.close()
        self.is_stopped = False
        self.start()

    def stop(self):
        self.is_stopped = True
        self.daemon.process.send_signal(signal.SIGSTOP)

    def cont(self):
        if self.is_stopped and self.daemon:
            self.is_stopped = False
            self.daemon.process.send_signal(signal.SIGCONT)

    def reload(self, kind):
        """Good, broken, or with a memory guardrail that is passed at once."""
        if kind == "broken":
            self.config.write_text(self.random.choice(["rules: [{name: map-waste, min_share: lots}]\n", "{{{{", "census: {intervall: 1s}\n", ""]) + "x: 1\n")
        else:
            self.write_config(memory="32MiB" if kind == "guardrail" else "2GiB",
                              append="  - {name: extra, kind: map-bytes, max_bytes: 100KiB}\n" if kind == "more rules" else "")
        self.daemon.process.send_signal(signal.SIGHUP)

    def ask(self, path):
        """None: it does not answer right now, since it is stopped or begins."""
        if not self.daemon or self.is_stopped:
            return None
        try:
            return self.daemon.ask(path)
        except (OSError, http.client.HTTPException, ValueError):
            return None

    def figures(self):
        return kernel.figures_of(self.pid) if self.daemon else None

    def bother(self):
        """What talks to its API: those that ask for all, that are silent, that talk nonsense."""
        host, port = self.daemon.address.split(":")
        requests = [b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in (
            b"/metrics", b"/api/v1/processes", b"/api/v1/findings", b"/api/v1/bpf-maps", b"/debug/pprof/maps?pid=1", b"/api/v1/processes/999999999/maps",
            b"/healthz", b"/" + b"x" * 20000)]
        requests += [b"", b"GET", random_module.Random(self.random.random()).randbytes(3000), b"POST / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n"]
        if pids := [row["pid"] for row in (self.ask("/api/v1/processes") or {"processes": []})["processes"]]:
            pid = self.random.choice(pids)
            requests += [f"GET {path}{pid} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for path in ("/api/v1/processes/", "/debug/pprof/maps?pid=")]

        def talk(request):
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=20) as connection:
                connection.sendall(request)
                while request and connection.recv(65536):
                    pass
                if not request:
                    time.sleep(3)
        for request in requests * 2:
            threading.Thread(target=talk, args=[request], daemon=True).start()

    def kill_a_child(self):
        """One of its parsers, or who starts them."""
        if children := kernel.children_of(self.pid):
            victim = self.random.choice(sorted(children))
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
                return victim
        return None

    def unfit_lines(self):
        """Of its log: what no daemon should ever say."""
        pattern = re.compile(r"terminate called|runtime error|Sanitizer|[Aa]ssertion")
        return [line for line in pathlib.Path(self.directory / "log").read_text(errors="replace").splitlines() if pattern.search(line)]

    def close(self):
        if self.daemon:
            self.cont()
        self.life.close()
        self.hook.__exit__()
        self.disk.close()
