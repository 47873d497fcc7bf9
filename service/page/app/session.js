// What the page shows, and what happens to it. Views read `state`; they change it by the methods.

import * as api from "./api.js";
import { readOutputs } from "./outputs.js";
import { openPicture } from "./picture.js";
import { STEPS, budgetAt, dialOf, firstSetting, stepOf } from "./settings.js";

const PAUSE_MS = 80;
const LATENCY_RUNS = 10;
const CURVE_POINTS = 11;
const COME_BACK_MS = 1000;

const nothing = () => ({
  stage: "idle",
  since: 0,
  subnet: null,
  outputs: null,
  measured: {},
  problem: null,
});

/** The page's state and the only ways to change it; `changed` is called after each. */
export function createSession(changed) {
  const state = {
    models: [],
    wanted: null,
    model: null,
    examples: [],
    picture: null,
    truth: {},
    settings: [],
    runs: [],
    active: 0,
    latencies: {},
    curves: {},
    curveTask: null,
    chartWidth: 560,
    usualBuildMs: 2000,
    problem: null,
    keyAsked: null,
    said: "",
  };
  const waiting = [null, null];
  const controllers = [null, null];
  let comingBack = null;
  let opening = null;

  const set = (patch) => {
    Object.assign(state, patch);
    changed();
  };
  const setRun = (i, patch) => set({ runs: state.runs.with(i, { ...state.runs[i], ...patch }) });

  /** What every problem leads to, wherever else it is shown. */
  function failed(problem) {
    if (!(problem instanceof api.Problem)) throw problem;
    if (problem.status === 401 || problem.status === 403) {
      set({ keyAsked: { refused: api.key.get() !== null, words: problem.message } });
    }
    if (problem.status === 0 && comingBack === null) comingBack = setTimeout(comeBack, COME_BACK_MS);
  }

  /** While the service is away it is asked again and again whether it is there. */
  async function comeBack() {
    comingBack = null;
    try {
      await api.get("livez");
    } catch (problem) {
      if (problem.status === 0) return failed(problem);
    }
    return retry();
  }

  function retry() {
    if (!state.problem) return refreshAll();
    return state.wanted ? selectModel(state.wanted) : start();
  }

  async function start() {
    set({ problem: null });
    try {
      const { models } = await api.get("models");
      set({ models });
      const asked = new URLSearchParams(location.search).get("model");
      // One that shows something worth seeing at once; else the service's default.
      const first =
        models.find((m) => m.name === asked) ??
        models.find((m) => m.examples) ??
        models.find((m) => m.default);
      if (!first) throw new api.Problem(404, { detail: "This service has no models." });
      await selectModel(first.name);
    } catch (problem) {
      set({ problem });
      failed(problem);
    }
  }

  async function selectModel(name) {
    set({ wanted: name });
    const path = `models/${encodeURIComponent(name)}`;
    try {
      const [model, listed] = await Promise.all([api.get(path), api.get(`${path}/examples`)]);
      const examples = await Promise.all(listed.examples.map(withThumbnail(path)));
      if (state.wanted !== name) return forget(examples);
      state.settings.forEach((_, i) => leave(i));
      forget(state.examples);
      const kept = state.picture?.example === null ? state.picture : null;
      set({
        model,
        examples,
        picture: kept,
        truth: {},
        settings: [firstSetting(model)],
        runs: [nothing()],
        active: 0,
        curves: {},
        curveTask: null,
        problem: null,
      });
      history.replaceState(null, "", `?model=${encodeURIComponent(name)}`);
      if (kept || !examples.length) refreshAll();
      else showExample(examples[0].name);
    } catch (problem) {
      if (state.wanted !== name) return;
      set({ problem });
      failed(problem);
    }
  }

  const forget = (examples) => examples.forEach(({ url }) => URL.revokeObjectURL(url));

  const withThumbnail = (path) => async (example, i) => {
    const picture = await api.blob(`${path}/examples/${encodeURIComponent(example.name)}/picture`);
    return { ...example, number: i + 1, url: URL.createObjectURL(picture) };
  };

  function chooseExample(name) {
    opening = null;
    showExample(name);
  }

  function showExample(name) {
    const example = state.examples.find((e) => e.name === name);
    const note = example.truth.length ? "a test picture with ground truth" : "without ground truth";
    const label = `${example.source === "test" ? "Example" : "Synthetic"} ${example.number}`;
    show({ example: name, url: example.url, label, note });
    if (example.truth.length) showTruth(state.picture);
  }

  async function showTruth(picture) {
    const [model, example] = [state.model.name, picture.example].map(encodeURIComponent);
    try {
      const truth = await readOutputs((await api.get(`models/${model}/examples/${example}`)).truth);
      if (state.picture === picture) set({ truth });
    } catch (problem) {
      failed(problem);
    }
  }

  async function openFile(file) {
    opening = file;
    const picture = await openPicture(file);
    if (opening === file) show(picture);
    else URL.revokeObjectURL(picture.url);
  }

  /** Another picture: nothing that was said of the last one is said of it. */
  function show(picture) {
    if (state.picture?.example === null) URL.revokeObjectURL(state.picture.url);
    const runs = state.runs.map((run) => ({ ...run, outputs: null, measured: {} }));
    set({ picture, truth: {}, runs });
    refreshAll();
  }

  function refreshAll() {
    state.settings.forEach((_, i) => refresh(i, 0));
  }

  /** Asks for the sub-network of a setting and what it says, once the dial has come to rest. */
  function refresh(i, pause = PAUSE_MS) {
    leave(i);
    waiting[i] = setTimeout(() => run(i), pause);
    setRun(i, { stage: "dialling", since: performance.now() });
    // Screen readers say what is new: the same words again are not.
    set({ said: "" });
  }

  /** Lets go of what a setting waits for, whose answer nobody wants any more. */
  function leave(i) {
    clearTimeout(waiting[i]);
    controllers[i]?.abort();
  }

  async function run(i) {
    const controller = new AbortController();
    controllers[i] = controller;
    const { signal } = controller;
    const { model, picture } = state;
    const setting = state.settings[i];
    setRun(i, { problem: null });
    try {
      const subnet = await api.post("subnet", dialOf(model, setting), signal);
      if (subnet.cache === "miss") state.usualBuildMs = performance.now() - state.runs[i].since;
      setRun(i, { subnet, stage: picture ? "predicting" : "ready" });
      if (picture) {
        const answer = await predict(subnet.subnet_id, picture, signal);
        const outputs = await readOutputs(answer.outputs);
        signal.throwIfAborted();
        setRun(i, { outputs, measured: answer.measured ?? {}, stage: "ready" });
      }
      set({ said: `${name(i)}sub-network of ${subnet.gmacs.toPrecision(3)} GMACs is shown` });
      await Promise.all([measure(subnet.subnet_id, signal), trace(model, setting, signal)]);
    } catch (problem) {
      if (signal.aborted) return;
      setRun(i, { stage: "idle", problem });
      failed(problem);
    }
  }

  const name = (i) => (state.settings.length > 1 ? `Setting ${"AB"[i]}: ` : "");

  const predict = (subnetId, picture, signal) =>
    picture.example === null
      ? api.postPicture(`predict?subnet_id=${subnetId}`, picture.blob, signal)
      : api.post("predict", { subnet_id: subnetId, example: picture.example }, signal);

  async function measure(subnetId, signal) {
    if (state.latencies[subnetId]) return;
    const latency = await api.post(`subnet/${subnetId}/latency`, { runs: LATENCY_RUNS }, signal);
    set({ latencies: { ...state.latencies, [subnetId]: latency } });
  }

  async function trace(model, setting, signal) {
    const key = curveKey(setting);
    if (state.curves[key]) return;
    const { preference } = dialOf(model, setting);
    const ask = { model: model.name, preference, kind: setting.kind, points: CURVE_POINTS };
    const { points } = await api.post("curve", ask, signal);
    set({ curves: { ...state.curves, [key]: points } });
  }

  function dialled(patch, i = state.active) {
    set({ settings: state.settings.with(i, { ...state.settings[i], ...patch }) });
    refresh(i);
  }

  return {
    state,
    start,
    retry,
    selectModel,
    chooseExample,
    openFile,
    setBudget: (budget, i) => dialled({ budget }, i),
    /** A step of the dial, in the kind that the budget is said in by now, drawn or not. */
    setStep(step) {
      const { kind } = state.settings[state.active];
      dialled({ budget: budgetAt(state.model, kind, step) });
    },
    /** Every setting is said in the same kind, so that they can be compared. */
    setKind(kind) {
      const { model } = state;
      const said = (setting) => {
        const step = stepOf(model, setting.kind, setting.budget);
        return { ...setting, kind, budget: budgetAt(model, kind, step) };
      };
      set({ settings: state.settings.map(said) });
      refreshAll();
    },
    setPreferences: (preference) =>
      dialled({ preference: { ...state.settings[state.active].preference, ...preference } }),
    select: (active) => set({ active }),
    setCurveTask: (curveTask) => set({ curveTask }),
    /** A second setting beside the first: at first the same preference at the least budget. */
    compare(on) {
      if (!on) {
        leave(1);
        set({ settings: [state.settings[0]], runs: [state.runs[0]], active: 0 });
        return;
      }
      const [first] = state.settings;
      const second = { ...first, budget: budgetAt(state.model, first.kind, 0) };
      set({ settings: [first, second], runs: [state.runs[0], nothing()], active: 1 });
      refresh(1, 0);
    },
    useKey(key) {
      if (!api.key.fits(key)) {
        const words = "Keys are of letters, digits and signs of ASCII, without spaces.";
        return set({ keyAsked: { refused: true, words } });
      }
      api.key.set(key);
      set({ keyAsked: null });
      retry();
    },
    closeKey: () => set({ keyAsked: null }),
    async download(i) {
      const { subnet } = state.runs[i];
      const link = document.createElement("a");
      try {
        link.href = URL.createObjectURL(await api.blob(`subnet/${subnet.subnet_id}/onnx`));
      } catch (problem) {
        setRun(i, { problem });
        return failed(problem);
      }
      link.download = `${subnet.model}-${subnet.version}-${subnet.subnet_id}.onnx`;
      link.click();
      URL.revokeObjectURL(link.href);
    },
    fitChart: (width) => width !== state.chartWidth && set({ chartWidth: width }),
    say: (said) => set({ said }),
  };
}

/** Curves differ by kind of budget and preference, not by budget. */
export const curveKey = ({ kind, preference }) => JSON.stringify([kind, preference]);
