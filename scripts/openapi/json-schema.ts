// A schema of the wire as JSON Schema. Imports nothing of Node: the attack tests run inside workerd.
import * as z from "zod/mini";
import { shapeOf } from "../../src/http/given.ts";
import { authTokensFlushed, providersError, providersWord } from "../../src/http/schemas.ts";

/** What schemas take that decide by code of their own. */
const SHAPES = new Map<object, z.ZodMiniType>([
  [authTokensFlushed, z._default(z.nullable(z.boolean()), false)],
  [providersError, z.union([providersWord, z.looseObject({})])],
]);

export function toJsonSchema(schema: z.ZodMiniType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      for (const { _zod } of zodSchema._zod.def.checks ?? []) {
        if ("params" in _zod.def) Object.assign(jsonSchema, _zod.def.params);
      }
      if (jsonSchema.type === "integer") {
        const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = jsonSchema;
        Object.assign(jsonSchema, { minimum, maximum });
      }
      // Fields that accept anything rather than fail a call are described by what they are for.
      const shape = shapeOf(zodSchema) ?? SHAPES.get(zodSchema);
      if (shape === undefined) return;
      for (const keyword of Object.keys(jsonSchema)) delete jsonSchema[keyword];
      Object.assign(jsonSchema, toJsonSchema(shape, io));
    },
  });
  return rest;
}
