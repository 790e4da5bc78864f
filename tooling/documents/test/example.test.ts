import { expect, test } from "vitest";

import { readExamples } from "../src/example.ts";

test("an example has its language, its place and what it takes for granted", () => {
  const text = "# A\n\n<!-- given: const a = 1; -->\n\n```ts\nf(a);\n```\n";
  expect(readExamples("a.md", text)).toEqual([
    {
      language: "ts",
      line: 5,
      code: "f(a);\n",
      given: "const a = 1;",
      notRun: undefined,
      inClone: false,
    },
  ]);
});

test("only the comment right above a block belongs to it", () => {
  const text =
    "<!-- given: a -->\n\n```ts\nb\n```\n\n<!-- given: c -->\n```ts\nd\n```\n\nx\n\n```ts\ne\n```\n";
  expect(readExamples("a.md", text).map(({ given }) => given)).toEqual(["a", "c", ""]);
});

test("a block in a list loses the list's indentation", () => {
  const [example] = readExamples(
    "a.md",
    "- so:\n\n  ```sh clone\n  if a; then\n    b\n  fi\n  ```\n",
  );
  expect(example).toMatchObject({ code: "if a; then\n  b\nfi\n", inClone: true });
});

test("what can't be run says why", () => {
  const [example] = readExamples("a.md", "```sh no-run: needs a registry\nnpm i x\n```\n");
  expect(example?.notRun).toBe("needs a registry");
});

test.each(["bash", "ts no-run", "ts no-run:", "sh norun: x", "console"])(
  "[docs.marks] a block marked %o is refused with its page and line",
  (info) => {
    expect(() => readExamples("a.md", `\n\`\`\`${info}\nx\n\`\`\`\n`)).toThrow(
      `a.md:2: expected a block of ts, sh or json, then perhaps "clone" or "no-run: why", or of text; got "${info}"`,
    );
  },
);

test("pictures, and what programs print, are no examples", () => {
  expect(readExamples("a.md", "```\na --> b\n```\n\n```text\nok\n```\n")).toEqual([]);
});
