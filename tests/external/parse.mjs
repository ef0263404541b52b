// What AsyncAPI's own parser has to say of a document, as JSON: node parse.mjs FILE
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
console.log(JSON.stringify({ understood: document !== undefined, diagnostics }));
