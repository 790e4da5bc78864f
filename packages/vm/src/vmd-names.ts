/** The processors that vmd is built for, as Node names them. */
const ARCHITECTURES: readonly string[] = ["x64", "arm64"];

/** What the build of this package calls the vmd binary for a processor, or undefined where none is built. */
export function vmdFileName(arch: string): string | undefined {
  return ARCHITECTURES.includes(arch) ? `vmd-linux-${arch}` : undefined;
}

/** The package that brings the binary of that name to whoever installs AgentOS. */
export function vmdPackageName(fileName: string): string {
  return `@agentos/${fileName}`;
}
