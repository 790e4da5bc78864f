import type { SessionSpec } from "@agentos/protocol";
import { loadPackage, withoutAlias } from "@agentos/protocol";
import { describe, expect, test } from "vitest";

import { ApiRuntime } from "../../src/index.ts";
import { KEY } from "./api-fixture.ts";

const spec = (more: Partial<SessionSpec>): SessionSpec => ({
  sessionId: "session-1",
  runtime: "api",
  ...more,
});

const runtime = new ApiRuntime();

const broken = (): Promise<never> => Promise.reject(new Error("broken inside"));

describe("what is refused before anything starts", () => {
  test.for([
    ["anthropic", ["ANTHROPIC_API_KEY"]],
    ["openai", ["OPENAI_API_KEY"]],
    ["openai-chat", ["OPENAI_API_KEY"]],
    ["gemini", ["GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"]],
  ] as const)(
    "[api.case-72] without a key for %s the error names its variables, whatever the environment has",
    async ([name, variables]) => {
      const before = variables.map((variable) => process.env[variable]);
      for (const variable of variables) process.env[variable] = KEY;
      try {
        const error = await runtime.check(spec({ provider: { name } })).catch((each) => each);
        expect(error).toMatchObject({
          code: "MISSING_KEY",
          details: { provider: name, variables },
          message: expect.stringContaining(variables[0]),
        });
      } finally {
        for (const [index, variable] of variables.entries()) {
          const value = before[index];
          if (value === undefined) delete process.env[variable];
          else process.env[variable] = value;
        }
      }
    },
  );

  test.for([
    [{}, "session.provider.name"],
    [{ provider: { name: "martian", apiKey: KEY } }, "session.provider.name"],
    [{ provider: { name: "openai-compatible" }, model: "m" }, "session.provider.baseUrl"],
    [
      { provider: { name: "openai-compatible", baseUrl: "http://127.0.0.1:1/v1" } },
      "session.model",
    ],
  ] as const)("%# a provider that can't be spoken to", async ([more, argument]) => {
    await expect(runtime.check(spec(more))).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { argument },
    });
  });

  test("a server of one's own needs no key", async () => {
    const provider = { name: "openai-compatible", baseUrl: "http://127.0.0.1:1/v1" };
    await expect(runtime.check(spec({ provider, model: "local-1" }))).resolves.toBeUndefined();
  });

  test("a package that is not installed is named, with the line that installs it", async () => {
    const name = "@agentos/not-there";
    await expect(loadPackage(name, 2, () => import(name))).rejects.toMatchObject({
      code: "PACKAGE_MISSING",
      details: { package: name, install: `npm install ${name}@2` },
    });
  });

  test("a package that is broken is not called missing", async () => {
    await expect(loadPackage("ai", 7, broken)).rejects.toThrow("broken inside");
  });
});

describe("a provider's name as the runtime", () => {
  test.for(["anthropic", "openai", "gemini"])(
    "[api.alias] %s is the runtime api with it",
    (name) => {
      const given = spec({ runtime: name, model: "m", provider: { name, apiKey: KEY } });
      expect(withoutAlias(given)).toEqual({ ...given, runtime: "api" });
      expect(withoutAlias(spec({ runtime: name }))).toEqual(spec({ provider: { name } }));
    },
  );

  test("[api.alias] another provider with it is refused, any other runtime is left alone", () => {
    const provider = { name: "gemini" };
    expect(() => withoutAlias(spec({ runtime: "openai", provider }))).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
    const other = spec({ runtime: "claude-code", provider });
    expect(withoutAlias(other)).toBe(other);
  });
});
