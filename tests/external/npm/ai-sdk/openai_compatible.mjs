// The AI SDK's provider for servers that are compatible with OpenAI's.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";

import { serveModel } from "./program.mjs";

const provider = (job) =>
  createOpenAICompatible({ name: "gateway", baseURL: job.url, apiKey: job.key, supportsStructuredOutputs: true });
await serveModel((job) => provider(job)(job.model));
