#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real Slurm of two nodes on this machine (one slurmctld, two slurmd): `srun zoetrope-worker train` by Slurm's variables
alone, and `zoetrope train --hosts slurm` inside a batch job, give the bits of `zoetrope train --ranks 4`.
Usage: slurm_test.py FOLDER_OF_PROGRAMS"""
import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from kill_test import DEADLINE_S, Jobs
from launch_test import Launches, check_nothing_is_left
from ranks_test import STEPS

SKIP = 77
PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "sinfo")
# Every key is explained in Slurm's manual; the time-outs are for a cluster that lives for a minute.
SLURM_CONF = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.sock
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
PlugStackConfig={folder}/plugstack.conf
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
TreeWidth=65533
KillWait=2
MailProg=/bin/true
NodeName=n[1-2] NodeHostname={host} NodeAddr=127.0.0.1 Port={first}-{last} CPUs=8 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count):
    """Neighbours that nobody listens on."""
    for first in range(20000, 60000, 100):
        sockets = []
        try:
            for port in range(first, first + count):
                sockets.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for one in sockets:
                one.close()
    raise AssertionError("no free ports")


class Cluster:
    def __init__(self, folder):
        self.folder, self.daemons = folder, []
        for name in ("", "state", "spool-n1", "spool-n2", "munge"):
            (folder / name).mkdir(mode=0o700)
        for way in (folder.parent, folder):  # munged wants its socket within everybody's reach
            way.chmod(0o711)
        (folder / "munge/key").write_bytes(os.urandom(128))
        (folder / "munge/key").chmod(0o600)
        (folder / "plugstack.conf").write_text("")
        port = free_ports(3)
        (folder / "slurm.conf").write_text(SLURM_CONF.format(
            folder=folder, host=socket.gethostname().split(".")[0], user=getpass.getuser(), port=port, first=port + 1,
            last=port + 2))
        os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
        self.start("munged", "-F", f"--key-file={folder}/munge/key", f"--socket={folder}/munge.sock",
                   f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log", f"--seed-file={folder}/munge/seed")
        self.wait("munged", (folder / "munge.sock").exists)
        self.start("slurmctld", "-D")
        self.wait("slurmctld", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        for node in ("n1", "n2"):
            self.start("slurmd", "-D", "-N", node)
        self.wait("slurmd", lambda: self.ask("sinfo", "-h", "-o", "%T %D").split() == ["idle", "2"])

    def start(self, *command):
        log = open(self.folder / f"{command[0]}.out", "a")
        self.daemons.append(subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True))

    def wait(self, what, is_there):
        deadline = time.monotonic() + 30
        while not is_there():
            logs = "".join(p.read_text() for p in self.folder.glob("*.out"))
            assert time.monotonic() < deadline, f"{what} did not come up:\n{logs}"
            time.sleep(0.02)

    def ask(self, *command):
        return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S).stdout

    def run(self, *command):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=DEADLINE_S)
        assert done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def stop(self):
        self.ask("scancel", "--full", "--user", getpass.getuser())
        deadline = time.monotonic() + 10
        while self.ask("squeue", "-h").strip() and time.monotonic() < deadline:
            time.sleep(0.05)
        for daemon in reversed(self.daemons):
            daemon.kill()
            daemon.wait(DEADLINE_S)


def by_srun(cluster, runs, wanted):
    folder = runs.create("steps", 4)
    cluster.run("srun", "--nodes=2", "--ntasks=4", "--kill-on-bad-exit=1", *runs.worker(folder))
    assert runs.weights("steps") == wanted, "ranks that srun started have other weights"
    check_nothing_is_left(folder)


def by_hosts(cluster, runs, wanted):
    """A batch job's own variables make no rank of the launcher or of what it starts."""
    script = runs.root / "job.sh"
    command = [runs.zoetrope, "train", "--config", runs.config, "--name", "batch", "--set", "lanes=4", "--set",
               "data.train_bs=1", "--set", "threads=1", "--steps", STEPS, "--hosts", "slurm", "--address", "127.0.0.1"]
    script.write_text("#!/bin/sh\nexec " + " ".join(str(word) for word in command) + "\n")
    log = runs.root / "job.log"
    try:
        cluster.run("sbatch", "--wait", "--nodes=2", "--ntasks-per-node=2", "--chdir", runs.root, "--output", log, script)
    except AssertionError as failed:
        raise AssertionError(f"{failed}\n{log.read_text() if log.exists() else ''}") from failed
    assert runs.weights("batch") == wanted, "the ranks of --hosts slurm have other weights"


def main():
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        print(f"skipped: this machine has no Slurm ({', '.join(missing)}; scripts/setup --launch installs it)")
        return SKIP
    with tempfile.TemporaryDirectory() as scratch:
        root, programs = Path(scratch), Path(sys.argv[1]).resolve()
        Jobs(programs, root).make_inputs()
        runs = Launches(programs, root)
        runs.finish(runs.train("own", "--ranks", 4))
        wanted = runs.weights("own")
        began = time.monotonic()
        cluster = Cluster(root / "slurm")
        try:
            print(f"two nodes were idle after {time.monotonic() - began:.2f} s")
            by_srun(cluster, runs, wanted)
            by_hosts(cluster, runs, wanted)
        finally:
            cluster.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
