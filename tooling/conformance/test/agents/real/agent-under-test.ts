import type { AgentOs, Session, SessionOptions } from "@agentos/client";
import type { FakeModelServer, Rule } from "@agentos/fake-model";

/** One real agent, and what a script has to know of it. */
export interface AgentUnderTest {
  /** The runtime, and what `agentos agents install` takes. */
  readonly runtime: string;
  readonly provider: string;
  /** The path of the fake model's address that the provider's base URL has. */
  readonly path: string;
  readonly model: string;
  /** Another model, to switch to. */
  readonly otherModel: string;
  /** Its tool for a shell command: how it is offered to the model, and how policies name it. */
  readonly shell: {
    readonly offered: string;
    readonly named: string;
    input(command: string): Record<string, unknown>;
  };
  /** What it keeps in the VM of a conversation, removed to have it lost. */
  readonly kept: string;
  /** In the command line of its process. */
  readonly process: RegExp;
  /** False: it has no modes of its own. */
  readonly hasModes?: false;
  /** False: its protocol tells it that a tool was denied, and not why. */
  readonly hearsWhy?: false;
  /** Checks that it can't pass, and why: shown in the table. */
  readonly exceptions: Readonly<Record<string, string>>;
  /** Further options of every session. */
  readonly options?: Partial<SessionOptions>;
}

/** What a check is given. */
export interface CheckContext {
  readonly agent: AgentUnderTest;
  readonly os: AgentOs;
  /** Ends with the check. */
  readonly model: (rules: readonly Rule[]) => Promise<FakeModelServer>;
  /** A session on that model, in `os` or in another VM. */
  readonly open: (
    server: FakeModelServer,
    options?: Partial<SessionOptions>,
    os?: AgentOs,
  ) => Promise<Session>;
  /** What the sidecar writes to. */
  readonly hostDirectories: readonly string[];
  /** A VM of a shared sidecar of its own, which ends with the check. */
  readonly shared: () => Promise<AgentOs>;
}

/** One line of the list, tried with a real agent. */
export interface AgentCheck {
  readonly id: string;
  /** A column's title. */
  readonly title: string;
  /** Its result may be a figure for the table. */
  run(context: CheckContext): Promise<string | void>;
}
