/**
 * Node's `node:http`. An import statement of it reads all that it exports, and so loads what it has for `WebSocket` and the
 * like: some 30 ms and 6 MB of each program that starts.
 */
export const nodeHttp = process.getBuiltinModule("node:http");
