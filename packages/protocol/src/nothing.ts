import * as z from "zod";

/** The params or the result of a method that needs none. */
export const Nothing = z.object({});
