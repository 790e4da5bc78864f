import { expect, test } from "vitest";

import { HtmlText } from "../../src/web/html-text.ts";

function textOf(html: string, maxChars = 10_000): string {
  const text = new HtmlText("https://docs.example/guide/", maxChars);
  // In pieces, as it comes from a network: tags and entities are cut anywhere.
  for (let at = 0; at < html.length; at += 7) text.write(html.slice(at, at + 7));
  return text.end();
}

test("headings, paragraphs, lists, tables, links and code are marked", () => {
  const html = `<!doctype html><html><head><title>Guide</title><style>p { color: red }</style></head><body>
    <h1>First  steps</h1><p>Take <b>one</b>&nbsp;&amp; <a href="../two?x=1#y">two</a>.</p>
    <ul><li>apples</li><li>pears</li></ul>
    <table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>
    <pre>if (a  &lt; b)\n  go();</pre><img src="x.png" alt="a cat"><hr>
    <script>alert("no")</script><noscript>no</noscript><svg><text>no</text></svg>end</body></html>`;
  expect(textOf(html)).toBe(
    [
      "Guide",
      "",
      "# First steps",
      "",
      "Take one & two (https://docs.example/two?x=1#y).",
      "",
      "- apples",
      "- pears",
      "",
      "a | b |",
      "1 | 2 |",
      "",
      "```\nif (a  < b)\n  go();\n```",
      "",
      "[image: a cat]",
      "",
      "---",
      "",
      "end",
    ].join("\n"),
  );
});

test("what leads nowhere is no link", () => {
  const html = `<a href="#top">up</a> <a href="javascript:x()">run</a> <a href="mailto:a@b">mail</a> <a>none</a>`;
  expect(textOf(html)).toBe("up run mail none");
});

test("a page is no longer than its bound, whatever its links grow to", () => {
  const text = new HtmlText(`https://docs.example/${"long/".repeat(1_000)}`, 10_000);
  for (let count = 0; count < 1_000 && !text.isFull; count += 1) text.write("<a href=x>y</a>");
  expect(text.isFull).toBe(true);
  expect(text.end().length).toBe(10_000);
});

test("elements within elements without end are refused", () => {
  const text = new HtmlText("https://docs.example/", 1_000);
  expect(() => text.write("<b>".repeat(100_000))).toThrow(/at most 2000 others/);
});
