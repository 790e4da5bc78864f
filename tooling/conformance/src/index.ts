export { type Claim, idsOfTitle, readClaims } from "./claims.ts";
export type { Requirement } from "./requirement.ts";
export { requirements } from "./requirements.ts";
