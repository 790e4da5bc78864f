import type {
  Bash,
  CommandNode,
  PipelineNode,
  SimpleCommandNode,
  StatementNode,
  WordNode,
} from "just-bash";

import { STDERR_PATH, STDOUT_PATH } from "./shell-files.ts";

type Plugin = Parameters<Bash["registerTransformPlugin"]>[0];
type Script = ReturnType<Plugin["transform"]>["ast"];
type Redirection = SimpleCommandNode["redirections"][number];

/** Commands whose redirections mean more than where their output goes, or that leave the flow they are in. */
const LEFT_ALONE = new Set(["exec", "exit", "return", "break", "continue", "shift"]);
/** Redirects what comes after it, which redirections of our own would undo. */
const REDIRECTS_SHELL = /\bexec\b/;

const STDOUT = appendTo(1, STDOUT_PATH);
const STDERR = appendTo(2, STDERR_PATH);

/**
 * The interpreter hands output over when the script has ended. So that it comes while the script runs, each command
 * of the main flow is given a redirection to a file that is the process's own output. Inside functions, command
 * substitutions and all but the last part of a pipeline nothing changes: their output is the business of the command
 * that they are part of.
 */
export function streamed(source: string, script: Script): Script {
  if (REDIRECTS_SHELL.test(source)) return script;
  return { ...script, statements: script.statements.map(ofStatement) };
}

function ofStatement(statement: StatementNode): StatementNode {
  return { ...statement, pipelines: statement.pipelines.map(ofPipeline) };
}

function ofPipeline(pipeline: PipelineNode): PipelineNode {
  const last = pipeline.commands.length - 1;
  const commands = pipeline.commands.map((command, index) =>
    ofCommand(command, index === last, pipeline.pipeStderr?.[index] === true),
  );
  return { ...pipeline, commands };
}

function ofCommand(command: CommandNode, isLast: boolean, pipesStderr: boolean): CommandNode {
  if (command.type === "FunctionDef") return command;
  const added = [...(isLast ? [STDOUT] : []), ...(pipesStderr ? [] : [STDERR])];
  if (command.type === "SimpleCommand") return ofSimple(command, added);
  const redirections = [...added, ...command.redirections];
  const isPlain = isLast && !pipesStderr && command.redirections.length === 0;
  return isPlain ? { ...withBodies(command), redirections } : { ...command, redirections };
}

function ofSimple(command: SimpleCommandNode, added: readonly Redirection[]): CommandNode {
  if (command.name === null) return ofAssignment(command, added);
  const name = literalOf(command.name);
  if (name !== undefined && LEFT_ALONE.has(name)) return command;
  return { ...command, redirections: [...added, ...command.redirections] };
}

/** What an assignment's substitutions say goes to the shell's stderr, which only a group around it can redirect. */
function ofAssignment(command: SimpleCommandNode, added: readonly Redirection[]): CommandNode {
  const substitutes = JSON.stringify(command.assignments).includes('"CommandSubstitution"');
  if (!substitutes || command.redirections.length > 0) return command;
  const pipeline: PipelineNode = { type: "Pipeline", commands: [command], negated: false };
  const statement: StatementNode = {
    type: "Statement",
    pipelines: [pipeline],
    operators: [],
    background: false,
  };
  return { type: "Group", body: [statement], redirections: [...added] };
}

type Compound = Exclude<CommandNode, { type: "FunctionDef" | "SimpleCommand" }>;

/** The commands inside are the main flow, too. */
// oxlint-disable-next-line typescript/consistent-return -- Every case returns.
function withBodies(command: Compound): Compound {
  switch (command.type) {
    case "If":
      return {
        ...command,
        clauses: command.clauses.map(({ condition, body }) => ({
          condition: condition.map(ofStatement),
          body: body.map(ofStatement),
        })),
        elseBody: command.elseBody?.map(ofStatement) ?? null,
      };
    case "While":
    case "Until":
      return {
        ...command,
        condition: command.condition.map(ofStatement),
        body: command.body.map(ofStatement),
      };
    case "For":
    case "CStyleFor":
    case "Subshell":
    case "Group":
      return { ...command, body: command.body.map(ofStatement) };
    case "Case":
      return {
        ...command,
        items: command.items.map((item) => ({ ...item, body: item.body.map(ofStatement) })),
      };
    case "ArithmeticCommand":
    case "ConditionalCommand":
      return command;
  }
}

function literalOf(word: WordNode): string | undefined {
  const [part] = word.parts;
  return word.parts.length === 1 && part?.type === "Literal" ? part.value : undefined;
}

function appendTo(fd: number, path: string): Redirection {
  const target: WordNode = { type: "Word", parts: [{ type: "Literal", value: path }] };
  return { type: "Redirection", fd, operator: ">>", target };
}
