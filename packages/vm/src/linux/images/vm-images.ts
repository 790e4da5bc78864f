import type { VmHandle, VmRequest } from "@agentos/core";

import type { FieldWriter } from "../../link/fields.ts";
import { FIELD } from "../../link/link-kinds.ts";
import { readHostImage } from "../host-image.ts";
import { encodeImage } from "../vm-config.ts";
import type { Images } from "./images.ts";
import type { RootImage } from "./root-image.ts";

/** What a VM begins with. */
export interface VmImage {
  /** Of any but the host's. */
  readonly root?: RootImage;
  readonly environment: VmHandle["environment"];
  /** PREPARE's payload. */
  readonly encoded: Uint8Array;
}

export interface VmImagesOptions {
  readonly images: Images;
  readonly nodePath?: string | undefined;
  readonly agentsDirectory?: string | undefined;
  readonly vmd: () => Promise<string>;
}

/** The host's image, which is looked at once, and the root filesystems that requests name. */
export class VmImages {
  readonly #options: VmImagesOptions;
  #host: Promise<VmImage> | undefined;

  constructor(options: VmImagesOptions) {
    this.#options = options;
  }

  async of({ image, imageRecord }: VmRequest): Promise<VmImage> {
    if (imageRecord === undefined) return await this.host();
    const root = await this.#options.images.open(image, imageRecord);
    const writeTo = (fields: FieldWriter): void => {
      for (const { source, target } of root.links) fields.pair(FIELD.link, source, target);
    };
    return { root, environment: root.environment, encoded: encodeImage({ writeTo }) };
  }

  async host(): Promise<VmImage> {
    this.#host ??= this.#readHost();
    return await this.#host;
  }

  async #readHost(): Promise<VmImage> {
    const { nodePath = process.execPath, agentsDirectory, vmd } = this.#options;
    const image = await readHostImage({ nodePath, vmdPath: await vmd(), agentsDirectory });
    return { environment: image.environment, encoded: encodeImage(image) };
  }
}
