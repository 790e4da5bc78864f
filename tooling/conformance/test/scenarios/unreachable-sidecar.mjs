// A sidecar that tells its starter a wrong key: it is ready, and can't be talked to.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (chunk, ...rest) => {
  const text = Buffer.from(chunk).toString("latin1");
  return write(Buffer.from(text.replace(/("apiKey":")./, "$1?"), "latin1"), ...rest);
};

const { resolve } = createRequire(import.meta.url);
await import(
  join(dirname(resolve("@agentos/sidecar/package.json")), "dist/bin/agentos-sidecar.js")
);
