// openai-agents for JavaScript with the Responses API, its default: an agent with tools, an `outputType`, a picture.
import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool } from "@openai/agents";
import { z } from "zod";

import { serve } from "../../clients/jobs.mjs";
import { DESCRIPTIONS, Toolbox } from "../../clients/toolbox.mjs";

setTracingDisabled(true);
const Person = z.object({ name: z.string(), age: z.number().int() });
const runner = (job) => new Runner({ modelProvider: new OpenAIProvider({ baseURL: job.url, apiKey: job.key }) });
const agent = (job, more) => new Agent({ name: "Assistant", model: job.model, ...more });

const read = async (job, asked, deltas) => {
  const run = await runner(job).run(asked, job.question, { stream: true });
  for await (const delta of run.toTextStream()) deltas.push(delta);
  await run.completed;
  return run.finalOutput;
};

const working = (job, toolbox) => {
  const offered = (name, parameters) =>
    tool({
      name,
      description: DESCRIPTIONS[name],
      parameters: z.object(parameters),
      execute: (given) => toolbox.run(name, given),
    });
  return agent(job, { tools: [offered("weather", { city: z.string() }), offered("time", { zone: z.string() })] });
};

const tools = async (job) => {
  const toolbox = new Toolbox(job.results);
  const run = await runner(job).run(working(job, toolbox), job.question);
  return { text: run.finalOutput, calls: toolbox.calls };
};

const streamedTools = async (job, deltas) => {
  const toolbox = new Toolbox(job.results);
  return { text: await read(job, working(job, toolbox), deltas), calls: toolbox.calls };
};

const schema = async (job) => {
  const run = await runner(job).run(agent(job, { outputType: Person }), job.question);
  return { value: run.finalOutput };
};

const picture = async (job) => {
  const content = [
    { type: "input_text", text: job.question },
    { type: "input_image", image: job.picture },
  ];
  const run = await runner(job).run(agent(job), [{ role: "user", content }]);
  return { text: run.finalOutput };
};

await serve({
  chat: async (job, deltas) => ({ text: await read(job, agent(job), deltas) }),
  tools,
  "streamed-tools": streamedTools,
  schema,
  picture,
});
