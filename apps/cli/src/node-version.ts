/** Older ones lack what this build is made of. */
const OLDEST = [22, 18] as const;

/** The oldest Node that this build runs on. */
export const OLDEST_NODE = OLDEST.join(".");

/** Whether a Node of this version, such as `22.18.0`, runs this build. */
export function isNodeSupported(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}
