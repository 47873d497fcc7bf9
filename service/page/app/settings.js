// A setting of the dials: a kind of budget, its value, and a preference per task.

import { BUDGETS } from "./format.js";

/** Steps of a budget's dial. Few enough that settings are met again, and found in the cache. */
export const STEPS = 40;

/** The kinds of budget that this page and the model have in common. */
export const kindsOf = (model) => Object.keys(BUDGETS).filter((kind) => model.budgets[kind]);

/** The budget at a step: exact at both ends, so that both are feasible. */
export function budgetAt(model, kind, step) {
  const { min, max } = model.budgets[kind];
  if (step <= 0) return min;
  if (step >= STEPS) return max;
  return Number((min + ((max - min) * step) / STEPS).toPrecision(4));
}

/** The nearest step of a budget. */
export function stepOf(model, kind, budget) {
  const { min, max } = model.budgets[kind];
  const step = Math.round(((budget - min) / (max - min || 1)) * STEPS);
  return Math.min(Math.max(step, 0), STEPS);
}

/** The setting that a visitor finds: half way, and all tasks alike. */
export const firstSetting = (model) => ({
  kind: "gmacs",
  budget: budgetAt(model, "gmacs", STEPS / 2),
  preference: Object.fromEntries(model.tasks.map((t) => [t.name, 0.5])),
});

/** What POST /subnet takes. */
export const dialOf = (model, setting) => ({
  model: model.name,
  budget: { [setting.kind]: setting.budget },
  preference: Object.fromEntries(Object.entries(setting.preference).filter(([, v]) => v > 0)),
});

/** The task that counts most; the first of equals. */
export const favourite = (model, setting) =>
  model.tasks.reduce((best, { name }) =>
    setting.preference[name] > setting.preference[best.name] ? { name } : best,
  ).name;
