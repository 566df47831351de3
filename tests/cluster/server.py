"""Private PostgreSQL servers, and connections that know the type."""

import contextlib
import os
import pathlib
import pwd
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time

import numpy as np
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.types import TypeInfo

from vectors import ELEMENT, IS_PGVECTORS, TYPE

BIN = pathlib.Path(os.environ["BIN"])  # the programs of a PostgreSQL whose installation has the extension
MAJOR = int(re.search(r" (\d+)", subprocess.check_output([BIN / "postgres", "--version"], text=True))[1])
CRASHED = re.compile(r"PANIC:|TRAP:|was terminated by signal|terminated by exception|inconsistent page|panicked at")


def _process_state(pid):
    """(parent, state) of a process, or None if there is none."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(fields[1]), fields[0]


class Server:
    """A private PostgreSQL server: own data directory, own socket directory, no TCP port, as an unprivileged user.

    settings: lines of postgresql.conf. standby_of: a running Server to copy and to follow. checksums: False has no data
    checksums even where they are PostgreSQL's default.
    """

    def __init__(self, *settings, name="server", standby_of=None, checksums=True):
        self.name = name
        self.user = {}
        if os.geteuid() == 0:
            account = pwd.getpwnam(os.environ.get("VERA_VEC_SERVER_USER", "postgres"))
            self.user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="vera_vec."))
        self.directory.chmod(0o755)
        if self.user:
            os.chown(self.directory, self.user["user"], self.user["group"])
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        if standby_of:
            self.program("pg_basebackup", "-R", "-X", "stream", "-c", "fast", "--no-sync", "-h", standby_of.directory,
                         "-U", "postgres", "-D", self.data)
        else:
            self.program("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
                         "--no-sync", *(["--no-data-checksums"] if MAJOR >= 18 and not checksums else []))
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(f"listen_addresses = ''\nunix_socket_directories = '{self.directory}'\nfsync = off\n")
            file.write("log_line_prefix = '%m [%p] %e '\nlog_checkpoints = off\njit = off\n")
            file.writelines(f"{setting}\n" for setting in settings)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.remove()

    def program(self, name, *arguments, **options):
        """Runs one of PostgreSQL's programs as the server's user; its output is in the exception if it fails."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.STDOUT)
        done = subprocess.run([BIN / name, *map(str, arguments)], cwd="/", text=True, **self.user, **options)
        if done.returncode != 0:
            raise RuntimeError(f"{name} {arguments} failed:\n{done.stdout or self.log_tail()}")
        return done.stdout

    def start(self, *settings):
        """Starts it and waits until it accepts connections. `settings` (name=value) are for this time only."""
        options = " ".join(f"-c {setting}" for setting in settings)
        # Not a pipe: the server would keep it open.
        self.program("pg_ctl", "start", "-w", "-t", "120", "-D", self.data, "-l", self.log, "-o", options,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self, mode="fast"):
        self.program("pg_ctl", "stop", "-w", "-t", "120", "-m", mode, "-D", self.data)

    def promote(self):
        self.program("pg_ctl", "promote", "-w", "-t", "120", "-D", self.data)

    def kill(self):
        """SIGKILL to the postmaster and all its children at once; returns when they are gone."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(postmaster, signal.SIGSTOP)  # no more children
        processes = [postmaster]
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                state = _process_state(entry.name)
                if state and state[0] == postmaster:
                    processes.append(int(entry.name))
        for pid in reversed(processes):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in processes:
            while (state := _process_state(pid)) and state[1] != "Z":
                time.sleep(0.005)
        # Dead, though perhaps not yet buried: to the next server it would look as if the last one still ran.
        (self.data / "postmaster.pid").unlink()
        (self.directory / ".s.PGSQL.5432.lock").unlink()

    def remove(self):
        """Ends the server, if it runs, and removes its files."""
        if (self.data / "postmaster.pid").exists():
            try:
                self.stop("immediate")
            except RuntimeError as error:
                print(f"while stopping the {self.name}: {error}")
        shutil.rmtree(self.directory)

    def connect(self, **options):
        """A new session in autocommit mode; creates the extension if need be. Waits while the server recovers."""
        for _ in range(300):
            with contextlib.suppress(psycopg.OperationalError):
                return connect(str(self.directory), **options)
            time.sleep(0.1)
        return connect(str(self.directory), **options)

    def log_lines(self):
        return self.log.read_text(errors="replace").splitlines() if self.log.exists() else []

    def log_tail(self, lines=40):
        return "\n".join(self.log_lines()[-lines:])

    def problems(self):
        """The first crashes that the log tells of: their lines, with those that follow them."""
        lines = self.log_lines()
        crashes = [i for i, line in enumerate(lines) if CRASHED.search(line)]
        return [line for i in crashes[:3] for line in lines[i: i + 15]]


class Veravec(np.ndarray):
    """A numpy array that psycopg sends as a vector of the type under test."""


def of_type(sql):
    """SQL that is written for veravec, for the type under test."""
    if not isinstance(sql, str):
        return sql
    if IS_PGVECTORS:
        sql = sql.replace("veravec_ops", "veravec_cosine_ops")
    return sql.replace("veravec", TYPE)


class Session(psycopg.Connection):
    def execute(self, query, *arguments, **options):
        return super().execute(of_type(query), *arguments, **options)


def connect(host, user="postgres", dbname="postgres", **options):
    """A session in autocommit mode that can send numpy arrays as vectors."""
    connection = Session.connect(host=host, user=user, dbname=dbname, autocommit=True, **options)
    connection.prepare_threshold = None  # else a repeated query would keep its first plan
    info = TypeInfo.fetch(connection, f"public.{TYPE}")
    if info is None:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vera_vec SCHEMA public")
        if IS_PGVECTORS:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public; CREATE EXTENSION IF NOT EXISTS vera_vec_pgvector")
        info = TypeInfo.fetch(connection, f"public.{TYPE}")

    class VeravecDumper(Dumper):
        format = Format.BINARY
        oid = info.oid

        def dump(self, value):
            return struct.pack(">HH", len(value), 0) + value.astype(np.dtype(ELEMENT).newbyteorder(">")).tobytes()

    info.register(connection)
    connection.adapters.register_dumper(Veravec, VeravecDumper)
    return connection


def copy_in(connection, table, columns, rows):
    """Loads rows by binary COPY. `columns` maps names to types; a numpy array goes as a vector."""
    with connection.cursor().copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT binary)") as copy:
        copy.set_types([of_type(name) for name in columns.values()])
        for row in rows:
            copy.write_row([value.view(Veravec) if isinstance(value, np.ndarray) else value for value in row])
