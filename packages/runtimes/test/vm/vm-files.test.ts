import { describe, expect, test } from "vitest";

import { readVmFile } from "../../src/vm/read-vm-file.ts";
import { writeVmFile } from "../../src/vm/write-vm-file.ts";
import { TestHost } from "../test-host.ts";

describe("files of a VM", () => {
  test("are written with their folders, and read as they were written", async () => {
    const { files } = (await TestHost.start()).fakeVm;
    const path = "/home/agent/.agent/settings/one.json";
    await writeVmFile(files, path, "the first, which is longer");
    for (const content of ["", "é🙂", "x".repeat(3 * 1024 * 1024)]) {
      await writeVmFile(files, path, content);
      const read = await readVmFile(files, path, 4 * 1024 * 1024);
      expect(read.toString() === content).toBe(true);
    }
    expect((await files.stat(path)).mode & 0o777).toBe(0o600);
  });

  test("a file that is too large, or none, is refused", async () => {
    const { files } = (await TestHost.start()).fakeVm;
    await writeVmFile(files, "/workspace/large", Buffer.alloc(11));
    await expect(readVmFile(files, "/workspace/large", 10)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await expect(readVmFile(files, "/workspace/none", 10)).rejects.toMatchObject({
      code: "FILE_SYSTEM",
    });
  });
});
