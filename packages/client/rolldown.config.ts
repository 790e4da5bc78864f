import { defineConfig } from "rolldown";

/** The package in few files: a program that imports it waits for each module that is found and read. */
export default defineConfig({
  input: "./dist/index.js",
  platform: "node",
  // What is a package of its own stays one.
  external: /^[^./]/,
  output: { dir: "dist/bundle", format: "esm", cleanDir: true, chunkFileNames: "[name].js" },
});
