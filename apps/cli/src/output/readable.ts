import { printable } from "./printable.ts";

/** Text of many lines from a guest or a model: lines and tabs stay, what could drive the terminal is spelled out. */
export function readable(text: string): string {
  return text
    .split("\n")
    .map((line) => line.split("\t").map(printable).join("\t"))
    .join("\n");
}
