import { rows } from "../requirement.ts";

/** The control plane's walls. */
export const controlPlane = rows("security", {
  S1: "every route needs a key",
  S2: "a wrong, expired or revoked key is refused; its open connections close",
  S3: "the Host header is checked against a list",
  S4: "a foreign Origin is refused without a valid key",
  S5: "no CORS header is ever sent",
  S6: "keys in URLs are refused",
  S7: "keys are compared in constant time; key file and socket are private",
  S8: "a non-loopback address refuses to start",
  S9: "authority that a client declares is ignored",
  S10: "another user's ids are not found",
  S11: "input is bounded in size and time",
  S12: "prototype names are plain keys",
  S13: "nothing is proxied to other addresses",
});
