import { readFileSync } from "node:fs";

/** Above people and services, below where a container's ids may end. */
const FIRST_ID = 50_000;
const IDS = 10_000;

/** A user id without a line in the password file. Two runs of the tests at once get different ones. */
export function madeUpUser(): number {
  const named = new Set(
    readFileSync("/etc/passwd", "utf8")
      .split("\n")
      .map((line) => Number(line.split(":")[2])),
  );
  let id = FIRST_ID + (process.pid % IDS);
  while (named.has(id)) id += 1;
  return id;
}
