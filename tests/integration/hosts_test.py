#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`zoetrope train --hosts` through a real sshd on this machine, which the test starts and two names stand for: the same bits
as ranks without hosts, also after ranks and hosts were killed and came back; the token on no command line, a lost rank named
with its host, and nothing left behind after the launcher, a connection or a rank was killed. Usage: hosts_test.py FOLDER_OF_PROGRAMS"""
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill_test import DEADLINE_S, Jobs, descendants
from ranks_test import Runs, wait_for_checkpoint
from recovery_test import at_step

RESUMABLE, SKIP = 75, 77
EVERY_STEP = ("--set", "checkpoint.memory_every_steps=1")


class Sshd:
    """Lets this user, and nobody else, in by a key made for it."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(mode=0o700)
        for name in ("host_key", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)  # as the service's unit does
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host_key\nPidFile none\nUsePAM no\nStrictModes no\n"
            f"AuthorizedKeysFile {folder}/key.pub\nAuthenticationMethods publickey\nPermitRootLogin yes\n")
        (folder / "config").write_text(
            f"Host a b\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n  IdentityFile {folder}/key\n"
            f"  IdentitiesOnly yes\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n")
        self.log = open(folder / "log", "w")
        self.server = subprocess.Popen([shutil.which("sshd", path=SBIN), "-D", "-e", "-f", folder / "sshd_config"],
                                       stderr=self.log)
        deadline = time.monotonic() + DEADLINE_S
        while subprocess.run([*self.client(), "a", "true"], capture_output=True).returncode != 0:
            assert self.server.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)

    def client(self):
        return ["ssh", "-F", self.folder / "config", "-o", "BatchMode=yes"]

    def stop(self):
        self.server.terminate()
        self.server.wait(DEADLINE_S)


SBIN = os.environ["PATH"] + ":/usr/sbin:/sbin"


class HostRuns(Runs):
    def __init__(self, programs, root, sshd):
        super().__init__(programs, root)
        self.ssh = " ".join(str(word) for word in sshd.client()[:3])

    def on_hosts(self, name, hosts, *more):
        return self.train(name, "--hosts", hosts, "--ssh", self.ssh, *more)

    def folder(self, name):
        return next(self.root.glob(f"runs/{name}-*"))

    def processes(self, name):
        """The run's ranks that run: pid -> command line."""
        found = {}
        for entry in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes().split(b"\0")
            except OSError:
                continue
            if len(words) > 1 and any(f"{self.root}/runs/{name}-".encode() in word for word in words):
                found[int(entry.parent.name)] = words
        return found

    def worker(self, name, rank):
        return next(pid for pid, words in self.processes(name).items()
                    if words[words.index(b"--rank") + 1] == str(rank).encode())


def agents(runs):
    program = str(runs.zoetrope).encode()
    return [p for p in Path("/proc").glob("[0-9]*/cmdline") if p.exists() and b"host-agent" in p.read_bytes().split(b"\0")
            and p.read_bytes().startswith(program)]


def wait_until_gone(runs, name, within_s):
    deadline = time.monotonic() + within_s
    while runs.processes(name) or agents(runs):
        assert time.monotonic() < deadline, f"still there: {runs.processes(name)}, agents {agents(runs)}"
        time.sleep(0.02)


def shares_memory(pid):
    return "memfd:zoetrope-exchange" in Path(f"/proc/{pid}/maps").read_text()


def check_running(runs, name, is_shared):
    """What can be seen only while a run goes on."""
    ranks = runs.processes(name)
    assert len(ranks) == 4, ranks
    for pid, words in ranks.items():
        assert not any(re.search(rb"[0-9a-f]{32}", word) for word in words), f"a token on the command line: {words}"
        assert shares_memory(pid) == is_shared, f"rank {words}: shares memory: {not is_shared}"


def same_bits(runs, wanted):
    """With weights that pass between the hosts all the time."""
    process = runs.on_hosts("two", "a:2,b:2", "--set", "parallel.zero_stage=3")
    wait_for_checkpoint(runs.root, "two")
    check_running(runs, "two", is_shared=False)
    runs.finish(process)
    assert runs.weights("two") == wanted, "two hosts have other weights than one"

    (runs.root / "hostfile").write_text("a slots=4  # all on one\n")
    process = runs.train("file", "--hostfile", "hostfile", "--ssh", runs.ssh)
    wait_for_checkpoint(runs.root, "file")
    check_running(runs, "file", is_shared=True)
    runs.finish(process)
    assert runs.weights("file") == wanted, "the ranks of a host file have other weights"


def kill_a_rank(runs):
    """All ranks of two hosts end within a second: the shortest of three tries, on machines whose processors are busy."""
    took = []
    for name in ("killed", "killed-2", "killed-3"):
        process = runs.on_hosts(name, "a:2,b:2", "--max-restarts", 0)
        wait_for_checkpoint(runs.root, name)
        began = time.monotonic()
        os.kill(runs.worker(name, 3), signal.SIGKILL)
        assert process.wait(DEADLINE_S) == 128 + signal.SIGKILL, runs.log()
        took.append(time.monotonic() - began)
        assert re.search(r"rank 3 on b failed first, after step \d+, .*signal 9", runs.log()), runs.log()
        wait_until_gone(runs, name, 1)
        if took[-1] < 1:
            break
    print(f"all ranks of two hosts had ended {min(took):.2f} s after one of them was killed")
    assert min(took) < 1, f"the other ranks took too long to end: {took}"


def stop_and_go_on(runs, wanted):
    """Ctrl-C reaches the ranks of all hosts; they save; another number of ranks goes on."""
    process = runs.start("train", "--resume", "killed", "--hosts", "a:2,b:2", "--ssh", runs.ssh)
    deadline = time.monotonic() + DEADLINE_S
    while len(runs.processes("killed")) < 4:
        assert time.monotonic() < deadline, runs.log()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert process.wait(DEADLINE_S) in (0, 75), runs.log()
    wait_until_gone(runs, "killed", 1)
    runs.finish(runs.start("train", "--resume", "killed", "--ranks", 2))
    assert runs.weights("killed") == wanted, "the resumed run has other weights"


def lose_the_launcher(runs):
    process = runs.on_hosts("orphans", "a:2,b:2", "--steps", 100000)
    wait_for_checkpoint(runs.root, "orphans")
    process.kill()
    process.wait(DEADLINE_S)
    wait_until_gone(runs, "orphans", 20)


def ssh_clients(launcher):
    clients = [pid for pid in descendants(launcher.pid) if Path(f"/proc/{pid}/comm").read_text() == "ssh\n"]
    assert len(clients) == 2, clients
    return clients


def lose_a_connection(runs):
    process = runs.on_hosts("cut", "a:2,b:2", "--steps", 100000, "--max-restarts", 0)
    wait_for_checkpoint(runs.root, "cut")
    os.kill(ssh_clients(process)[1], signal.SIGKILL)
    assert process.wait(DEADLINE_S) == 69, runs.log()
    assert "the agent on b ended" in runs.log(), runs.log()
    wait_until_gone(runs, "cut", 20)


def parent(pid):
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


def kill_host(runs, name, ranks):
    """The agent and its ranks at once: their memory is gone with them."""
    pids = [runs.worker(name, rank) for rank in ranks]
    for pid in (parent(pids[0]), *pids):
        os.kill(pid, signal.SIGKILL)


def restart_a_rank(runs, wanted):
    """The ranks of each host have a copy of the state."""
    process = runs.on_hosts("restarted", "a:2,b:2", *EVERY_STEP, "--set", "parallel.zero_stage=2",
                            "--set", "parallel.shard_ranks=2")
    at_step(runs, "restarted", 3, rank=3)
    os.kill(runs.worker("restarted", 3), signal.SIGKILL)
    runs.finish(process)
    assert re.search(r"restored step \d+: ranks 0-3 memory", runs.log()), runs.log()
    assert runs.weights("restarted") == wanted, "other weights after a rank was started again"
    wait_until_gone(runs, "restarted", 1)


def lose_hosts(runs, wanted):
    """One, and when it is back the other, with the first rank: each gets its state from the other's memory."""
    process = runs.on_hosts("lost", "a:2,b:2", *EVERY_STEP, "--set", "checkpoint.memory_peer=true")
    at_step(runs, "lost", 3, rank=3)
    kill_host(runs, "lost", (2, 3))
    at_step(runs, "lost", 6, rank=3, generation=2)
    kill_host(runs, "lost", (0, 1))
    runs.finish(process)
    for tiers in ("ranks 0-1 memory, rank 2 peer (held by rank 0), rank 3 peer (held by rank 1)",
                  "rank 0 peer (held by rank 2), rank 1 peer (held by rank 3), ranks 2-3 memory"):
        assert re.search(r"restored step \d+: " + re.escape(tiers), runs.log()), runs.log()
    events = "".join(p.read_text() for p in runs.folder("lost").glob("events/*.jsonl"))
    assert events.count('"type":"state_restored"') == 2, events
    assert runs.weights("lost") == wanted, "other weights after both hosts were lost"
    wait_until_gone(runs, "lost", 1)


def lose_a_connection_and_go_on(runs, wanted):
    """The ranks behind it live on for a while: they are replaced, and never train beside their successors."""
    process = runs.on_hosts("again", "a:2,b:2", *EVERY_STEP, "--set", "checkpoint.memory_peer=true")
    at_step(runs, "again", 3, rank=3)
    os.kill(ssh_clients(process)[1], signal.SIGKILL)
    runs.finish(process)
    assert "rank 2 is lost" in runs.log() and "rank 3 peer (held by rank 1)" in runs.log(), runs.log()
    assert runs.weights("again") == wanted, "other weights after a connection was lost"
    wait_until_gone(runs, "again", 20)


def stop_with_an_agent_that_hangs(runs):
    """Its word that its ranks have ended never comes; the first rank's, on the other host, that all is saved, does."""
    process = runs.on_hosts("hung", "a:2,b:2", "--steps", 100000)
    wait_for_checkpoint(runs.root, "hung")
    agent = parent(runs.worker("hung", 3))
    os.kill(agent, signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == RESUMABLE, runs.log()
    os.kill(agent, signal.SIGCONT)
    wait_until_gone(runs, "hung", 20)


def stop_while_a_host_is_silent(runs):
    """As behind a login script that hangs: the ranks that wait for it have nothing to save."""
    ssh = runs.root / "silent-ssh"
    ssh.write_text(f"""#!/bin/sh
case "$*" in *-G*) ;; *" b exec "*) exec sleep 600 ;; esac
exec {runs.ssh} "$@"
""")
    ssh.chmod(0o755)
    process = runs.train("silent", "--hosts", "a:1,b:1", "--ssh", ssh)
    deadline = time.monotonic() + DEADLINE_S
    while not any(b"--rank" in words for words in runs.processes("silent").values()):
        assert time.monotonic() < deadline, runs.log()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == RESUMABLE, runs.log()
    wait_until_gone(runs, "silent", 20)


def share_the_cores(runs):
    """Among the ranks of each host, not among all."""
    runs.finish(runs.on_hosts("cores", "a:1,b:1", "--set", "threads=0", "--steps", 1))
    events = "".join(p.read_text() for p in runs.folder("cores").glob("events/*.jsonl"))
    assert f'"threads":{len(os.sched_getaffinity(0))},' in events.replace(" ", ""), events


def refuse_strange_hosts(runs):
    assert runs.on_hosts("strange", "a:2,nowhere.invalid:2", "--address", "127.0.0.1").wait(DEADLINE_S) != 0
    assert "the agent on nowhere.invalid ended" in runs.log(), runs.log()
    wait_until_gone(runs, "strange", 20)


def main():
    if not (shutil.which("sshd", path=SBIN) and shutil.which("ssh") and shutil.which("ssh-keygen")):
        print("skipped: this machine has no OpenSSH server (Debian's package openssh-server; scripts/setup --launch)")
        return SKIP
    with tempfile.TemporaryDirectory() as scratch:
        root, programs = Path(scratch), Path(sys.argv[1]).resolve()
        Jobs(programs, root).make_inputs()
        sshd = Sshd(root / "sshd")
        try:
            runs = HostRuns(programs, root, sshd)
            runs.finish(runs.train("own", "--ranks", 4))
            wanted = runs.weights("own")
            same_bits(runs, wanted)
            kill_a_rank(runs)
            stop_and_go_on(runs, wanted)
            lose_the_launcher(runs)
            lose_a_connection(runs)
            restart_a_rank(runs, wanted)
            lose_hosts(runs, wanted)
            lose_a_connection_and_go_on(runs, wanted)
            stop_with_an_agent_that_hangs(runs)
            stop_while_a_host_is_silent(runs)
            share_the_cores(runs)
            refuse_strange_hosts(runs)
        finally:
            sshd.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
