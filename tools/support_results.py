"""The results of long runs as docs/support/KIND.json keeps them: what makes one valid, and how the rows of a
new run take the place of older ones. Tools that write results import it; `tools/support-table` reads them.

    {"schema": "mapscope.support/1", "kind": "go", "command": "make matrix", "host": "Linux 6.18, x86-64",
     "mapscope": "038d3d5", "date": "2026-11-22",
     "checks": {"verify": "one sentence on what it compares"},             (may be missing)
     "columns": [{"id": "stripped", "title": "stripped", "about": "one sentence"}],
     "rows": [{"id": "1.26.8", "title": "Go 1.26.8",
               "cells": {"stripped": {"state": "supported", "why": "", "checks": {"verify": "passed: 12 created"}}}}]}
"""
import copy
import datetime
import json
import os
import pathlib
import platform
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs/support"
SCHEMA = "mapscope.support/1"
KINDS = ("go", "kernels", "arm64", "programs")
STATES = ("supported", "degraded", "refused", "not_run", "none")
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:root|home|tmp|work|var/tmp)/")


def _text_problems(where, holder, keys):
    return [f"{where} has no {key}." for key in keys if not isinstance(holder.get(key), str) or not holder[key].strip()]


def _cell_problems(where, cell):
    if not isinstance(cell, dict) or cell.get("state") not in STATES:
        return [f"{where} has no state of {', '.join(STATES)}."]
    why, checks = cell.get("why"), cell.get("checks", {})
    if not isinstance(why, str) or not isinstance(checks, dict):
        return [f"{where} has no 'why', or checks that are no object."]
    problems = []
    if cell["state"] != "supported" and not re.search(r"\w.*[.!?]$", why.strip(), re.DOTALL):
        problems.append(f"{where} is {cell['state']} without a whole sentence that says why.")
    if cell["state"] == "supported":
        failed = [name for name, result in checks.items() if not str(result).startswith("passed")]
        if failed or not checks:
            problems.append(f"{where} is supported, but {'of ' + ', '.join(failed) + ' it does not say passed' if failed else 'no check says so'}.")
    return problems


def problems(results, kind):
    """What is wrong with a file of results, a sentence each."""
    if not isinstance(results, dict) or results.get("schema") != SCHEMA or results.get("kind") != kind:
        return [f"{kind}.json is not of schema {SCHEMA} and kind {kind}."]
    found = _text_problems(f"{kind}.json", results, ("command", "host", "mapscope", "date"))
    columns, rows = results.get("columns"), results.get("rows")
    if not columns or not rows:
        return [*found, f"{kind}.json has no columns or no rows."]
    for column in columns:
        found += _text_problems(f"{kind}.json, column {column.get('id')}", column, ("id", "title", "about"))
    ids = [column["id"] for column in columns]
    for name, those in (("column", ids), ("row", [row.get("id") for row in rows])):
        found += [f"{kind}.json has {name} {repeated} twice." for repeated in sorted({one for one in those if those.count(one) > 1})]
    for row in rows:
        where = f"{kind}.json, row {row.get('id')}"
        found += _text_problems(where, row, ("id", "title"))
        cells = row.get("cells", {})
        if set(cells) != set(ids):
            found.append(f"{where} has not the cells of all columns: {', '.join(sorted(set(cells) ^ set(ids)))}.")
        for name, cell in cells.items():
            found += _cell_problems(f"{where}, {name}", cell)
    if match := MACHINE_PATH.search(json.dumps(results, ensure_ascii=False)):
        found.append(f"{kind}.json names a path of one machine: {match[0]}.")
    return found


def _natural(text):
    return [(0, int(part)) if part.isdigit() else (1, part) for part in re.findall(r"\d+|\D+", text)]


def merge(old, new):
    """The new run, with the rows of the old one that it did not cover; a column that only one has is not run in the other's rows."""
    old, new = copy.deepcopy(old or {}), copy.deepcopy(new)
    told = {column["id"] for column in new["columns"]}
    columns = new["columns"] + [column for column in old.get("columns", []) if column["id"] not in told]
    rows = {row["id"]: row for row in old.get("rows", [])}
    for row in new["rows"]:
        known = rows.get(row["id"], {}).get("cells", {})
        rows[row["id"]] = row | {"cells": known | row["cells"]}
    for row in rows.values():
        for column in columns:
            row["cells"].setdefault(column["id"], {"state": "not_run", "why": "Not run yet.", "checks": {}})
    return new | {"columns": columns, "rows": [rows[name] for name in sorted(rows, key=_natural)]}


def load(path):
    """None: there is none yet."""
    path = pathlib.Path(path)
    return json.loads(path.read_text()) if path.exists() else None


def save(path, results):
    """Whole or not at all: a run may be ended at any time."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    os.replace(scratch, path)


def head(kind, command, columns, mapscope_version=None):
    """The beginning of the results of a run on this machine, now."""
    machine = {"x86_64": "x86-64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    release = ".".join(platform.release().split(".")[:2])
    return {"schema": SCHEMA, "kind": kind, "command": command, "host": f"{platform.system()} {release}, {machine}",
            "mapscope": mapscope_version or commit(), "date": datetime.date.today().isoformat(), "columns": columns, "rows": []}


def commit():
    """The commit that is checked out; of the program's own code, since documents change with each run."""
    command = ["git", "-C", str(ROOT), "log", "-1", "--format=%h", "--", "userspace", "bpf", "vmlinux"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "a tree without git"
