// The openai package for Node.
import OpenAI from "openai";

import { serve } from "./jobs.mjs";

const client = (job) => new OpenAI({ baseURL: job.url, apiKey: job.key });
const counted = (usage) => (usage ? [usage.prompt_tokens, usage.completion_tokens] : null);

const ask = async (job, deltas) => {
  const asked = { model: job.model, messages: job.messages, stop: job.stop };
  if (!job.stream) {
    const made = await client(job).chat.completions.create(asked);
    const choice = made.choices[0];
    return { text: choice.message.content, finish: choice.finish_reason, usage: counted(made.usage) };
  }
  const streamed = { ...asked, stream: true, stream_options: { include_usage: true } };
  let finish = null;
  let usage = null;
  // Leaving the loop hangs up.
  for await (const chunk of await client(job).chat.completions.create(streamed)) {
    usage = chunk.usage ?? usage;
    for (const choice of chunk.choices) {
      if (choice.delta.content) deltas.push(choice.delta.content);
      finish = choice.finish_reason ?? finish;
    }
    if (deltas.length === job.leave) return { left: true };
  }
  return { text: deltas.join(""), finish, usage: counted(usage) };
};

const respond = async (job, deltas) => {
  const asked = { model: job.model, input: job.items ?? job.question, previous_response_id: job.previous };
  const responses = client(job).responses;
  if (!job.stream) {
    const made = await responses.create(asked);
    return { id: made.id, text: made.output_text, status: made.status, item: made.output[0].id };
  }
  if (job.events) {
    // The events themselves, as most programs read them, that take what they know.
    const events = await responses.create({ ...asked, stream: true });
    for await (const event of events) if (event.type === "response.output_text.delta") deltas.push(event.delta);
    return { text: deltas.join("") };
  }
  const events = responses.stream(asked);
  for await (const event of events) if (event.type === "response.output_text.delta") deltas.push(event.delta);
  const made = await events.finalResponse();
  const text = made.output.flatMap((item) => item.content.map((part) => part.text)).join("");
  return { id: made.id, text, status: made.status };
};

const image = async (job) => {
  const made = await client(job).images.generate({ prompt: job.prompt });
  return { urls: made.data.map((one) => one.url) };
};

const models = async (job) => {
  const listed = [];
  for await (const one of client(job).models.list()) listed.push(one.id);
  return { models: listed, one: (await client(job).models.retrieve(listed[0])).id };
};

await serve({ ask, respond, image, models });
