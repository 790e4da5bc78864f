import type { Consensus } from "../plan/workflow-plan.ts";

export type Vote = "approve" | "reject" | "abstain";

/** Whether what was voted on is accepted. Who abstains counts in a quorum only. */
export function isAccepted(votes: readonly Vote[], { strategy, threshold }: Consensus): boolean {
  const approvals = votes.filter((vote) => vote === "approve").length;
  const rejections = votes.filter((vote) => vote === "reject").length;
  if (approvals === 0) return false;
  if (strategy === "unanimous") return rejections === 0;
  if (strategy === "quorum") return reaches(approvals, votes.length, threshold);
  return reaches(approvals, approvals + rejections, threshold);
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
