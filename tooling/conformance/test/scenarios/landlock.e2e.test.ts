import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { AgentOs } from "@agentos/client";
import { expect, test } from "vitest";

import { useWorld } from "./world.ts";

const world = useWorld();
const isRoot = process.getuid?.() === 0;

/** A program of the host that hands out what no VM has: a directory, and a socket of the host's network. */
const HAND_OUT = `
import os, socket, sys
shared, secrets, name = sys.argv[1:]
abstract = socket.socket(socket.AF_UNIX)
abstract.bind("\\0" + name)
abstract.listen()
door = socket.socket(socket.AF_UNIX)
door.bind(shared + "/door")
os.chmod(shared + "/door", 0o777)
door.listen()
print("ready", flush=True)
peer, _ = door.accept()
unconnected = socket.socket(socket.AF_UNIX)
socket.send_fds(peer, [b"x"], [os.open(secrets, os.O_RDONLY), os.open(secrets + "/secret", os.O_RDONLY), unconnected.fileno()])
sys.stdin.read()
`;

const TAKE = `
import errno, os, socket, sys
def attempt(what, run):
    try:
        print(what, run() or "ok")
    except OSError as error:
        print(what, errno.errorcode[error.errno])
door = socket.socket(socket.AF_UNIX)
door.connect("/shared/door")
_, (directory, file, unconnected), _, _ = socket.recv_fds(door, 1, 3)
attempt("read", lambda: os.read(os.open("secret", os.O_RDONLY, dir_fd=directory), 100).decode())
attempt("list", lambda: len(os.listdir(os.open(".", os.O_RDONLY, dir_fd=directory))))
attempt("make", lambda: os.close(os.open("made", os.O_CREAT | os.O_WRONLY, dir_fd=directory)))
attempt("link", lambda: os.symlink("x", "link", dir_fd=directory))
attempt("remove", lambda: os.unlink("spare", dir_fd=directory))
attempt("reopen", lambda: os.read(os.open(f"/proc/self/fd/{file}", os.O_RDONLY), 100).decode())
attempt("connect", lambda: socket.socket(fileno=unconnected).connect("\\0" + sys.argv[1]))
attempt("device", lambda: os.mknod("/tmp/device", 0o020600, 0))
`;

test("[walls.landlock] what was handed into a VM opens nothing of the host there", async () => {
  const shared = mkdtempSync(join(world.directory, "shared-"));
  const secrets = mkdtempSync(join(world.directory, "secrets-"));
  writeFileSync(join(secrets, "secret"), "the host's", { mode: 0o644 });
  for (const name of ["spare", "other"]) writeFileSync(join(secrets, name), "");
  const name = `agentos-${process.pid}-${Date.now()}`;
  const host = spawn("python3", ["-c", HAND_OUT, shared, secrets, name], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  try {
    await once(host.stdout, "data");
    const mount = { kind: "host" as const, source: shared, target: "/shared", readOnly: false };
    await using os = await AgentOs.create({ mounts: [{ ...mount, mapOwner: isRoot }] });
    const { walls } = await os.info();
    const { stdout, stderr } = await os.exec(["python3", "-c", TAKE, name]);
    const found = Object.fromEntries(
      stdout
        .trim()
        .split("\n")
        .map((line) => line.split(/ (.*)/)),
    );
    expect([stderr, Object.keys(found).length]).toEqual(["", 8]);
    const has = (wall: string): boolean => walls?.includes(wall) === true;
    const attempts = ["read", "list", "make", "link", "remove", "reopen", "device"];
    const closed = Object.fromEntries(attempts.map((attempt) => [attempt, "EACCES"]));
    expect(found).toMatchObject({
      ...(has("landlock") ? closed : { read: "the host's", device: "ok" }),
      connect: has("landlock-scopes") ? "EPERM" : "ok",
    });
    const [linux] = (await AgentOs.getSharedSidecar().then((sidecar) => sidecar.info())).drivers;
    expect(linux?.walls).toEqual(walls);
  } finally {
    host.stdin.end();
    await once(host, "exit");
  }
});
