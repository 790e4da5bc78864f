import { AgentOs } from "@agentos/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { useWorld } from "./world.ts";

useWorld();

describe("bad input", () => {
  let os: AgentOs;
  beforeAll(async () => {
    os = await AgentOs.create();
  });
  afterAll(() => os.dispose());

  test("[bad.path] relative and NUL paths are refused", async () => {
    for (const path of ["relative", "", "/a\0b", `/${"x".repeat(5000)}`]) {
      await expect(os.fs.writeFile(path, "x")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    }
    await expect(os.exec("true", { cwd: "relative" })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(os.exec("true", { cwd: "/none" })).rejects.toMatchObject({
      code: "FILE_SYSTEM",
      errno: "ENOENT",
    });
    expect((await os.fs.readdir("/workspace")).length).toBe(0);
  });

  test("[bad.image] a missing image is refused", async () => {
    await expect(AgentOs.create({ image: "nothing-here" })).rejects.toMatchObject({
      code: "IMAGE_NOT_FOUND",
      details: { image: "nothing-here", known: ["host"] },
    });
  });

  test("[bad.driver] an unknown driver is refused", async () => {
    await expect(AgentOs.create({ driver: "hal" })).rejects.toMatchObject({
      code: "UNKNOWN_DRIVER",
      details: { driver: "hal" },
    });
    expect((await AgentOs.list()).length).toBe(1);
  });

  test("[bad.command] a command not found has 127 and its name", async () => {
    await expect(os.exec(["no-such-program", "x"])).rejects.toMatchObject({
      code: "COMMAND_NOT_FOUND",
      details: { command: "no-such-program", exitCode: 127 },
    });
    const shell = await os.exec("no-such-program");
    expect(shell.exitCode).toBe(127);
    expect(shell.stderr).toContain("no-such-program");
  });

  test("[bad.permission] a command that may not run has 126", async () => {
    await os.fs.writeFile("/tmp/plain", "#!/bin/sh\n");
    await expect(os.exec(["/tmp/plain"])).rejects.toMatchObject({
      code: "COMMAND_NOT_EXECUTABLE",
      details: { command: "/tmp/plain", exitCode: 126 },
    });
  });

  test("[bad.arguments] a huge argument list is refused", async () => {
    const words = Array.from({ length: 900 }, () => "x".repeat(1024));
    await expect(os.exec(["echo", ...words])).rejects.toMatchObject({ code: "ARGUMENTS_TOO_LONG" });
    await expect(os.exec(["echo", "x".repeat(200_000)])).rejects.toMatchObject({
      code: "ARGUMENTS_TOO_LONG",
    });
    expect((await os.exec(["echo", "fine"])).stdout).toBe("fine\n");
  });

  test("[bad.disposed] exec after dispose is refused", async () => {
    const gone = await AgentOs.create();
    await gone.dispose();
    await expect(gone.exec("true")).rejects.toMatchObject({ code: "DISPOSED" });
    await expect(gone.fs.readFile("/etc/passwd")).rejects.toMatchObject({ code: "DISPOSED" });
  });

  test("[bad.options] unknown options are refused", async () => {
    const misspelt = { name: "x", limitz: { pids: 3 } };
    await expect(AgentOs.create(misspelt)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    const unknownLimit = { name: "x", limits: { pids: 3, memoryByte: 3 } };
    await expect(AgentOs.create(unknownLimit)).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await expect(AgentOs.create({ limits: { pids: -1 } })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });
});
