import type { OfferedTool } from "../conversation/model-request.ts";
import { isNamed } from "../script/match.ts";
import { toolCall, type ToolCallPart } from "../script/reply-part.ts";
import { fillArguments, type Wanted } from "./fill-arguments.ts";

/** One change of a file. */
export interface Edit {
  readonly path: string;
  readonly wrong: string;
  readonly right: string;
}

const RUN = [
  "run_command",
  "Bash",
  "bash",
  "exec_command",
  "run_shell_command",
  "shell_command",
  "shell",
  "execute_command",
  "exec",
  "terminal",
];
const LIST = ["list_directory", "LS", "list_dir", "list", "ls"];
const VIEW = ["view_file", "Read", "read", "read_file"];
const EDIT = ["edit_file", "Edit", "edit", "replace", "str_replace"];
const CREATE = ["create_file", "Write", "write", "write_file"];

const PATH = /path|file/i;
const OLD = /^(?:old|search|find|target_?content|before)/i;
const NEW = /^(?:new|replac|after)/i;
const LIST_FILES =
  "pwd; find . -type f -not -path '*/node_modules/*' -not -path '*/.git/*' | sort | head -n 100";

/** What a coding agent does, through whatever tools a request offers. */
export class ToolKit {
  readonly #tools: readonly OfferedTool[];
  readonly #directory: string;

  /** `directory` is put before paths where a tool wants absolute ones. */
  constructor(tools: readonly OfferedTool[], directory: string | undefined) {
    this.#tools = tools;
    this.#directory = directory ?? "";
  }

  /** Undefined when nothing runs commands. */
  run(command: string, why: string): ToolCallPart | undefined {
    const extras: Wanted[] = [
      { name: /description|justification|explanation|reason/i, value: why, ifRequired: true },
      { name: /timeout/i, value: 60_000, ifRequired: true },
      { name: /dir|cwd/i, value: this.#directory || ".", ifRequired: true },
    ];
    const name = /^(?:command|cmd|command_?line|script)$/i;
    return (
      this.#call(RUN, [{ name, value: command }, ...extras]) ??
      this.#call(RUN, [{ name, value: ["bash", "-lc", command] }, ...extras])
    );
  }

  list(): ToolCallPart | undefined {
    const shell = this.run(LIST_FILES, "List the project's files");
    if (this.#wantsAbsolute && shell !== undefined) return shell;
    return this.#call(LIST, [{ name: /path|dir/i, value: this.#directory || "." }]) ?? shell;
  }

  view(path: string): ToolCallPart | undefined {
    return (
      this.#call(VIEW, [{ name: PATH, value: this.#path(path) }]) ??
      this.run(`cat ${path}`, `Read ${path}`)
    );
  }

  /** By an edit, a patch, a new file of `after`, or a command: the first that is offered. */
  edit(edit: Edit, after: string): ToolCallPart | undefined {
    const path: Wanted = { name: PATH, value: this.#path(edit.path) };
    return (
      this.#call(EDIT, [
        path,
        { name: OLD, value: edit.wrong },
        { name: NEW, value: edit.right },
      ]) ??
      this.#listOfEdits(path, edit) ??
      this.#patch(edit, after) ??
      this.#call(CREATE, [path, { name: /content|text/i, value: after }]) ??
      this.run(editCommand(edit), `Edit ${edit.path}`)
    );
  }

  /** Undefined when no such tool is offered. */
  finish(summary: string): ToolCallPart | undefined {
    const tool = this.#find(["finish"])[0];
    if (tool === undefined) return undefined;
    const name = /summary|result|output|message|answer|text/i;
    const input =
      fillArguments(tool.schema, [{ name, value: summary }]) ?? fillArguments(tool.schema, []);
    return toolCall(tool.name, input ?? {});
  }

  #call(names: readonly string[], wanted: readonly Wanted[]): ToolCallPart | undefined {
    for (const tool of this.#find(names)) {
      const input = fillArguments(tool.schema, wanted);
      if (input !== undefined) return toolCall(tool.name, input);
    }
    return undefined;
  }

  /** A tool that takes several edits of one file at once. */
  #listOfEdits(path: Wanted, { wrong, right }: Edit): ToolCallPart | undefined {
    for (const tool of this.#find(EDIT)) {
      const list = Object.entries(tool.schema.properties ?? {}).find(
        ([, { items }]) => items?.properties !== undefined,
      );
      if (list === undefined) continue;
      const item = fillArguments(list[1].items ?? {}, [
        { name: OLD, value: wrong },
        { name: NEW, value: right },
      ]);
      const edits: Wanted = { name: new RegExp(`^${list[0]}$`), value: [item] };
      const input = item && fillArguments(tool.schema, [path, edits]);
      if (input !== undefined) return toolCall(tool.name, input);
    }
    return undefined;
  }

  #patch({ path, wrong, right }: Edit, after: string): ToolCallPart | undefined {
    const tool = this.#find(["apply_patch"])[0];
    if (tool === undefined) return undefined;
    const line = after.split("\n").find((each) => each.includes(right)) ?? right;
    const change = [`-${line.replace(right, () => wrong)}`, `+${line}`];
    const head = ["*** Begin Patch", `*** Update File: ${path}`, "@@"];
    const patch = [...head, ...change, "*** End Patch"].join("\n");
    if (tool.freeForm) return toolCall(tool.name, patch);
    const input = fillArguments(tool.schema, [{ name: /patch|input/i, value: patch }]);
    return input === undefined ? undefined : toolCall(tool.name, input);
  }

  /** In the order of the names, not of the request. */
  #find(names: readonly string[]): OfferedTool[] {
    return names.flatMap((name) => this.#tools.filter((tool) => isNamed(tool.name, name)));
  }

  get #wantsAbsolute(): boolean {
    return this.#find([...VIEW, ...EDIT]).some(({ schema }) =>
      Object.keys(schema.properties ?? {}).some((key) => /^(?:absolute|file_?path)/i.test(key)),
    );
  }

  #path(path: string): string {
    return this.#wantsAbsolute && this.#directory !== "" ? `${this.#directory}/${path}` : path;
  }
}

/** Every project with npm tests has Node. */
function editCommand({ path, wrong, right }: Edit): string {
  const [file, from, to] = [path, wrong, right].map((value) => JSON.stringify(value));
  const program = `const fs = require("fs"); const text = fs.readFileSync(${file}, "utf8"); fs.writeFileSync(${file}, text.replace(${from}, () => ${to}));`;
  return `node -e '${program.replaceAll("'", String.raw`'\''`)}'`;
}
