#!/usr/bin/env python3
"""How many maps of real servers get their exact type and owner from `mapscope maps --owners`, and what a pass costs.

    tools/build-module 1.26.8 github.com/prometheus/prometheus@v0.315.0 cmd/prometheus build/prometheus
    benchmarks/owners_coverage.py build/release/userspace/mapscope --prometheus build/prometheus/prometheus --prometheus /usr/bin/prometheus
    benchmarks/owners_coverage.py build/release/userspace/mapscope --etcd /usr/bin/etcd --compile /usr/local/go

The truth is a collection: the server is made to collect twice, and then a census tells which maps have survived, by
address and seed. Maps that a pass called unreachable must not be among them, and of those that are, the share with an
exact type and an owner path is what counts. A compiler can't be made to collect: it is stopped, and the share is that of
the maps that are not unreachable.

Then CPU time by the bytes that were scanned, of the first pass and of later ones, and peak memory against the heap.
"""
import argparse
import collections
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

CONFIG = """
global: {{scrape_interval: 2s}}
scrape_configs:
- job_name: itself
  static_configs: [{{targets: [{targets}]}}]
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def fetch(url, body=None, seconds=60):
    try:
        with urllib.request.urlopen(url, data=body, timeout=seconds) as response:
            return response.read()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return None


@contextlib.contextmanager
def running(command, **options):
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(url):
    deadline = time.monotonic() + 60
    while fetch(url) is None:
        if time.monotonic() > deadline:
            sys.exit(f"{url} does not answer.")
        time.sleep(0.2)


@contextlib.contextmanager
def prometheus(executable, options):
    """A server that scrapes itself under many addresses; yields its pid and the URL of its heap profile."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="mapscope-bench-") as directory:
        config = pathlib.Path(directory) / "prometheus.yml"
        targets = ", ".join(f'"127.0.{i // 250}.{1 + i % 250}:{port}"' for i in range(options.targets))
        config.write_text(CONFIG.format(targets=targets))
        with running([executable, f"--config.file={config}", f"--storage.tsdb.path={directory}/data", f"--web.listen-address=0.0.0.0:{port}"]) as server:
            wait_for(f"http://127.0.0.1:{port}/metrics")
            time.sleep(options.seconds)
            yield server.pid, f"http://127.0.0.1:{port}/debug/pprof/heap?gc=1"


@contextlib.contextmanager
def etcd(executable, options):
    """A server that is written to without a pause."""
    client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
    ended = threading.Event()

    def write():
        number = 0
        while not ended.is_set():
            fetch(f"{client}/v3/kv/put", json.dumps({"key": f"{number % 20000:08}", "value": "AAAA"}).encode())
            number += 1

    with tempfile.TemporaryDirectory(prefix="mapscope-bench-") as directory, \
         running([executable, f"--data-dir={directory}", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
                  f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
                  "--enable-pprof", "--unsafe-no-fsync"]) as server:
        wait_for(f"{client}/health")
        threads = [threading.Thread(target=write, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(options.seconds)
        yield server.pid, f"{client}/debug/pprof/heap?gc=1"
        ended.set()


@contextlib.contextmanager
def compiler(goroot, options):
    """Go's compiler in the middle of a large package, stopped: it could not be made to collect."""
    go = f"{goroot}/bin/go"
    with tempfile.TemporaryDirectory(prefix="mapscope-bench-") as directory:
        environment = os.environ | {"GOROOT": goroot, "GOTOOLCHAIN": "local", "GOCACHE": directory, "GOFLAGS": ""}
        with running([go, "build", "-p=1", "-o", os.devnull, "cmd/compile/internal/ssa"], env=environment, start_new_session=True) as build:
            found = None
            while found is None and build.poll() is None:
                time.sleep(0.05)
                for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
                    with contextlib.suppress(OSError):
                        words = entry.read_bytes().decode().split("\0")
                        if words[0].endswith("/compile") and "cmd/compile/internal/ssa" in words and directory in entry.parent.joinpath("environ").read_bytes().decode():
                            found = int(entry.parent.name)
            if found is None:
                sys.exit("the compiler was done before it was seen.")
            time.sleep(options.compile_seconds)
            os.kill(found, signal.SIGSTOP)
            try:
                yield found, None
            finally:
                os.killpg(build.pid, signal.SIGKILL)


def look(mapscope, pid, *options):
    """The report, CPU seconds, wall seconds and peak MiB of one run."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as messages:
        start = time.monotonic()
        process = subprocess.Popen([mapscope, "maps", "--json", "--top", "0", "-p", str(pid), *options], stdout=output, stderr=messages)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - start
        output.seek(0)
        if process.returncode:
            messages.seek(0)
            sys.exit(f"mapscope ended with {process.returncode}: {messages.read().decode()}")
        return json.load(output), usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024


def is_whole(row):
    return row["type_certainty"] == "exact" and row["reachable"] and row["owner_path"]


def say_share(name, rows):
    exact = sum(row["type_certainty"] == "exact" for row in rows)
    owned = sum(bool(row["reachable"] and row["owner_path"]) for row in rows)
    both = sum(bool(is_whole(row)) for row in rows)
    of = max(len(rows), 1)
    print(f"  {name}: {len(rows)} maps, exact type {100 * exact / of:.1f} %, owner path {100 * owned / of:.1f} %, both {100 * both / of:.1f} %")
    missing = collections.Counter((row["type"] or "type not known" if row["type_certainty"] == "exact" else row["type_certainty"],
                                   row["owner"] or str(row["reachable"])) for row in rows if not is_whole(row))
    for (type_, owner), count in missing.most_common(8):
        print(f"    left: {count:6} {type_}, {owner}")


def compare(before, after):
    """What a collection says of what the pass said."""
    def key(row):
        return row["address"], row["seed"]

    survivors = {key(row) for row in after["maps"]}
    rows = [row for row in before["maps"] if row["len"] > 0 and row["location"] == "heap"]
    alive = [row for row in rows if key(row) in survivors]
    wrong = [row for row in alive if row["reachable"] is False]
    garbage = [row for row in rows if row["reachable"] is False]
    say_share("alive and not empty", alive)
    print(f"  called unreachable: {len(garbage)} of {len(rows)}; of these survived two collections: {len(wrong)}")
    for row in wrong[:10]:
        print(f"    WRONG: {row['address']} {row['type']} {row['len']} entries, {row['bytes']} bytes")
    changed = collections.Counter()
    typed = {key(row): row["type"] for row in after["maps"] if row["type_certainty"] == "exact"}
    for row in alive:
        if row["type_certainty"] == "exact" and typed.get(key(row), row["type"]) != row["type"]:
            changed[row["type"], typed[key(row)]] += 1
    print(f"  another exact type without owners: {sum(changed.values())} {dict(changed.most_common(3)) if changed else ''}")


def say_cost(mapscope, pid, report, cost, bare):
    _, cpu, wall, peak = cost
    owners, heap = report["owners"], report["heap"]
    scanned = owners["bytes_scanned"] / 2**30
    print(f"  one run: CPU {cpu:.2f} s, wall {wall:.2f} s, peak {peak:.0f} MiB; without owners CPU {bare[1]:.2f} s, peak {bare[3]:.0f} MiB; "
          f"heap {heap['in_use_bytes'] / 2**20:.0f} MiB")
    print(f"  walk: {owners['cpu_ms']} ms of CPU for {scanned * 1024:.0f} MiB scanned, {owners['cpu_ms'] / 1e3 / max(scanned, 1e-9):.1f} s/GiB; "
          f"owners: {json.dumps({name: value for name, value in owners.items() if value})}")
    watcher = subprocess.Popen([mapscope, "maps", "--owners", "--json", "--top", "1", "--watch", "1", "-p", str(pid)], stdout=subprocess.PIPE)
    looks = [json.loads(watcher.stdout.readline())["owners"]["cpu_ms"] for _ in range(4)]
    watcher.kill()
    watcher.wait()
    print(f"  owners of looks that follow each other, ms of CPU: {looks}")


def measure(title, started, options):
    with started as (pid, collection):
        print(title)
        *cost, = look(options.mapscope, pid, "--owners")
        report = cost[0]
        if collection:
            for _ in range(2):
                if not fetch(collection):
                    sys.exit(f"{collection} does not answer.")
        bare = look(options.mapscope, pid, "--no-owners")
        if collection:
            compare(report, bare[0])
        rows = [row for row in report["maps"] if row["len"] > 0]
        say_share("not unreachable and not empty", [row for row in rows if row["reachable"] is not False])
        say_share("all that are not empty", rows)
        say_cost(options.mapscope, pid, report, cost, bare)
        if options.save:
            pathlib.Path(options.save).write_text(json.dumps(report))
        sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mapscope")
    parser.add_argument("--prometheus", action="append", default=[], metavar="EXECUTABLE")
    parser.add_argument("--etcd", action="append", default=[], metavar="EXECUTABLE")
    parser.add_argument("--compile", action="append", default=[], metavar="GOROOT")
    parser.add_argument("--targets", type=int, default=80, help="that a prometheus scrapes, all of them itself")
    parser.add_argument("--seconds", type=float, default=60, help="of load before the pass")
    parser.add_argument("--compile-seconds", type=float, default=5, help="after which the compiler is stopped")
    parser.add_argument("--save", metavar="FILE", help="keep the last report")
    options = parser.parse_args()
    for executable in options.prometheus:
        measure(executable, prometheus(executable, options), options)
    for executable in options.etcd:
        measure(executable, etcd(executable, options), options)
    for goroot in options.compile:
        measure(f"{goroot}: compile", compiler(goroot, options), options)


if __name__ == "__main__":
    main()
