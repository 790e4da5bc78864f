import type { ModelApi } from "@agentos/core";

/** How a model's answer is written. */
export type AnswerFormat = "messages" | "responses" | "chat" | "gemini";

interface PathRule {
  readonly method: "GET" | "POST";
  /** The whole path in the VM; its first group is what follows the provider's base URL. */
  readonly path: RegExp;
  /** A call of a model. Undefined: something beside, which costs nothing. */
  readonly format?: AnswerFormat;
}

export type PathMatch =
  | {
      readonly kind: "found";
      /** Below the provider's base URL, with its query. */
      readonly path: string;
      readonly format: AnswerFormat | undefined;
      /** What the path names, where it does. */
      readonly model: string | undefined;
    }
  /** Only asks whether somebody is there. */
  | { readonly kind: "greeting" }
  | { readonly kind: "wrong_method"; readonly allow: string }
  | { readonly kind: "unknown" };

/** No percent sign, no empty or dotted part: a path has one spelling, or it is none of ours. */
const MODEL = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}";
const MODELS = String.raw`\/models(?:\/${MODEL})?`;

/** All that a session may ask of its provider. */
const RULES: Readonly<Record<ModelApi, readonly PathRule[]>> = {
  anthropic: [
    { method: "POST", path: /^\/v1(\/messages)$/, format: "messages" },
    { method: "POST", path: /^\/v1(\/messages\/count_tokens)$/ },
    { method: "GET", path: new RegExp(String.raw`^\/v1(${MODELS})$`) },
  ],
  openai: [
    { method: "POST", path: /^\/v1(\/responses)$/, format: "responses" },
    { method: "POST", path: /^\/v1(\/responses\/compact)$/, format: "responses" },
    { method: "POST", path: /^\/v1(\/chat\/completions)$/, format: "chat" },
    { method: "GET", path: new RegExp(String.raw`^\/v1(${MODELS})$`) },
  ],
  gemini: [
    {
      method: "POST",
      path: new RegExp(
        String.raw`^\/v1beta(\/models\/(${MODEL}):(?:generateContent|streamGenerateContent))$`,
      ),
      format: "gemini",
    },
    { method: "POST", path: new RegExp(String.raw`^\/v1beta(\/models\/${MODEL}:countTokens)$`) },
    { method: "GET", path: new RegExp(String.raw`^\/v1beta(${MODELS})$`) },
  ],
};

/** What of a query is passed on; a key in it is no key here, and everything else says nothing to a model. */
const QUERY = new Set(["beta", "alt", "limit", "before_id", "after_id", "pageSize", "pageToken"]);
const QUERY_VALUE = /^[A-Za-z0-9._=-]{0,256}$/;

/** What a request of a session is for. `target` is the request line's, as it came. */
export function matchPath(api: ModelApi, method: string, target: string): PathMatch {
  const [path, query] = split(target);
  if (path === "/") {
    if (method === "GET" || method === "HEAD") return { kind: "greeting" };
    return { kind: "wrong_method", allow: "GET, HEAD" };
  }
  const rules = RULES[api].filter((rule) => rule.path.test(path));
  const rule = rules.find((each) => each.method === method);
  if (rule === undefined) {
    const [other] = rules;
    return other === undefined
      ? { kind: "unknown" }
      : { kind: "wrong_method", allow: other.method };
  }
  const [, below = "", model] = rule.path.exec(path) ?? [];
  return { kind: "found", path: below + passedOn(query), format: rule.format, model };
}

/** The values of `?key=`: some clients put their key there. */
export function queryKeys(target: string): string[] {
  return new URLSearchParams(split(target)[1]).getAll("key");
}

function split(target: string): [path: string, query: string] {
  const at = target.indexOf("?");
  return at === -1 ? [target, ""] : [target.slice(0, at), target.slice(at + 1)];
}

function passedOn(query: string): string {
  const kept = [...new URLSearchParams(query)].filter(([name, value]) => {
    return QUERY.has(name) && QUERY_VALUE.test(value);
  });
  return kept.length === 0 ? "" : `?${new URLSearchParams(kept).toString()}`;
}
