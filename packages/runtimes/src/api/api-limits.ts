/** Where a model that gives nothing of use is stopped. 0: nowhere. */
export interface ApiLimits {
  /** Steps in a row with arguments that are no JSON, with tools that don't exist, or that the provider calls an error. */
  readonly badSteps: number;
  /** Steps in a row without a word and without a tool. */
  readonly emptySteps: number;
}
