// Lines of JSON to the test on stdout, lines of its answers on stdin.
import { createInterface } from "node:readline";

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

const line = (value) =>
  process.stdout.write(
    JSON.stringify(value, (_, v) => (typeof v === "bigint" ? v.toString() : v)) + "\n",
  );

/** Tells the test what a step found. */
export const report = (step, found) => line({ step, found });

/** Asks the test for something that only it can do, and waits until it is done. */
export async function ask(request, about) {
  line({ ask: request, about });
  const { value, done } = await answers.next();
  if (done || value !== "done") throw new Error(`${request}: ${done ? "the test is gone" : value}`);
}

/** Ends reading, so that the process can end. */
export const hangUp = () => process.stdin.destroy();

/** Fails unless a condition holds: what the SDK shows has to make sense by itself. */
export function check(holds, what) {
  if (!holds) throw new Error(`expected ${what}`);
}
