// Vercel's AI SDK at work: a stream, tools in several steps, answers of a schema, a picture.
import { generateObject, generateText, isStepCount, Output, streamText, tool } from "ai";
import { z } from "zod";

import { serve } from "../../clients/jobs.mjs";
import { DESCRIPTIONS, Toolbox } from "../../clients/toolbox.mjs";

const Person = z.object({ name: z.string(), age: z.number().int() });

const streamed = async (asked, deltas) => {
  const made = streamText({ ...asked, onError: () => {} });
  for await (const part of made.fullStream) {
    if (part.type === "error") throw part.error;
    if (part.type === "text-delta") deltas.push(part.text);
  }
  return made.text;
};

// `modelOf` makes the model of a job.
export const serveModel = async (modelOf) => {
  const asked = (job) => ({ model: modelOf(job), prompt: job.question });

  const withTools = (job, toolbox) => {
    const offered = (name, input) =>
      tool({
        description: DESCRIPTIONS[name],
        inputSchema: z.object(input),
        execute: (given) => toolbox.run(name, given),
      });
    const tools = { weather: offered("weather", { city: z.string() }), time: offered("time", { zone: z.string() }) };
    return { ...asked(job), tools, stopWhen: isStepCount(5) };
  };

  const picture = async (job) => {
    const content = [
      { type: "text", text: job.question },
      { type: "file", mediaType: "image", data: job.picture },
    ];
    return { text: (await generateText({ model: modelOf(job), messages: [{ role: "user", content }] })).text };
  };

  await serve({
    chat: async (job, deltas) => ({ text: await streamed(asked(job), deltas) }),
    tools: async (job) => {
      const toolbox = new Toolbox(job.results);
      return { text: (await generateText(withTools(job, toolbox))).text, calls: toolbox.calls };
    },
    "streamed-tools": async (job, deltas) => {
      const toolbox = new Toolbox(job.results);
      return { text: await streamed(withTools(job, toolbox), deltas), calls: toolbox.calls };
    },
    schema: async (job) => ({ value: (await generateObject({ ...asked(job), schema: Person })).object }),
    "output-schema": async (job) => {
      const made = await generateText({ ...asked(job), output: Output.object({ schema: Person }) });
      return { value: made.output };
    },
    picture,
  });
};
