import { text } from "../script/reply-part.ts";
import { otherwise, script } from "../script/rule.ts";

/** Answers with the user's last text. */
export const echo = script([otherwise().reply(({ lastUserText: said }) => text(said))]);
