/** `{{name}}` and `{{steps.NAME.output}}`, blanks inside allowed. What begins otherwise, as `{{.Names}}`, is no placeholder. */
const PLACEHOLDER = /\{\{\s*([A-Za-z0-9_][\w.-]*)\s*\}\}/g;
const STEP_OUTPUT = /^steps\.([A-Za-z0-9][A-Za-z0-9_-]*)\.output$/;

/** What a text's placeholders name. */
export interface Placeholders {
  readonly vars: ReadonlySet<string>;
  readonly steps: ReadonlySet<string>;
}

export function placeholdersOf(text: string): Placeholders {
  const vars = new Set<string>();
  const steps = new Set<string>();
  for (const [, name = ""] of text.matchAll(PLACEHOLDER)) {
    const step = STEP_OUTPUT.exec(name)?.[1];
    if (step === undefined) vars.add(name);
    else steps.add(step);
  }
  return { vars, steps };
}

/** The text with what is known filled in, once: what comes in is never looked at again. The rest stays as it is. */
export function fillText(
  text: string,
  known: { readonly vars: ReadonlyMap<string, string>; output(step: string): string | undefined },
): string {
  return text.replaceAll(PLACEHOLDER, (whole, name: string) => {
    const step = STEP_OUTPUT.exec(name)?.[1];
    return (step === undefined ? known.vars.get(name) : known.output(step)) ?? whole;
  });
}
