import {
  AgentOsError,
  DEFAULTS,
  type Enforcement,
  isSidecarLimit,
  type LimitName,
  type ReachedLimitName,
  SIDECAR_LIMIT_NAMES,
  type SidecarLimitName,
} from "@agentos/protocol";

type Values = Readonly<Partial<Record<LimitName, number | undefined>>>;
type States = Record<SidecarLimitName, { value: number | null; enforcement: Enforcement }>;

/** Of a limit, from this part of it on who leases the VM is warned. */
export const NEAR = 0.8;
/** A hit is told at most this often. */
const TELL_MS = 1_000;

/** Soft: it is looked at now and then, or passed by what is on its way. */
const ENFORCEMENT: Readonly<Record<SidecarLimitName, Enforcement>> = {
  networkConnections: "hard",
  networkBytes: "soft",
  outputBytes: "hard",
  outputRate: "soft",
  terminals: "hard",
};

const DEFAULT_VALUES: Readonly<Partial<Record<SidecarLimitName, number>>> = {
  networkConnections: DEFAULTS.networkConnections,
  terminals: DEFAULTS.terminals,
};

/** Who hears of a VM's limits. */
export interface LimitListener {
  hit(limit: ReachedLimitName, value: number): void;
  /** More than four fifths are used. */
  near(limit: LimitName, value: number, used: number): void;
}

/** The limits of one VM that the sidecar itself holds, since all that they are about passes through it; and what is told of them and of the others. */
export class HeldLimits {
  #values: Readonly<Partial<Record<SidecarLimitName, number>>>;
  #listener: LimitListener | undefined;
  readonly #near = new Set<LimitName>();
  readonly #hitMs = new Map<ReachedLimitName, number>();

  constructor(values: Values = {}) {
    this.#values = { ...DEFAULT_VALUES, ...ownOf(values) };
  }

  get states(): States {
    const state = (name: SidecarLimitName): States[SidecarLimitName] => ({
      value: this.value(name) ?? null,
      enforcement: ENFORCEMENT[name],
    });
    return {
      networkConnections: state("networkConnections"),
      networkBytes: state("networkBytes"),
      outputBytes: state("outputBytes"),
      outputRate: state("outputRate"),
      terminals: state("terminals"),
    };
  }

  value(name: SidecarLimitName): number | undefined {
    return this.#values[name];
  }

  /** Holds from now on. Others than its own are ignored. */
  change(values: Values): void {
    this.#values = { ...this.#values, ...ownOf(values) };
  }

  listen(listener: LimitListener): void {
    this.#listener = listener;
  }

  /** Warns once, until less is used again. */
  note(limit: LimitName, value: number | null | undefined, used: number): void {
    if (value === null || value === undefined || used < value * NEAR)
      return void this.#near.delete(limit);
    if (this.#near.has(limit)) return;
    this.#near.add(limit);
    this.#listener?.near(limit, value, used);
  }

  /** More was wanted than there may be. */
  hit(limit: ReachedLimitName, value: number): void {
    const now = performance.now();
    if (now - (this.#hitMs.get(limit) ?? Number.NEGATIVE_INFINITY) < TELL_MS) return;
    this.#hitMs.set(limit, now);
    this.#listener?.hit(limit, value);
  }
}

/** Refuses with `UNSUPPORTED_LIMIT` what is required and that the sidecar holds no more than softly. */
export function checkHeldLimits(required: readonly LimitName[]): void {
  for (const limit of required) {
    if (!isSidecarLimit(limit) || ENFORCEMENT[limit] === "hard") continue;
    const offered = ENFORCEMENT[limit];
    const reason = "it may be passed for a moment before that is seen";
    const message = `expected a hard limit on ${limit}, the sidecar offers ${offered}: ${reason}`;
    throw new AgentOsError("UNSUPPORTED_LIMIT", message, { limit, offered, reason });
  }
}

function ownOf(values: Values): Partial<Record<SidecarLimitName, number>> {
  const own = SIDECAR_LIMIT_NAMES.map((name) => [name, values[name]] as const);
  return Object.fromEntries(own.filter(([, value]) => value !== undefined));
}
