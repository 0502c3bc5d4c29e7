"""The daemon beside many servers that others built, with the configuration that is shipped."""
import contextlib
import json
import re
import subprocess
import time

import checks
import daemons
import harness
import packages
import servers

SHIPPED = packages.ROOT / "packaging/mapscope.yaml"


def configuration(folder):
    """The shipped one; only where it writes and listens is of this run."""
    text = SHIPPED.read_text().replace("/var/lib/mapscope", str(folder)).replace("/run/mapscope", str(folder))
    text = re.sub(r"^  address: .*$", "  address: 127.0.0.1:0", text, flags=re.M)
    text = re.sub(r"^  target: .*$", "  target: console", text, flags=re.M)
    path = folder / "mapscope.yaml"
    path.write_text(text)
    return path


def started(stack, rows):
    """Those of the servers that can be had, each asked from now on: row -> process and server."""
    running = {}
    for name, (package, pattern, make) in rows.items():
        try:
            place = servers.Place(packages.executable(package, pattern), stack.enter_context(harness.scratch()))
            server, process = stack.enter_context(checks.running(place, make, package, place.folder / "its-output"))
            stack.enter_context(checks.loaded(server))
            running[name] = (process, server)
        except (packages.NotToBeHad, AssertionError, OSError, subprocess.SubprocessError) as error:
            print(f"together: {name} is left out: {error}", flush=True)
    return running


def watch(rows, seconds):
    """Whether the daemon watched them all, said nothing wrong and harmed none; prints its figures."""
    with contextlib.ExitStack() as stack:
        running = started(stack, rows)
        folder = stack.enter_context(harness.scratch())
        daemon = stack.enter_context(daemons.running(folder, configuration(folder)))
        begin = time.monotonic()
        while time.monotonic() - begin < seconds and daemon.process.poll() is None:
            time.sleep(1)
        watched = {name: daemon.watched(process.pid) for name, (process, _) in running.items()}
        pids = {process.pid for process, _ in running.values()}
        findings = [one for one in daemon.firing() if one["process"] and one["process"]["pid"] in pids]
        resident = daemon.resident_bytes()
        problems = [f"{name} is not watched" for name, row in watched.items() if not row]
        problems += [f"{name} does not answer any more" for name, (process, server) in running.items() if process.poll() is not None or not server.ready()]
        problems += [f"it alerts of a program that is well: {json.dumps(one)[:400]}" for one in findings]
        if exit_code := daemon.stop():
            problems.append(f"the daemon ended with {exit_code}: {daemon.log()[-500:]}")
        censuses = sum(1 for row in watched.values() if row and row.get("maps"))
    print(f"together: {len(running)} servers for {seconds} s, {censuses} with a census, {len(findings)} alerts, {resident >> 20} MiB resident; "
          f"{'; '.join(problems) or 'nothing wrong'}", flush=True)
    return not problems
