/**
 * What makes a terminal answer: reports of status, attributes, size, modes, colours and settings. The
 * answer to one from earlier would be typed into what runs now.
 */
const QUERIES = [
  // oxlint-disable-next-line no-control-regex
  /\u0005/g,
  // oxlint-disable-next-line no-control-regex
  /\u001b\[[?>=]?[\d;]*[cnx]/g,
  // oxlint-disable-next-line no-control-regex
  /\u001b\[\??[\d;]*\$p/g,
  // oxlint-disable-next-line no-control-regex
  /\u001b\[\?u/g,
  // oxlint-disable-next-line no-control-regex
  /\u001b\[>[\d;]*q/g,
  // oxlint-disable-next-line no-control-regex
  /\u001b\[(?:1[1345689]|2[01])(?:;\d*)*t/g,
  // oxlint-disable-next-line no-control-regex
  /\u001b\](?:4;\d+|1[0-9]|52;[a-z]*);\?(?:\u0007|\u001b\\)/g,
  // oxlint-disable-next-line no-control-regex
  /\u001bP[+$]q[^\u001b]*\u001b\\/g,
  // oxlint-disable-next-line no-control-regex
  /\u001bZ/g,
];

/** Old output without the questions in it that a terminal would answer again. */
export function withoutQueries(bytes: Uint8Array): Uint8Array {
  // One character per byte, both ways.
  let text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  for (const query of QUERIES) text = text.replaceAll(query, "");
  return Buffer.from(text, "latin1");
}
