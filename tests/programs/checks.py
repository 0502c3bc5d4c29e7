"""One program of others, looked at in every way: cells of docs/support/programs.json.

A server is watched while it is asked; a command from its start, and its maps while it is stopped halfway. An answer that
contradicts itself or what the program counts raises Wrong: that is a defect, and no state of a cell.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import harness
import packages
import servers
import soundness

WATCHED_SECONDS, TRACED_SECONDS = 10, 4
HALFWAY = (0.5, 0.3, 0.7, 0.15)  # of the CPU time of a run: where a command is stopped, in turn, until one try comes in time
COLUMNS = [
    {"id": "inspect", "title": "inspect", "about": "its file is read: release, functions and layout are found, and the release is the one that `go version` says"},
    {"id": "verify", "title": "verify", "about": "watched for ten seconds under load, or from its start to its end; the verdict, with nothing lost and the witnesses agreeing"},
    {"id": "trace", "title": "trace", "about": "`trace --all` for some seconds, or from its start to its end; records add up"},
    {"id": "maps", "title": "maps", "about": "every map: bytes by cause, totals and slots add up, and the heap is the one that the program counts itself, where it does"},
    {"id": "owners", "title": "owners", "about": "`maps --owners`: who holds them; nothing that was called garbage survives a collection, where the program can be asked for one"},
]


class Wrong(Exception):
    """What mapscope said that can't be so."""


def cell(state, why="", **checks):
    return {"state": state, "why": why, "checks": checks}


def require(found, report=None):
    if found:
        if folder := os.environ.get("MAPSCOPE_KEEP_WRONG"):
            path = pathlib.Path(folder) / f"wrong-{time.time_ns()}.json"
            path.write_text(json.dumps(report, indent=1))
        raise Wrong("; ".join(found))


def said_of(text):
    """What mapscope said to the user, without the paths of this machine."""
    lines = [line.removeprefix("mapscope: ") for line in text.splitlines() if line.startswith("mapscope: ") and ": watching process" not in line]
    text = " ".join(lines) or text.strip()[-300:]
    return re.sub(r"/\S*/([\w.+-]+)", r"\1", text)


def sentence(text):
    text = " ".join(text.split())
    return text if text.endswith((".", "!", "?")) else f"{text}."


def refused(text, **checks):
    return cell("refused", sentence(f"It says: {said_of(text)}"), **checks)


def inspect(executable):
    """The cell, and what is known of the program then; None: mapscope does not read it."""
    done = harness.run_mapscope("inspect", "--json", executable)
    if done.returncode:
        return refused(done.stderr.decode(), inspect="refused"), None
    report = json.loads(done.stdout)
    go = subprocess.run(["go", "version", executable], capture_output=True, text=True).stdout.split(": ")
    if len(go) == 2 and go[1].split()[0] != report["go_version"]:
        raise Wrong(f"inspect says {report['go_version']}, and go version {go[1].strip()}")
    missing = [name for name, places in report["operations"].items() if not places]
    says = f"passed: {report['function_count']} functions, {report['map_implementation']} maps, layout {report['layout']['source']}"
    if report["warnings"]:
        return cell("degraded", sentence(" ".join(report["warnings"])), inspect=f"warned: {', '.join(missing) or 'all operations found'}"), report
    return cell("supported", inspect=says), report


def build_of(report):
    """In which way a program was built, in words."""
    words = [word for word, is_so in (("stripped", report["is_stripped"]), ("PIE", report["is_pie"]), ("cgo", report["uses_cgo"]),
                                      ("-trimpath", report["build_settings"].get("-trimpath") == "true"), ("PGO", report["uses_pgo"])) if is_so]
    return ", ".join([report["go_version"], *report["experiments"], *words])


def verify_cell(report, messages):
    if report is None:
        return refused(messages, verify="refused")
    require(soundness.verify_problems(report), report)
    operations = report["operations"]
    figures = (f"{operations['created']} maps created, {operations['grown']} growths, {sum(report['system_calls']['inside'].values())} system calls inside, "
               f"none of a file, {sum(report['system_calls']['outside'].values())} outside")
    if report["verdict"] == "clean":
        return cell("supported", verify=f"passed: {figures}")
    if report["verdict"] == "violated":
        first = report["violations"][0]
        raise Wrong(f"verify says violated: {first['system_call']} of {first['path']} in {first['site']}, {first['operation']}, {first['witnesses']}, {first['cause']}")
    return cell("degraded", sentence(f"Inconclusive: {' '.join(report['reasons'])}"), verify=figures)


def trace_cell(path, messages):
    text = path.read_text()
    if not text:
        return refused(messages, trace="refused")
    events, end = harness.parse_trace(text)
    require(soundness.trace_problems(events, end), {"events": events[-200:], "end": end})
    maps = {event["map_number"] for event in events if event.get("map_number")}
    typed = sum(1 for event in events if event["event"].startswith("map_") and event.get("type"))
    of_maps = sum(1 for event in events if event["event"].startswith("map_"))
    figures = f"{len(events)} events, {of_maps} of maps, {typed} of these with a type, {len(maps)} maps told apart"
    if not of_maps:
        return cell("degraded", "Nothing happened to a map meanwhile that it tells.", trace=figures)
    if lost := soundness.lost(end):
        return cell("degraded", sentence(f"It says that it lost events: {', '.join(f'{name} {count}' for name, count in lost.items())}"), trace=figures)
    return cell("supported", trace=f"passed: {figures}")


def maps_report(pid, *options):
    """A look at all maps, or the cell that says why there is none."""
    done = harness.run_mapscope("maps", "--json", "--top", 0, "-p", pid, *options)
    if done.returncode != harness.CLEAN:
        return None, refused(done.stderr.decode(), maps="refused")
    report = json.loads(done.stdout)
    require(soundness.map_problems(report), report)
    return report, None


def maps_figures(report):
    totals, types = report["totals"], report["totals"]["types"]
    return (f"{totals['maps']} maps, {totals['entries']} entries, {totals['bytes']} of {report['heap']['in_use_bytes']} bytes in use; types: {types['exact']} exact, "
            f"{types['candidate']} candidates, {types['unknown']} unknown")


def maps_cell(report, *more):
    figures = "; ".join([maps_figures(report), *more])
    if left := soundness.what_maps_leave_open(report):
        return cell("degraded", sentence(" ".join(left)), maps=figures)
    return cell("supported", maps=f"passed: {figures}")


def owners_cell(report, *more):
    contents = [row for row in report["maps"] if row["len"] > 0]
    held = [row for row in contents if row["reachable"]]
    known = [row for row in held if row["type_certainty"] == "exact"]
    garbage = sum(row["reachable"] is False for row in contents)
    figures = "; ".join([f"of {len(contents)} maps with contents {len(held)} have an owner, {len(known)} of these with an exact type, {garbage} are garbage", *more])
    if left := soundness.what_owners_leave_open(report):
        return cell("degraded", sentence(" ".join(left)), owners=figures)
    return cell("supported", owners=f"passed: {figures}")


@contextlib.contextmanager
def loaded(server):
    """Asks a server again and again, beside what the block does."""
    ended = threading.Event()

    def work():
        while not ended.is_set():
            server.load()
            ended.wait(0.02)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield
    finally:
        ended.set()
        worker.join()


@contextlib.contextmanager
def running(place, make, package, log):
    """A server that answers, and its process."""
    server = make(place)
    with open(log, "wb") as output, harness.started(server.command, cwd=place.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                                    env=os.environ | packages.libraries(package) | server.environment) as process:
        def answers():
            if process.poll() is not None:
                raise packages.NotToBeHad(f"It ended with {process.returncode}: {said_of(log.read_text(errors='replace'))[-300:]}")
            return server.ready()

        harness.wait_for(answers, f"{place.executable.name} answers")
        yield server, process


def memory_statistics(server):
    """The go_memstats_ of its metrics, by the rest of their names; none where it does not tell them."""
    text = (servers.ask(server.metrics) or b"").decode() if server.metrics else ""
    return {match[1]: float(match[2]) for match in re.finditer(r"^go_memstats_(\w+) (\S+)$", text, re.M)}


def verify_server(pid, folder):
    report = folder / "verify.json"
    report.touch()
    done = subprocess.run([*harness.verify_command(report), "--duration", str(WATCHED_SECONDS), "-p", str(pid)], capture_output=True, text=True,
                          timeout=harness.TIMEOUT_SECONDS)
    return verify_cell(harness.read_report(report), done.stderr)


def trace_server(pid, folder):
    events = folder / "events"
    done = harness.run_mapscope("trace", "--json", "--all", "-o", events, "--duration", TRACED_SECONDS, "-p", pid)
    return trace_cell(events, done.stderr.decode())


def look_at_server(server, pid):
    before = memory_statistics(server)
    report, cell_instead = maps_report(pid, "--no-owners")
    if not report:
        return cell_instead
    if before:
        after = memory_statistics(server)
        require(soundness.heap_problems(report, before, after), report)
        return maps_cell(report, f"{report['heap']['allocated_bytes']} bytes allocated, the program counts {before['heap_alloc_bytes']:.0f} and {after['heap_alloc_bytes']:.0f}")
    return maps_cell(report, "it does not tell what Go counts")


def owners_of_server(server, pid):
    report, cell_instead = maps_report(pid, "--owners")
    if not report:
        return cell_instead
    if not server.collect:
        return owners_cell(report, "it can't be asked to collect")
    for _ in range(2):
        harness.wait_for(lambda: servers.ask(server.collect), "the program collects")
    later, cell_instead = maps_report(pid, "--no-owners")
    if not later:
        return cell_instead
    survivors = {(row["address"], row["seed"]) for row in later["maps"]}
    alive = [row for row in report["maps"] if row["len"] > 0 and (row["address"], row["seed"]) in survivors]
    require([f"map {row['address']} ({row['type']}) was called garbage and survived two collections" for row in alive if row["reachable"] is False][:5], report)
    return owners_cell(report, f"none of the {len(alive)} that survived a collection was called garbage")


def check_server(place, make, package):
    """Cells of all columns but `inspect`, of a server that serves before and after."""
    with harness.scratch() as folder, running(place, make, package, folder / "log") as (server, process):
        with loaded(server):
            time.sleep(1)  # not for correctness: so that there is something to see
            cells = {"verify": verify_server(process.pid, folder), "trace": trace_server(process.pid, folder),
                     "maps": look_at_server(server, process.pid)}
        cells["owners"] = owners_of_server(server, process.pid)
        if process.poll() is not None or not server.ready():
            raise Wrong(f"{place.executable.name} does not serve any more after it was watched")
        return cells


def run_task(place, make, package, prefix=()):
    """Runs a command in a folder of its own, under another one if `prefix` says so; its CPU seconds and what mapscope said."""
    with harness.scratch() as folder:
        task = make(servers.Place(place.executable, folder))
        environment = os.environ | packages.libraries(package) | task.environment
        begin = sum(os.times()[2:4])
        with task.beside, open(task.stdin) as stdin:
            done = subprocess.run([*map(str, prefix), *map(str, task.command)], cwd=folder, env=environment, stdin=stdin, capture_output=True, text=True,
                                  timeout=harness.TIMEOUT_SECONDS)
        return sum(os.times()[2:4]) - begin, task.done(done.stdout + done.stderr), done


def cpu_seconds(pid):
    """Of all threads that live, to the nanosecond; None: it is gone."""
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9
    except (FileNotFoundError, ProcessLookupError):
        return None


def stands(pid):
    """Whether every thread of it has stopped."""
    return all(" T " in f"{task.read_text().rpartition(')')[2][:3]} " for task in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"))


@contextlib.contextmanager
def stopped_halfway(place, make, package, seconds):
    """The process number of a command that was stopped after so much CPU time; None: it ended before."""
    with harness.scratch() as folder:
        task = make(servers.Place(place.executable, folder))
        environment = os.environ | packages.libraries(package) | task.environment
        with task.beside, open(task.stdin) as stdin, open(folder / "output", "w+") as output, harness.started(
                task.command, cwd=folder, env=environment, stdin=stdin, stdout=output, stderr=output) as process:
            while process.poll() is None and (used := cpu_seconds(process.pid)) is not None and used < seconds:
                time.sleep(0.0005)
            if process.poll() is None:
                process.send_signal(signal.SIGSTOP)
                harness.wait_for(lambda: process.poll() is not None or stands(process.pid), "a command stops")
            yield process.pid if process.poll() is None else None
            process.send_signal(signal.SIGCONT)
            process.wait(timeout=harness.TIMEOUT_SECONDS)
            output.seek(0)
            if process.returncode or not task.done(output.read()):
                raise Wrong(f"{place.executable.name} did not do its task after it was looked at: {process.returncode}")


def look_at_command(place, make, package, seconds):
    """Cells of `maps` and `owners`, of one and the same moment."""
    for share in HALFWAY:
        with stopped_halfway(place, make, package, share * seconds) as pid:
            if pid is None:
                continue
            try:
                report, cell_instead = maps_report(pid, "--no-owners")
                with_owners, owners_instead = maps_report(pid, "--owners")
            except subprocess.TimeoutExpired as error:
                raise Wrong(f"maps did not answer: {error}") from error
        if not report or not with_owners:
            return {"maps": cell_instead or maps_cell(report), "owners": owners_instead or owners_cell(with_owners)}
        if not report["maps"] and share != HALFWAY[-1]:
            continue
        require(soundness.same_moment_problems(report, with_owners), [report, with_owners])
        return {"maps": maps_cell(report, f"stopped after {share:.0%} of its CPU time"), "owners": owners_cell(with_owners)}
    never = cell("not_run", "It ended before it could be looked at.")
    return {"maps": never, "owners": never}


def check_command(place, make, package):
    """Cells of all columns but `inspect`, of a command that does its task each time."""
    seconds, is_done, done = run_task(place, make, package)
    if not is_done:
        raise packages.NotToBeHad(f"It did not do its task here: {done.returncode}: {said_of(done.stdout + done.stderr)}")
    with harness.scratch() as folder:
        report, events = folder / "report", folder / "events"
        report.touch()
        _, verified, verify = run_task(place, make, package, [*harness.verify_command(report), "--"])
        _, traced, trace = run_task(place, make, package, [harness.mapscope(), "trace", "--json", "--all", "-o", events, "--"])
        cells = {"verify": verify_cell(harness.read_report(report), verify.stderr), "trace": trace_cell(events, trace.stderr)}
    if not verified or not traced:
        raise Wrong(f"{place.executable.name} did not do its task while it was watched")
    return cells | look_at_command(place, make, package, seconds)
