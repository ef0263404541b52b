// The tools of tools.py, for Node. results: what each returns.
export class Toolbox {
  constructor(results) {
    this.calls = [];
    this.results = results;
  }

  run(name, given) {
    this.calls.push([name, given]);
    return this.results[name];
  }
}

export const DESCRIPTIONS = {
  weather: "Return the weather of a city.",
  time: "Return the time of day in a zone.",
};
