// Vercel's AI SDK.
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateImage, generateText, streamText } from "ai";

import { serve } from "./jobs.mjs";

const provider = (job) =>
  createOpenAICompatible({ name: "bing", baseURL: job.url, apiKey: job.key, includeUsage: true });
// As OpenAI's own: the responses or the completions.
const openai = (job) => createOpenAI({ baseURL: job.url, apiKey: job.key })[job.dialect](job.model);
const told = (error) => Object.assign(new Error(error.message), { name: "error part" });
const counted = (usage) => [usage.inputTokens, usage.outputTokens];

const ask = async (job, deltas) => {
  const hangUp = new AbortController();
  const asked = {
    model: job.dialect ? openai(job) : provider(job)(job.model),
    messages: job.messages,
    stopSequences: job.stop,
    abortSignal: hangUp.signal,
    headers: job.once ? { "Idempotency-Key": job.once } : {},
  };
  if (!job.stream) {
    const made = await generateText(asked);
    return { text: made.text, finish: made.finishReason, usage: counted(made.usage) };
  }
  const made = streamText({ ...asked, onError: () => {} });
  // It doesn't throw what goes wrong, but tells it as a part.
  for await (const part of made.fullStream) {
    if (part.type === "error") throw part.error instanceof Error ? part.error : told(part.error);
    if (part.type === "text-delta") deltas.push(part.text);
    if (deltas.length === job.leave) {
      hangUp.abort();
      return { left: true };
    }
  }
  return { text: await made.text, finish: await made.finishReason, usage: counted(await made.usage) };
};

const image = async (job) => {
  const made = await generateImage({ model: provider(job).imageModel("pictures"), prompt: job.prompt });
  return { pictures: made.images.length };
};

await serve({ ask, image });
