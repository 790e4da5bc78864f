import { member, template, type WorkflowTemplate, work } from "./template.ts";

const LEAD = member("lead", "lead", "lead");

export const REVIEW_TEMPLATES: readonly WorkflowTemplate[] = [
  template("code-review", "fan-out", "Three reviewers look at a change, and a lead sums up.", {
    agents: [
      LEAD,
      member("architecture", "reviewer", "reviewer"),
      member("correctness", "reviewer", "reviewer"),
      member("security", "reviewer", "reviewer"),
    ],
    steps: [
      work("architecture", "architecture", "Review the structure of this change: {{task}}"),
      work("correctness", "correctness", "Look for errors in this change: {{task}}"),
      work("security", "security", "Look for security problems in this change: {{task}}"),
      work(
        "summary",
        "lead",
        "Make one review of what the reviewers found, the most serious first.",
        "architecture",
        "correctness",
        "security",
      ),
    ],
  }),
  template("review-loop", "review-loop", "An implementer works until its reviewers agree.", {
    agents: [
      member("implementer", "implementer", "worker"),
      member("reviewer-quality", "reviewer", "reviewer"),
      member("reviewer-tests", "reviewer", "reviewer"),
      member("reviewer-security", "reviewer", "reviewer"),
    ],
    steps: [
      {
        ...work("implement", "implementer", "{{task}}"),
        reviewers: ["reviewer-quality", "reviewer-tests", "reviewer-security"],
        maxIterations: 3,
      },
    ],
  }),
  template("security-audit", "pipeline", "Finds weaknesses, repairs them, and checks the repair.", {
    agents: [
      LEAD,
      member("analyst", "analyst", "analyst"),
      member("remediator", "worker", "worker"),
      member("verifier", "verifier", "reviewer"),
    ],
    steps: [
      work("scope", "lead", "Say what is to be audited, and what for: {{task}}"),
      work("analyse", "analyst", "Look for weaknesses in what is in scope.", "scope"),
      work("repair", "remediator", "Repair these weaknesses.", "analyse"),
      work("verify", "verifier", "Check that each weakness is gone.", "analyse", "repair"),
    ],
  }),
];
