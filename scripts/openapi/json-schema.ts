// A schema of the wire as JSON Schema. Imports nothing of Node: the attack tests run inside workerd.
import * as z from "zod/mini";
import { shapeOf } from "../../src/http/given.ts";
import { providersError, providersWord } from "../../src/http/schemas.ts";

/** What schemas take that decide by code of their own. */
const SHAPES = new Map<object, z.ZodMiniType>([[providersError, z.union([providersWord, z.looseObject({})])]]);

export function toJsonSchema(schema: z.ZodMiniType, io: "input" | "output"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      if (isWhole(zodSchema)) {
        const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = jsonSchema;
        Object.assign(jsonSchema, { type: "integer", minimum, maximum });
      }
      // Fields that accept anything rather than fail a call are described by what they are for.
      const shape = shapeOf(zodSchema) ?? SHAPES.get(zodSchema);
      if (shape !== undefined) Object.assign(jsonSchema, toJsonSchema(shape, io));
    },
  });
  return rest;
}

/** Whether it is a schema of {@link whole}. */
function isWhole({ _zod: { def } }: z.core.$ZodType): boolean {
  return def.checks?.some((check) => "fn" in check._zod.def && check._zod.def.fn === Number.isSafeInteger) === true;
}
