import * as z from "zod";

/** A TCP port. */
export const Port = z.int("expected a whole number from 1 to 65535").min(1).max(65_535);
