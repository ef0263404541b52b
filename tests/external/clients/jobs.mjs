// The same as jobs.py, for Node.
import { createInterface } from "node:readline";

// A doing gets the job, and adds deltas to a list as they come.
export const serve = async (doings) => {
  for await (const line of createInterface({ input: process.stdin })) {
    const job = JSON.parse(line);
    const deltas = [];
    const outcome = await doings[job.do](job, deltas).catch((error) => ({
      error: error.constructor.name === "Error" ? error.name : error.constructor.name,
      status: error.status ?? error.statusCode ?? error.lastError?.statusCode ?? null,
      message: error.message,
    }));
    console.log(JSON.stringify({ ...outcome, deltas }));
  }
};
