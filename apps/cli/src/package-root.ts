import { findPackageJSON } from "node:module";
import { pathToFileURL } from "node:url";

/** Where this package is, wherever in it this module is bundled to. */
export const PACKAGE_ROOT = new URL(".", pathToFileURL(findPackageJSON(import.meta.url) ?? ""));
