const PASTE_START = "\u001b[200~";
const PASTE_END = "\u001b[201~";

/** Everything that a terminal takes for a key or a control sequence, but for line feed and tab. */
// oxlint-disable-next-line no-control-regex -- Those are what is looked for.
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/**
 * A prompt as it is typed into a terminal: nothing in it can act as a key or end the paste. Where the
 * program does not take a paste, it is one line, since each line's end would submit a part.
 */
export function typedText(text: string, takesPaste: boolean): string {
  const plain = text.replaceAll(/\r\n?/g, "\n").replaceAll(CONTROLS, "");
  if (takesPaste) return `${PASTE_START}${plain}${PASTE_END}`;
  return plain.trim().replaceAll(/[\n\t]+/g, " ");
}
