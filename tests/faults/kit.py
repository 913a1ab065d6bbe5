"""What the scripts in this directory have in common: a daemon of their own that leaves nothing behind, how it is asked
and waited for, and how they tell what they found. Needs nothing but Python. A script is a function:

    def main():
        binary, seconds = kit.arguments(60.0)
        with kit.place() as place, kit.Daemon(binary, place, JOBS) as daemon:
            daemon.start()
            run = daemon.submit("nap")
            daemon.wait(lambda: daemon.state(run) == "succeeded", "the run does not end")
            kit.show("what it is", 0, True)
            daemon.finish(acknowledged=1, ends=1)

    kit.play(main)

What may fail is checked with `show`, which goes on, or by raising `Failed` (or `NoAnswer`), which does not. Where one
of them fails, the end of the daemon's log is printed, and the exit code is 1. What is submitted through the daemon is
kept for the checker, which judges at the end (`finish`, `judge`, `check`).
"""
import collections, contextlib, datetime, fcntl, functools, http.client, itertools, json, os, pathlib, re, shutil, signal
import socket, struct, subprocess, sys, tempfile, time, tomllib

# The exit code by which a script says that it cannot run here.
SKIPPED = 77
# Seconds: far longer than anything takes that is waited for, also on a machine that has other things to do.
LIMIT = 60
ROOT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = '[daemon]\njobs = ["jobs.toml"]\nstate_dir = "{state}"\nruntime_dir = "run"\n'


class Failed(Exception):
    """Something is not as it has to be, and there is no use in going on."""


class NoAnswer(OSError):
    """Nobody answers, or not wholly: what became of the request is not known."""


# What a script is called with, and what it leaves with.


def arguments(*defaults):
    """The program to be tried, and a value for each of `defaults`, of the same type."""
    words = sys.argv[1:]
    binary = os.path.realpath(words[0] if words else ROOT / "target/release/twolane")
    return binary, *(type(default)(word) for default, word in zip(defaults, words[1:])), *defaults[len(words[1:]) :]


def skip(why):
    """Leaves, since it cannot be played here: `why` says what is missing."""
    print(f"skipped: {why}", flush=True)
    sys.exit(SKIPPED)


def need(*tools, root=False):
    """Leaves unless these programs are here, and the rights of root where they are needed."""
    if root and os.geteuid() != 0:
        skip("needs root")
    missing = [tool for tool in tools if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/sbin:/usr/sbin")]
    if missing:
        skip(f"needs {', '.join(missing)}")


def place():
    """A directory that is gone afterwards; others may look into it."""
    made = tempfile.TemporaryDirectory(prefix="twolane-")
    os.chmod(made.name, 0o755)
    return made


def play(script):
    """Calls `script` and leaves: with 1 if something was not as it has to be. One that is asked to end cleans up, too."""
    signal.signal(signal.SIGTERM, leave)
    try:
        script()
    except (Failed, NoAnswer) as failed:
        print(f"FAILED: {failed}", flush=True)
        show.bad += 1
    sys.exit(1 if show.bad else 0)


def leave(*_):
    """Ends the script. Whoever asks twice, as `timeout` does, does not keep it from cleaning up."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


@contextlib.contextmanager
def undisturbed():
    """Who is asked to end meanwhile does so afterwards, so that nobody loses sight of what is being started."""
    asked = []
    before = signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
    if asked:
        leave()


def show(what, value, good=True):
    """One line of the verdict: what was looked at, its figure, and whether that is as it has to be."""
    show.bad += not good
    if isinstance(value, float):
        value = f"{value:.1f}"
    print(f"{what:<68} {value:>10}  {'ok' if good else 'FAILED'}", flush=True)
    return good


show.bad = 0


# Waiting, and times.


def wait(what, why, limit=LIMIT, pause=0.01):
    """Until `what()` is something, and gives that. Nobody who answers is nothing yet; after `limit` seconds it raises,
    with `why` as the words, or what it gives where it is a function."""
    until = time.monotonic() + limit
    while True:
        try:
            found = what()
        except OSError:
            found = None
        if found:
            return found
        if time.monotonic() > until:
            raise Failed(f"{why() if callable(why) else why}, after {limit} s")
        time.sleep(pause)


def moment(text):
    """The seconds of a time that the daemon tells."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def share(values, part):
    """The value that `part` of all do not exceed, as in 0.99; none of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else None


# Asking.


class Connection(http.client.HTTPConnection):
    """A connection over the Unix socket at `path`; each step of it takes `timeout` seconds at most."""

    def __init__(self, path, timeout=LIMIT):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def ask(self, method, route, body=None):
        """The status and the answer of one request, on this connection. A `body` that is a list is a batch, a line for
        each of it, and so is its answer. What is no JSON is given as text."""
        headers, text = {}, body
        if isinstance(body, list):
            headers, text = {"content-type": "application/x-ndjson"}, "".join(json.dumps(line) + "\n" for line in body)
        elif body is not None:
            headers, text = {"content-type": "application/json"}, json.dumps(body)
        try:
            self.request(method, route, text, headers)
            answer = self.getresponse()
            return answer.status, read(answer.getheader("content-type", ""), answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise NoAnswer(f"{method} {route}: {error!r}") from error


def read(kind, told):
    """What was told in an answer of this kind."""
    text = told.decode()
    if "ndjson" in kind:
        return [json.loads(line) for line in text.splitlines()]
    return json.loads(text or "null") if "json" in kind else text


def ask(path, method, route, body=None, timeout=LIMIT):
    """The status and the answer of one request on a connection of its own; see `Connection.ask`."""
    with contextlib.closing(Connection(path, timeout)) as connection:
        return connection.ask(method, route, body)


# Processes.


def as_user(user):
    """What starts a program as this user, a number, and in no other group than that of the same number."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def marked(instance):
    """The processes of the commands of one store, by the marks in their environments: of each, by its number and the time
    at which it began, the run and the attempt."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = dict(word.split("=", 1) for word in (entry / "environ").read_text(errors="replace").split("\0") if "=" in word)
            if words.get("TWOLANE_KEY", "").startswith(f"{instance}-"):
                state = stat(entry.name)
                if state[0] != "Z":
                    found[int(entry.name), state[19]] = (int(words["TWOLANE_RUN"]), int(words["TWOLANE_ATTEMPT"]))
        except OSError:
            pass  # It has ended meanwhile.
    return found


def is_stopped(pid):
    """Whether all threads of it are."""
    tasks = f"/proc/{pid}/task"
    return all(stat(f"{pid}/task/{task}")[0] in "Tt" for task in os.listdir(tasks))


def stat(pid):
    """What `/proc/PID/stat` says after the name: the state first, the time at which it began at 19."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def memory(pid):
    """The bytes of memory that a process has in use; 0 when it is gone."""
    try:
        return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


# A daemon.


class Daemon:
    """A daemon with all that it has in `place`: `twolane.toml`, `jobs.toml`, `run`, `log`, and the store in `state`; and
    with what its clients were told.

    As a context it ends what it has started, and all that this has left, whatever happens."""

    def __init__(self, binary, place, jobs, settings="", state="state"):
        """In `jobs` each word of `WORDS` stands for its text. `settings` goes on from `[daemon]`, and may begin other
        tables."""
        self.binary, self.place = binary, place
        self.socket, self.state_dir = f"{place}/run/twolane.sock", f"{place}/{state}"
        self.process, self.prefix = None, []
        self.jobs, self.clients = tomllib.loads(jobs).get("jobs", {}), Clients()
        for word, text in WORDS.items():
            jobs = jobs.replace(word, text or place)
        pathlib.Path(place, "twolane.toml").write_text(CONFIG.format(state=state) + settings)
        pathlib.Path(place, "jobs.toml").write_text(jobs)

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _trace):
        self.kill()
        if instance := self.instance():
            for pid, _ in marked(instance):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if kind not in (None, SystemExit) or show.bad:
            print("    " + self.log().replace("\n", "\n    "))

    # How it begins and ends.

    def start(self, prefix=(), environment=None, stderr=None, until_it_serves=True, user=None):
        """Starts it, as the argument of `prefix` where there is one (as `strace`), with more in its `environment`, and
        with another `stderr` than the log; or as `user`, a number, who need not be let into where the program is. Gives
        the seconds until it served."""
        began, self.prefix = time.monotonic(), list(prefix)
        command = [*prefix, self.binary, "serve", "--config", f"{self.place}/twolane.toml"]
        if user is not None:
            command = [*as_user(user), shutil.copy(self.binary, self.place), *command[1:]]
            os.chown(self.place, user, user)
        with open(f"{self.place}/log", "ab") as log, undisturbed():
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=stderr or log,
                                            env=os.environ | (environment or {}), start_new_session=True)
        if until_it_serves and not self.serves():
            raise Failed(f"it does not start: exit code {self.process.returncode}")
        return time.monotonic() - began

    def serves(self, limit=LIMIT):
        """Waits until it answers; no if it leaves before."""
        wait(lambda: self.is_gone() or self.ask("GET", "/status")[0] == 200, "it does not serve", limit, 0.005)
        return not self.is_gone()

    def is_gone(self):
        return self.process is None or self.process.poll() is not None

    @property
    def pid(self):
        """The daemon's own process, also where a prefix is around it."""
        if not self.prefix:
            return self.process.pid
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(wait(lambda: children.read_text().split(), "there is no daemon")[0])

    def signal(self, number):
        os.kill(self.pid, number)

    def stop(self, limit=LIMIT):
        """Asks it to leave, and gives its exit code."""
        if not self.is_gone():
            with contextlib.suppress(ProcessLookupError):
                self.signal(signal.SIGTERM)
        try:
            return self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise Failed(f"it does not leave within {limit} s") from None

    def kill(self):
        """Leaves nothing of it and of what is around it; its commands are left. Its store is free afterwards."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        # It may die a moment after its tracer; the lock on its store goes with the last of its threads.
        with contextlib.suppress(OSError), open(f"{self.state_dir}/lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)

    # What it is asked.

    def ask(self, method, route, body=None, timeout=LIMIT):
        """The status and the answer; see `Connection.ask`."""
        return ask(self.socket, method, route, body, timeout)

    def get(self, route):
        """The answer to a question that has one."""
        status, answer = self.ask("GET", route)
        if status != 200:
            raise Failed(f"GET {route}: {status} {answer}")
        return answer

    def request(self, job, key=None, **more):
        """What asks for a run: under a key of its own where none is told, which the job is told as well if it has a
        param `id`; `more` is `args`, `at` and the like."""
        request = {"job": job, "key": key or self.clients.key(job)} | more
        if "id" in self.jobs.get(job, {}).get("params", {}):
            request["args"] = {"id": request["key"]} | more.get("args", {})
        return request

    def send(self, requests, connection=None, timeout=LIMIT):
        """The status and the answer to one `request`, or to each of a list of them, which the checker is told of; 0 and
        `None` where there is none."""
        asked = connection or Connection(self.socket, timeout)
        try:
            status, answer = asked.ask("POST", "/runs", requests)
        except NoAnswer:
            status, answer = 0, None
        finally:
            if not connection:
                asked.close()
        if isinstance(requests, dict):
            self.clients.tell(requests["key"], requests["job"], answer)
            return status, answer
        each = answer if isinstance(answer, list) else [answer] * len(requests)
        each += [None] * (len(requests) - len(each))
        for request, answer in zip(requests, each, strict=True):
            self.clients.tell(request["key"], request["job"], answer)
        return status, each

    def submit(self, job, key=None, **more):
        """The number of a run that has to be accepted; see `request`."""
        status, answer = self.send(self.request(job, key, **more))
        if status not in (200, 201):
            raise Failed(f"{job} is not accepted: {status} {answer}")
        return answer["run"]

    def state(self, run):
        return self.get(f"/runs/{run}")["state"]

    def runs(self):
        """All runs that there are, newest first, as lists tell them."""
        route = "/runs?limit=1000"
        while route:
            page = self.get(route)
            yield from page["runs"]
            route = page.get("before") and f"/runs?limit=1000&before={page['before']}"

    def is_idle(self):
        """Whether all runs are over."""
        return self.get("/status")["unfinished"] == 0

    def wait(self, what, why, limit=LIMIT):
        """As `wait`, but does not go on waiting for a daemon that has left."""
        found = wait(lambda: self.is_gone() and "gone" or what(), why, limit)
        if self.is_gone():
            raise Failed(f"{why}: the daemon has left with {self.process.returncode}")
        return found

    def metric(self, name):
        """A figure of `/metrics`, by its name and labels without `twolane_`."""
        found = re.search(rf"^twolane_{re.escape(name)} (\S+)$", self.get("/metrics"), re.M)
        if not found:
            raise Failed(f"there is no metric {name}")
        return float(found[1])

    def longest(self, name):
        """Of a histogram of `/metrics`: the smallest of its bounds within which all of it is."""
        found = re.findall(rf'^twolane_{re.escape(name)}_bucket{{le="([^"]+)"}} (\d+)$', self.get("/metrics"), re.M)
        if not found:
            raise Failed(f"there is no histogram {name}")
        count = max(int(count) for _, count in found)
        return min(float(bound) for bound, within in found if int(within) == count)

    def cli(self, *words, **more):
        """The program as a client of this daemon."""
        return subprocess.run([self.binary, *words, "--socket", self.socket], capture_output=True, text=True, **more)

    # What it leaves.

    def log(self, length=4000):
        """The end of its log."""
        try:
            return pathlib.Path(self.place, "log").read_text(errors="replace")[-length:]
        except OSError:
            return ""

    def instance(self):
        """The mark of its store in the environments of its commands."""
        try:
            return pathlib.Path(self.state_dir, "instance").read_text().strip()
        except OSError:
            return None

    def marked(self):
        """The processes of its commands; see `marked`."""
        return marked(self.instance())

    def verify(self, state_dir=None):
        """A look at all of its store, or of a copy, without a daemon: what is wrong with it, or nothing."""
        done = subprocess.run([self.binary, "store", "verify", "--state-dir", state_dir or self.state_dir], capture_output=True, text=True)
        return done.stdout + done.stderr if done.returncode else None

    def check(self, live=False, **at_least):
        """The checker's verdict of what clients were told, the ledger, the store and the kernel. `live`: runs may be
        unfinished. `at_least` is how much there has to be of what, by the names of the verdict's counts."""
        self.clients.write(f"{self.place}/clients.jsonl")
        words = [checker(), self.place, "--state", self.state_dir, *(["--live"] if live else [])]
        keep = [name for name, job in self.jobs.items() if "@END" in job.get("shell", "")]
        words += [word for name in keep for word in ("--ledger-job", name)]
        words += [word for what, count in at_least.items() for word in ("--at-least", f"{what}={count}")]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode not in (0, 1):
            raise Failed(f"the checker cannot look: {done.stderr}")
        last = done.stdout.splitlines()[-1]
        counts = {what: int(count) for count, what in re.findall(r"(\d+) (\w+)[,:]", last)}
        return Verdict(counts, last.partition("violated: ")[2].split(), done.stdout.strip())

    def judge(self, what="invariants that are violated", **asked):
        """Shows what the checker finds, asked as by `check`, and gives the verdict."""
        verdict = self.check(**asked)
        show(what, " ".join(verdict.violated) or "none", not verdict.violated)
        print("    " + verdict.text.replace("\n", "\n    "), flush=True)
        return verdict

    def finish(self, **asked):
        """Stops it, shows how it left, and judges."""
        code = self.stop(2 * LIMIT)
        show("exit code", code, code == 0)
        return self.judge(**asked)

    def info(self, state_dir=None):
        """What `store info` says of its store, or of a copy."""
        words = [self.binary, "store", "info", "--json", "--state-dir", state_dir or self.state_dir]
        return json.loads(subprocess.run(words, capture_output=True, text=True, check=True).stdout)


# A disk whose power can be cut.


class Disk:
    """An ext4 of its own, in the file `image`, at the directory `at`. Needs root, mkfs.ext4 and loop devices."""

    # As after a power cut: what the file system still holds is not written.
    EXT4_IOC_SHUTDOWN, NOLOGFLUSH = 0x8004587D, 2

    def __init__(self, image, at, size):
        self.image, self.at = image, at
        os.mkdir(at)
        with open(image, "wb") as file:
            file.truncate(size)
        self.run("/sbin/mkfs.ext4", "-q", image)

    @staticmethod
    def run(*command):
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def mount(self):
        self.run("mount", "-o", "loop", self.image, self.at)

    def unmount(self):
        """Waits for whoever still ends on it."""
        wait(lambda: subprocess.run(["umount", self.at], capture_output=True).returncode == 0, "the disk stays in use", pause=0.005)
        # A loop device that lingers would be used again with its dead file system.
        wait(lambda: not self.run("losetup", "-j", self.image).strip(), "the loop device stays", pause=0.005)

    def sync(self):
        """All that is on it is on the disk."""
        self.run("sync", "-f", self.at)

    def shut_down(self):
        """Whoever uses it has to be stopped, and to be killed before it is unmounted: what went on would be told wrongly."""
        directory = os.open(self.at, os.O_RDONLY)
        fcntl.ioctl(directory, self.EXT4_IOC_SHUTDOWN, struct.pack("I", self.NOLOGFLUSH))
        os.close(directory)

    def remove(self):
        subprocess.run(["umount", "-q", self.at], capture_output=True)


# The checker, which is tests/checker: what clients were told, what the jobs wrote down, the store and /proc are held
# against each other in one place, for all scripts.

# Words in jobs, and what stands for them. What a job writes that keeps the ledger is how it begins, and how it ends; in
# between it does its work. Those with an end have to have written it to succeed. The last word is the daemon's place.
WORDS = {
    "@BEGIN": "echo start $TWOLANE_RUN $TWOLANE_ATTEMPT ${TWOLANE_ARG_ID:--} $$ >>@PLACE/ledger",
    "@END": "echo end $TWOLANE_RUN $TWOLANE_ATTEMPT ${TWOLANE_ARG_ID:--} $$ 0 >>@PLACE/ledger",
    "@PLACE": None,
}
# How many were acknowledged, and so on, by their names; which invariants are violated; all that was said.
Verdict = collections.namedtuple("Verdict", "counts violated text")


@functools.cache
def checker():
    """The checker's program: the one that `TWOLANE_CHECKER` names, or else it is built, which takes a moment where it has been."""
    if named := os.environ.get("TWOLANE_CHECKER"):
        return named
    subprocess.run(["cargo", "build", "--locked", "--quiet", "--example", "checker"], cwd=ROOT, check=True)
    return os.path.join(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"), "debug/examples/checker")


def outcome(answer):
    """What an answer to one submission, or a line of that to a batch, says became of it; `None` is no answer, and what
    is no word of a daemon says nothing."""
    if not isinstance(answer, dict) or answer.get("type", "").endswith("outcome-unknown"):
        return {"unknown": True}
    return {"run": answer["run"]} if "run" in answer else {"refused": answer["status"]}


class Clients:
    """What clients were told, for the checker. Any thread may tell."""

    def __init__(self):
        self.told, self.numbers = [], itertools.count(1)

    def key(self, job):
        """One that nobody has asked under."""
        return f"{job}-{next(self.numbers)}"

    def tell(self, key, job, answer):
        """That there was this answer, as of `outcome`, when a run of `job` was asked for under `key`, or `None`."""
        self.told.append(({"key": key} if key else {}) | {"job": job} | outcome(answer))

    def write(self, path):
        """In the form that the checker reads."""
        pathlib.Path(path).write_text("".join(json.dumps(line) + "\n" for line in self.told))
