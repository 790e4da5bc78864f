import { defineConfig } from "rolldown";

/** The bin in few files: its start is what users wait for, and most of that is finding and reading modules. */
export default defineConfig({
  input: { "agentos-sidecar": "dist/main.js" },
  platform: "node",
  external: [/^node:/, "bufferutil", "utf-8-validate"],
  output: {
    dir: "dist/bin",
    format: "esm",
    minify: { compress: true, mangle: false },
    sourcemap: true,
    cleanDir: true,
  },
});
