import type { Consensus } from "../plan/workflow-plan.ts";

export type Vote = "approve" | "reject" | "abstain";

export interface Ballot {
  readonly vote: Vote;
  readonly weight: number;
}

/** Whether what was voted on is accepted. Who abstains counts in a quorum only. */
export function isAccepted(
  ballots: readonly Ballot[],
  { strategy, threshold }: Pick<Consensus, "strategy" | "threshold">,
): boolean {
  const [approvals, rejections] = [weightOf(ballots, "approve"), weightOf(ballots, "reject")];
  if (approvals === 0) return false;
  if (strategy === "unanimous") return rejections === 0;
  const all = approvals + rejections;
  const whole = strategy === "quorum" ? all + weightOf(ballots, "abstain") : all;
  return reaches(approvals, whole, threshold);
}

function weightOf(ballots: readonly Ballot[], wanted: Vote): number {
  const found = ballots.filter(({ vote }) => vote === wanted);
  return found.reduce((sum, { weight }) => sum + weight, 0);
}

/** Without a threshold more than a half is needed. */
function reaches(part: number, whole: number, threshold: number | undefined): boolean {
  return threshold === undefined ? 2 * part > whole : part >= threshold * whole;
}

/** The last line that begins with a verdict; one without any abstains. */
export function readVote(text: string): { vote: Vote; comment: string } {
  const line = text
    .split("\n")
    .toReversed()
    .map((each) => /^[\s*_#>-]*(APPROVE|REJECT|ABSTAIN)D?\b[\s*_:.-]*(.*)$/i.exec(each))
    .find((match) => match !== null);
  const word = line?.[1]?.toLowerCase();
  const vote = word === "approve" || word === "reject" ? word : "abstain";
  return { vote, comment: text.trim() };
}
