import type { Command } from "commander";

import type { CommandContext } from "../command-context.ts";
import { parseName } from "../options/parse-name.ts";

const ADD_HELP = `
PATH is a root filesystem's directory, which is used as it is and must stay, or an archive of
docker save or of an OCI layout, which is unpacked.

  docker save alpine > alpine.tar && agentos image add alpine alpine.tar
  agentos run --image alpine -- cat /etc/os-release`;

/** `image`: root filesystems. */
export function defineImageCommands(program: Command, context: CommandContext): void {
  const { io } = context;
  const image = program
    .command("image")
    .description("root filesystems for run --image")
    .enablePositionalOptions();
  image
    .command("add")
    .description("take a root filesystem under a name")
    .argument("<name>", "the image's name", parseName)
    .argument("<path>", "a directory or an archive")
    .addHelpText("after", ADD_HELP)
    .action((name: string, path: string, _options: object, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/image/add.ts")).add(io, globals, name, path),
      ),
    );
  image
    .command("list")
    .description("the images of the pool")
    .action((_options: object, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/image/list.ts")).list(io, globals),
      ),
    );
  image
    .command("remove")
    .description("remove an image that nothing stands on")
    .argument("<name>", "the image's name", parseName)
    .action((name: string, _options: object, command: Command) =>
      context.run(command, async (globals) =>
        (await import("../commands/image/remove.ts")).remove(io, globals, name),
      ),
    );
}
