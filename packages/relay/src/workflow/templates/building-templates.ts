import { member, template, type WorkflowTemplate, work } from "./template.ts";

const LEAD = member("lead", "lead", "lead");

export const BUILDING_TEMPLATES: readonly WorkflowTemplate[] = [
  template("bug-fix", "hub-spoke", "Finds a bug's cause, repairs it, and checks the repair.", {
    agents: [
      LEAD,
      member("investigator", "analyst", "analyst"),
      member("fixer", "worker", "worker"),
      member("verifier", "verifier", "reviewer"),
    ],
    steps: [
      work("plan", "lead", "Say how this bug is to be found: {{task}}"),
      work("investigate", "investigator", "Find the cause. Change nothing.", "plan"),
      work("fix", "fixer", "Repair the cause, with a test that failed before.", "investigate"),
      work("verify", "verifier", "Run the tests and check the repair.", "investigate", "fix"),
    ],
  }),
  template("feature-dev", "hub-spoke", "Plans a feature, builds it, and reviews it.", {
    agents: [
      LEAD,
      member("planner", "analyst", "analyst"),
      member("developer", "worker", "worker"),
      member("reviewer", "reviewer", "reviewer"),
    ],
    steps: [
      work("goals", "lead", "Say what this feature has to do: {{task}}"),
      work("plan", "planner", "Plan it in small steps. Change nothing.", "goals"),
      {
        ...work("develop", "developer", "Build it, with its tests.", "goals", "plan"),
        reviewers: ["reviewer"],
        maxIterations: 3,
      },
    ],
  }),
  template("refactor", "hierarchical", "Changes a structure and keeps what it does.", {
    agents: [
      LEAD,
      member("architect", "analyst", "analyst"),
      member("refactorer", "worker", "worker"),
      member("tester", "worker", "worker"),
    ],
    steps: [
      work("goals", "lead", "Say what is to be better afterwards: {{task}}"),
      work("design", "architect", "Design the new structure. Change nothing.", "goals"),
      work("refactor", "refactorer", "Change the structure step by step.", "design"),
      work("test", "tester", "Show that it does what it did before.", "design", "refactor"),
    ],
  }),
  template("documentation", "handoff", "Looks things up, writes them down, and edits the text.", {
    agents: [
      LEAD,
      member("researcher", "analyst", "analyst"),
      member("writer", "worker", "worker"),
      member("editor", "reviewer", "worker"),
    ],
    steps: [
      work("outline", "lead", "Outline this documentation: {{task}}"),
      work("research", "researcher", "Look up what the outline needs.", "outline"),
      work("write", "writer", "Write it.", "outline", "research"),
      work("edit", "editor", "Make it short and right, and say what you changed.", "write"),
    ],
  }),
  template("competitive", "competitive", "Three teams solve one task, and a lead picks the best.", {
    agents: [
      LEAD,
      member("team-a", "competitor", "worker"),
      member("team-b", "competitor", "worker"),
      member("team-c", "competitor", "worker"),
    ],
    steps: [
      work("solve-a", "team-a", "Work in the folder team-a. {{task}}"),
      work("solve-b", "team-b", "Work in the folder team-b. {{task}}"),
      work("solve-c", "team-c", "Work in the folder team-c. {{task}}"),
      work(
        "judge",
        "lead",
        "Compare the three solutions, pick the best, and say why.",
        "solve-a",
        "solve-b",
        "solve-c",
      ),
    ],
  }),
];
