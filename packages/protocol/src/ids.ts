import * as z from "zod";

/** A VM's, process's or lease's id: chosen by the client, so that a repeated request takes effect once. */
export const Id = z
  .string()
  .regex(/^[A-Za-z0-9_.:-]{1,64}$/, "expected 1 to 64 characters of A-Z a-z 0-9 _ . : -");

/** A VM's id. Narrower than `Id`: it also names files and cgroups. */
export const VmId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, "expected 1 to 64 characters of A-Z a-z 0-9 _ -");

/** A VM's name, given by its user. */
export const VmName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,62}$/,
    "expected 1 to 63 characters of a-z 0-9 _ -, not starting with _ or -",
  );

/** A stream's number on one connection: chosen by the requesting side, used once. */
export const StreamId = z.int().min(1).max(0xffff_ffff);

/** Which life of the lease a request belongs to; a lower one than the VM's current is `FENCED`. */
export const Fence = z.int().min(1);

/** An absolute path inside a VM, without NUL, at most 4,095 bytes. */
export const VmPath = z
  .string()
  .startsWith("/", "expected an absolute path")
  .refine((path) => !path.includes("\0"), "expected a path without NUL")
  .refine((path) => Buffer.byteLength(path) <= 4095, "expected at most 4,095 bytes");

/** An absolute path on the host. */
export const HostPath = VmPath.describe("An absolute path on the host.");
