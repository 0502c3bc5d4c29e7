"""A daemon under test: its configuration, its API, and who takes its alerts."""
import atexit
import contextlib
import functools
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

import harness


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@functools.cache
def sick():
    """A copy of the workload for this run alone: tests that run beside it have others, which are none of its daemon's business."""
    directory = tempfile.TemporaryDirectory(prefix="mapscope-sick-")
    atexit.register(directory.cleanup)
    return shutil.copy(harness.workload("sick"), directory.name)


class Receiver:
    """An HTTP server that keeps what is posted to it. `answer` says with which status, per request."""

    def __init__(self, answer=lambda number: 200):
        receiver = self
        self.documents = []
        self.requests = 0

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.requests += 1
                status = answer(receiver.requests)
                if status == 200:
                    receiver.documents.append(json.loads(body))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/alerts"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def alerts(self):
        """Every alert of every document, in the order in which they came."""
        return [alert for document in list(self.documents) for alert in document["alerts"]]


class Daemon:
    """A running `mapscope daemon`, its API on a port that the kernel chose."""

    def __init__(self, process, directory, address):
        self.process, self.directory, self.address = process, directory, address

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=harness.TIMEOUT_SECONDS) as answer:
            return answer.read()

    def ask(self, path):
        return json.loads(self.get(path))

    def status_of(self, path):
        try:
            return urllib.request.urlopen(f"http://{self.address}{path}", timeout=harness.TIMEOUT_SECONDS).status
        except urllib.error.HTTPError as error:
            return error.code

    def firing(self):
        return self.ask("/api/v1/findings?state=firing")["findings"]

    def watched(self, pid):
        """What it says of one process; None: nothing."""
        return next((row for row in self.ask("/api/v1/processes")["processes"] if row["pid"] == pid), None)

    def log(self):
        return (self.directory / "log").read_text(errors="replace")

    def stop(self, number=signal.SIGTERM):
        return harness.interrupt(self.process, number)[0]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_bytes(self):
        pages = int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")


def configuration(directory, text=""):
    """A configuration in `directory` that keeps everything in there."""
    path = directory / "mapscope.yaml"
    sections = {
        "watch": f"watch: {{include: [{{exe: ['{sick()}']}}]}}\n",
        "serve": f"serve:\n  address: 127.0.0.1:0\n  socket: {directory}/api.sock\n",
        "log": "log: {target: console, level: debug}\n",
        "bpf": "bpf: {enabled: false}\n",  # nor are the kernel's maps, but for test_bpf_daemon
    }
    path.write_text(text + "".join(section for name, section in sections.items() if f"\n{name}:" not in f"\n{text}"))
    return path


def alerts_section(directory, sinks=""):
    return f"alerts:\n  database: {directory}/alerts.db\n  per_rule_per_hour: 1000\n" + (f"  sinks:\n{sinks}" if sinks else "")


@contextlib.contextmanager
def running(directory, config, ready=True):
    """A daemon with that configuration file; yields it once it is ready."""
    with open(directory / "log", "ab") as log:
        begin = log.tell()
        with harness.started([harness.mapscope(), "daemon", "--config", config], stdout=log, stderr=log) as process:
            def address():
                if process.poll() is not None:
                    raise AssertionError(f"The daemon ended with {process.returncode}: {(directory / 'log').read_text()}")
                said = (directory / "log").read_bytes()[begin:].decode(errors="replace")
                found = harness.re.search(r"metrics and API: (127\.0\.0\.1:\d+)", said)
                return found and found[1]

            daemon = Daemon(process, directory, harness.wait_for(address, "the daemon serves"))
            if ready:
                harness.wait_for(lambda: daemon.status_of("/readyz") == 200, "the daemon is ready")
            yield daemon


class Patient:
    """The workload `sick`, with one illness."""

    def __init__(self, process):
        self.process = process
        self.pid = process.pid

    def tell(self, word):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def tell_without_answer(self, word):
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()


@contextlib.contextmanager
def patient(illness, *options, **popen):
    # The daemon looks with a lower priority than others have: ill programs that never rest would keep
    # it from looking where there are few cores.
    command = ["nice", "-n", "19", sick(), "-illness", illness, *options]
    with harness.started(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **popen) as process:
        yield Patient(process)
