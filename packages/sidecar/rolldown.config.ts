import { defineConfig } from "rolldown";

/** The bin in few files: its start is what users wait for, and most of that is finding and reading modules. */
export default defineConfig({
  input: { "agentos-sidecar": "dist/main.js" },
  platform: "node",
  // What a session may use is loaded when it does, from where its user has installed it.
  external: [
    /^node:/,
    /^@ai-sdk\//,
    /^@modelcontextprotocol\//,
    /^@xterm\//,
    "bufferutil",
    "utf-8-validate",
  ],
  output: {
    dir: "dist/bin",
    format: "esm",
    minify: { compress: true, mangle: false },
    sourcemap: true,
    cleanDir: true,
  },
});
