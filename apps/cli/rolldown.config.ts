import { defineConfig } from "rolldown";

/** The command in few files: most of its start is finding and reading modules. */
export default defineConfig({
  input: { agentos: "dist/main.js" },
  platform: "node",
  external: [/^node:/, /^@xterm\//, "bufferutil", "utf-8-validate"],
  output: {
    dir: "dist/bin",
    format: "esm",
    minify: { compress: true, mangle: false },
    sourcemap: true,
    cleanDir: true,
  },
});
