// A schema of the wire as JSON Schema. Imports nothing of Node: the attack tests run inside workerd.
import * as z from "zod/mini";
import { shapeOf } from "../../src/http/given.ts";

export function toJsonSchema(schema: z.ZodMiniType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    // Fields that accept anything rather than fail a call are described by what they are for.
    override: ({ zodSchema, jsonSchema }) => {
      const shape = shapeOf(zodSchema);
      if (shape !== undefined) Object.assign(jsonSchema, toJsonSchema(shape, io));
    },
  });
  return rest;
}
