/** The name of the vmd binary for a processor as Node names it, or undefined where none is built. */
export function vmdFileName(arch: string): string | undefined {
  return arch === "x64" || arch === "arm64" ? `vmd-linux-${arch}` : undefined;
}
