#!/usr/bin/env python3
"""Write debezium-2.7.3/<scenario>/catalog.json: what the catalog says of a scenario's tables.

pgoutput messages lack what an event needs beside the row: which columns may be null, defaults, keys, the labels of
enums, the base types of domains. This runs each scenario's setup.sql and stream.sql on a private PostgreSQL and has an
event trigger (catalog.sql) note every version of every table, in the form of the crate debezium's TableSchema.

    record_catalog.py [--bin <folder of initdb>] [--user <who runs the server, if started by root>] [scenario ...]
"""
import argparse, json, os, pathlib, pwd, shutil, subprocess, tempfile

HERE = pathlib.Path(__file__).resolve().parent


def find_bin():
    on_path = shutil.which("initdb")
    if on_path:
        return pathlib.Path(on_path).resolve().parent
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise SystemExit("no initdb: give its folder with --bin")
    return found[-1].parent


class Server:
    def __init__(self, folder, binaries, user):
        self.folder, self.bin = folder, binaries
        self.user = user if os.geteuid() == 0 else None
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(folder, account.pw_uid, account.pw_gid)

    def run(self, program, *args, **options):
        return subprocess.run([str(self.bin / program), *args], check=True, user=self.user, cwd=self.folder,
                              stdout=subprocess.PIPE, text=True, encoding="utf-8", **options)

    def __enter__(self):
        data = self.folder + "/data"
        self.run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        settings = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off -c wal_level=logical"
        self.run("pg_ctl", "-D", data, "-w", "-l", self.folder + "/log", "-o", settings, "start")
        return self

    def __exit__(self, *_):
        self.run("pg_ctl", "-D", self.folder + "/data", "-m", "immediate", "stop")

    def sql(self, database, text):
        env = os.environ | {"PGCLIENTENCODING": "UTF8", "PGOPTIONS": "-c client_min_messages=warning"}
        return self.run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "postgres",
                        "-d", database, input=text, env=env).stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path)
    parser.add_argument("--user", default="postgres")
    parser.add_argument("scenario", nargs="*")
    args = parser.parse_args()
    names = args.scenario or sorted(p.name for p in (HERE / "debezium-2.7.3").iterdir() if (p / "wal.jsonl").exists())
    capture = (HERE / "catalog.sql").read_text()
    with tempfile.TemporaryDirectory() as folder, Server(folder, args.bin or find_bin(), args.user) as server:
        for name in names:
            connector = json.loads((HERE / "debezium-2.7.3" / name / "connector.json").read_text())
            database = connector.get("config", connector)["database.dbname"]
            server.sql("postgres", f'create database "{database}"')
            # The event trigger slows nothing here, and the pauses were only for the connector.
            stream = (HERE / "scenarios" / name / "stream.sql").read_text().replace("select pg_sleep(1.5);", "")
            server.sql(database, capture)
            server.sql(database, (HERE / "scenarios" / name / "setup.sql").read_text())
            server.sql(database, stream)
            versions = server.sql(database, "select capture.versions()")
            (HERE / "debezium-2.7.3" / name / "catalog.json").write_text(versions)
            server.sql("postgres", f'drop database "{database}"')
            print(name)


if __name__ == "__main__":
    main()
