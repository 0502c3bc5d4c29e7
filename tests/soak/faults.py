"""The faults of a soak. Each is done once, at a random moment, to something random; what has to be undone is undone later."""
import os
import signal
import subprocess

import runs
import zoo


def start_target(soak):
    program, version, mode, path = soak.zoo.choose(soak.random)
    circumstances = soak.random.choice(zoo.CIRCUMSTANCES) if program.ends == "itself" or program.name == "sick" else "none"
    soak.add_target(program, version, mode, path, circumstances)
    if circumstances != "none":
        soak.journal.fault("target: " + circumstances.replace("_", " "))


def run_command(soak):
    if len(soak.runs) < soak.runs_at_once:
        kinds = runs.KINDS
        soak.start_run(soak.random.choices([make for _, make in kinds], [weight for weight, _ in kinds])[0])


def kill_target(soak):
    if target := soak.some_target():
        soak.journal.fault("target killed", target=target.name)
        target.kill()


def stop_target(soak):
    if target := soak.some_target():
        soak.journal.fault("target stopped", target=target.name)
        target.faults.add("stopped")
        target.signal(signal.SIGSTOP)
        soak.later(soak.random.uniform(0.2, 6), lambda: target.signal(signal.SIGCONT))


def replace_executable(soak):
    """Another program stands where the running one came from."""
    program, version, mode, path = soak.zoo.choose(soak.random)
    other = soak.zoo.choose(soak.random)[3]
    target = soak.add_target(program, version, mode, path, private=True)
    remove = soak.random.random() < 0.3
    soak.journal.fault("executable replaced", target=target.name, by=None if remove else other)

    def replace():
        if target.process.poll() is None and not target.is_itself():
            soak.later(0.1, replace)  # it has not begun
        elif remove:
            target.path.unlink(missing_ok=True)
        elif target.path.parent.exists():
            zoo.link_or_copy(other, target.path.with_suffix(".new"))
            os.replace(target.path.with_suffix(".new"), target.path)
    soak.later(soak.random.uniform(0.1, 3), replace)


def exec_another(soak):
    first = zoo.Program("exec", soak.random.choice([("--",), ("-thread", "--"), ("-child", "--")]))
    second, _, _, path = soak.zoo.choose(soak.random, [one for one in soak.programs if one.ends == "itself" and not one.environment])
    _, version, mode, executable = soak.zoo.choose(soak.random, [first])
    words = zoo.Program("exec", (*first.arguments, str(path), *second.arguments), misuses=second.misuses, touches_files=second.touches_files)
    target = soak.add_target(words, version, mode, executable)
    soak.journal.fault("exec of another program", target=target.name)


def short_lived_storm(soak):
    """Programs that are gone before anybody has looked at them."""
    soak.journal.fault("storm of short-lived programs")
    create = soak.zoo.choose(soak.random, [zoo.Program("create")])[3]
    script = f"for i in $(seq 150); do /bin/true; done; for i in $(seq 25); do {create} & done; wait"
    soak.bystanders.append(subprocess.Popen(["nice", "-n", "19", "sh", "-c", script], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))


def fill_ring(soak):
    if soak.start_run(runs.trace_while_stopped):
        soak.journal.fault("ring not read for a while")


def some_run(soak):
    return soak.random.choice(soak.runs) if soak.runs else None


def kill_command(soak):
    if run := some_run(soak):
        soak.journal.fault("command killed", command=run.words)
        run.signal(signal.SIGKILL)


def interrupt_command(soak):
    if run := some_run(soak):
        soak.journal.fault("command interrupted", command=run.words)
        run.signal(soak.random.choice([signal.SIGINT, signal.SIGTERM]))


def stop_command(soak):
    if run := some_run(soak):
        soak.journal.fault("command stopped", command=run.words)
        run.signal(signal.SIGSTOP)
        soak.later(soak.random.uniform(0.2, 4), lambda: run.process.poll() is None and run.process.send_signal(signal.SIGCONT))


def kill_daemon(soak):
    soak.journal.fault("daemon killed")
    soak.subject.kill()


def terminate_daemon(soak):
    soak.journal.fault("daemon told to end")
    soak.subject.terminate()


def stop_daemon(soak):
    if not soak.subject.is_stopped:
        soak.journal.fault("daemon stopped")
        soak.subject.stop()
        soak.later(soak.random.uniform(0.5, 5), soak.subject.cont)


def reload_daemon(soak):
    kind = soak.random.choice(["good", "broken", "guardrail", "more rules"])
    soak.journal.fault(f"configuration: {kind}")
    soak.subject.reload(kind)
    if kind != "good":
        soak.later(soak.random.uniform(2, 20), lambda: soak.subject.daemon and soak.subject.reload("good"))


def fill_disk(soak):
    if not soak.subject.disk.is_mounted:
        return
    soak.journal.fault("disk full")
    soak.subject.disk_was_full = True
    soak.subject.disk.fill()
    soak.later(soak.random.uniform(2, 15), soak.subject.disk.free)


def spoil_receivers(soak):
    mode = soak.random.choice(["slow", "refusing"])
    soak.journal.fault(f"receivers: {mode}")
    soak.subject.hook.mode = mode
    soak.subject.works(False)

    def heal():
        soak.subject.hook.mode = "good"
        soak.subject.works(True)
    soak.later(soak.random.uniform(3, 20), heal)


def bother_api(soak):
    if soak.subject.daemon and not soak.subject.is_stopped:
        soak.journal.fault("nonsense at the API")
        soak.subject.bother()


def kill_parser(soak):
    if victim := soak.subject.kill_a_child():
        soak.journal.fault("child of the daemon killed", pid=victim)


# Weights: of a thousand things that happen, so many are of this kind.
KINDS = ((400, start_target), (260, run_command), (50, kill_target), (50, stop_target), (25, replace_executable), (25, exec_another),
         (8, short_lived_storm), (20, fill_ring), (25, kill_command), (25, interrupt_command), (25, stop_command), (4, kill_daemon),
         (4, terminate_daemon), (8, stop_daemon), (12, reload_daemon), (8, fill_disk), (10, spoil_receivers), (8, bother_api), (8, kill_parser))
