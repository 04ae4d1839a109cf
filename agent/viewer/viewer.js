"use strict";
// One page for everything. The address after # says what is shown:
//
//   #?show=wrong&kind=which&text=copy&sort=steps   the list, filtered and sorted
//   #QUESTION/POLICY/PLACE                         an episode; PLACE is a step (3), `answer` or a reference (ref-2)
//   #QUESTION/POLICY/PLACE/POLICY/PLACE            two side by side
//
// Texts of pages, questions, policies and answers reach the document as text nodes alone: nothing here parses HTML, and the
// page's own security policy would refuse it.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const main = document.getElementById("main");
  const card = document.getElementById("card");
  const help = document.getElementById("help");

  // ---- Data: scripts that call viewer.add -------------------------------------------------------------------------

  const loads = new Map();
  const arrivals = new Map();
  const scripts = { createScriptURL: scriptUrl };
  const trusted = window.trustedTypes ? window.trustedTypes.createPolicy("viewer", scripts) : scripts;

  window.viewer = Object.freeze({ add: (name, value) => arrivals.get(name)?.(value) });

  function scriptUrl(url) {
    if (!/^(overview|(episodes|pages)\/[0-9A-Za-z-]+)\.js$/.test(url)) throw new TypeError(`${url} is not a data file of these pages`);
    return url;
  }

  function load(name) {
    if (!loads.has(name)) {
      loads.set(name, new Promise((resolve, reject) => {
        const script = document.createElement("script");
        arrivals.set(name, resolve);
        script.src = trusted.createScriptURL(`${name}.js`);
        script.onload = () => script.remove();
        script.onerror = () => {
          loads.delete(name);
          reject(new Error(`${name}.js is not in this folder or cannot be read.`));
        };
        document.head.append(script);
      }));
    }
    return loads.get(name);
  }

  const episodeFile = (number, policy) => `episodes/${String(number).padStart(6, "0")}-${overview.policies.indexOf(policy)}`;

  // ---- Elements ---------------------------------------------------------------------------------------------------

  function el(tag, attributes = {}, ...children) {
    return fill(document.createElement(tag), attributes, children);
  }

  function svg(tag, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, tag), attributes, children);
  }

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "function") element.addEventListener(name, value);
      else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  }

  /** A link to a web page; text where the address is none that should be followed. */
  function outward(text, url) {
    let scheme = "";
    try {
      scheme = new URL(url).protocol;
    } catch { /* no address at all */ }
    if (!["http:", "https:", "file:"].includes(scheme)) return el("span", {}, text);
    return el("a", { href: url, rel: "noreferrer noopener", target: "_blank" }, text);
  }

  /** Text with stretches marked; stretches may overlap. Each is {start, end, kind} and perhaps an id. */
  function decorated(text, stretches) {
    const ends = new Set([0, text.length]);
    for (const { start, end } of stretches) ends.add(start).add(end);
    const cuts = [...ends].sort((a, b) => a - b);
    const opening = stretches.filter(({ start, end }) => start < end).sort((a, b) => a.start - b.start);
    let open = [];
    return cuts.slice(1).map((end, index) => {
      const start = cuts[index];
      while (opening.length && opening[0].start <= start) open.push(opening.shift());
      open = open.filter((stretch) => stretch.end > start);
      const piece = text.slice(start, end);
      if (!open.length) return piece;
      const kinds = [...new Set(open.map(({ kind }) => kind))];
      return el(kinds.some((kind) => kind.startsWith("quoted")) ? "mark" : "span", { class: kinds.join(" ") }, piece);
    });
  }

  const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const words = (name) => name.replaceAll("_", " ");
  const clip = (number, low, high) => Math.min(high, Math.max(low, number));

  const digits = (number) => number.toLocaleString("en", { maximumSignificantDigits: 3 });

  /** A duration; nothing where it is not known or not worth a word. */
  function seconds(number) {
    if (number === null || number < 0.001) return "";
    return number < 1 ? `${digits(number * 1000)} ms` : `${digits(number)} s`;
  }

  const VERDICTS = {
    correct: { glyph: "✓", rank: 0 },
    answered: { glyph: "●", rank: 1 },
    "no answer": { glyph: "○", rank: 2 },
    wrong: { glyph: "✗", rank: 3 },
    failed: { glyph: "!", rank: 4 },
  };
  const ENDINGS = {
    answer: "ended with an answer",
    nonsense: "ended as nonsense",
    controversial: "ended as controversial",
    max_actions: "reached the action limit",
    max_references: "reached the reference limit",
  };

  function badges(row) {
    const flags = [
      row.flags.includes("unsupported") && ["unsupported", "no sentence cites a reference"],
      row.flags.includes("budget") && ["ended by budget", ENDINGS[row.ending]],
    ].filter(Boolean);
    return [
      el("span", { class: `verdict ${row.verdict.replace(" ", "-")}` },
        el("span", { "aria-hidden": "true" }, VERDICTS[row.verdict].glyph), ` ${row.verdict}`),
      flags.map(([text, title]) => el("span", { class: "flag", title }, text)),
    ];
  }

  // ---- Addresses --------------------------------------------------------------------------------------------------

  function episodeHash(question, panes) {
    const parts = [question, ...panes.flatMap(({ policy, place }) => [policy, String(place)])];
    return `#${parts.map(encodeURIComponent).join("/")}`;
  }

  function readHash() {
    const hash = location.hash.slice(1);
    if (!hash || hash.startsWith("?")) return { list: new URLSearchParams(hash.slice(1)) };
    let parts;
    try {
      parts = hash.split("/").map(decodeURIComponent);
    } catch {
      return { problem: "This link is not valid." };
    }
    const [question, ...rest] = parts;
    const panes = [];
    for (let index = 0; index < Math.min(rest.length, 4); index += 2) {
      panes.push({ policy: rest[index], place: rest[index + 1] || "1" });
    }
    return { question, panes };
  }

  // ---- The first page: figures and list ---------------------------------------------------------------------------

  let overview = null;
  let list = null; // the list page, which is kept while an episode is shown
  let rows = []; // the questions that pass the filter, in their order
  let listHash = "#";
  let page = null; // the episode page that is shown

  const SHOWS = {
    all: { label: "All", test: () => true },
    wrong: { label: "Wrong", test: has("wrong") },
    unsupported: { label: "Unsupported", test: has("unsupported") },
    budget: { label: "Ended by budget", test: has("budget") },
    "no-answer": { label: "No answer", test: has("no answer") },
    failed: { label: "Failed", test: has("failed") },
    differ: { label: "Policies differ", test: (episodes) => new Set(episodes.map(({ verdict }) => verdict)).size > 1 },
  };

  function has(flag) {
    return (episodes) => episodes.some((episode) => episode.flags.includes(flag));
  }

  /** A figure as people read it; a share in percent. */
  function shown(metric, number) {
    if (metric.unit === "seconds") return number < 1 ? `${digits(number * 1000)} ms` : `${digits(number)} s`;
    if (metric.unit !== "share") return digits(number);
    return `${(100 * number).toLocaleString("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 })} %`;
  }

  function interval(metric, { low, high }) {
    const [[from, unit], [to, other]] = [low, high].map((number) => shown(metric, number).split(" "));
    return `${unit === other ? from : `${from} ${unit}`} – ${[to, other].filter(Boolean).join(" ")}`;
  }

  function plot(metric) {
    const figures = metric.policies.filter(Boolean);
    const least = Math.min(0, ...figures.map(({ low }) => low));
    const most = metric.unit === "share" ? 1 : Math.max(...figures.map(({ high }) => high), Number.MIN_VALUE);
    const x = (number) => `${clip(100 * (number - least) / (most - least), 0, 100).toFixed(2)}%`;
    const numbers = [...new Set(figures.map(({ n }) => n))];
    return el("figure", { class: "plot" },
      el("figcaption", {}, metric.label.replace(/^correct \((.*)\)$/, "$1"), el("span", { class: "n" }, numbers.length === 1 ? `n = ${numbers[0]}` : "")),
      metric.policies.map((figure, index) => figure && [
        el("span", { class: "who" }, overview.policies[index]),
        svg("svg", {
          class: `bar policy-${index % 6}`, role: "img", height: 14,
          "aria-label": `${overview.policies[index]}: ${shown(metric, figure.mean)}, 95 % interval ${interval(metric, figure)}`,
        },
        svg("line", { class: "track", x1: "0%", x2: "100%", y1: 7, y2: 7 }),
        svg("rect", {
          x: x(Math.min(0, figure.mean)), y: 3, height: 8,
          width: `${(100 * Math.abs(figure.mean) / (most - least)).toFixed(2)}%`,
        }),
        svg("line", { class: "whisker", x1: x(figure.low), x2: x(figure.high), y1: 7, y2: 7 }),
        ["low", "high"].map((end) =>
          svg("line", { class: "whisker", x1: x(figure[end]), x2: x(figure[end]), y1: 3.5, y2: 10.5 }))),
        el("span", { class: "mean" }, shown(metric, figure.mean)),
        el("span", { class: "interval" }, interval(metric, figure), numbers.length > 1 && ` (n = ${figure.n})`),
      ]));
  }

  const GROUPS = { answers: "Answers and citations", kinds: "By kind of question", behavior: "Behaviour" };

  function plots(measured) {
    return Object.entries(GROUPS).map(([group, title]) => {
      const drawn = measured.filter((metric) => metric.group === group);
      return drawn.length > 0 && el("section", { class: "group", "aria-label": title },
        el("h2", {}, title), el("div", { class: "plots" }, drawn.map(plot)));
    });
  }

  function figuresTable(measured) {
    const cell = (metric, figure) => el("td", {}, figure
      ? [shown(metric, figure.mean), " ", el("span", { class: "interval" }, `[${interval(metric, figure)}]`)] : "–");
    const size = ({ policies }) => [...new Set(policies.filter(Boolean).map(({ n }) => n))].join(", ");
    return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "All figures" },
      el("table", { class: "figures" },
        el("caption", {}, "Means with 95 % bootstrap intervals over n questions; differences and preferences are of the same questions."),
        el("thead", {}, el("tr", {}, ["", "n", ...overview.policies, ...overview.pairs].map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, measured.map((metric) => el("tr", {}, el("th", { scope: "row" }, metric.label), el("td", {}, size(metric)),
          [...metric.policies, ...metric.pairs].map((figure) => cell(metric, figure)))))));
  }

  function facts(title, pairs) {
    return pairs.length > 0 && el("details", { class: "facts" }, el("summary", {}, title),
      el("dl", {}, pairs.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))));
  }

  function makeList() {
    const measured = overview.metrics.filter((metric) => metric.policies.some(Boolean));
    const kinds = [...new Set(overview.questions.map(({ kind }) => kind).filter(Boolean))].sort();
    const policies = overview.policies;
    const sorts = [
      ["", "original order"], ["text", "question"], ["kind", "kind"], ["verdict", "verdict, worst first"],
      ["steps", "steps, highest first"], ["seconds", "seconds, highest first"],
      ...overview.metrics.map(({ name, label }) => [`metric:${name}`, `${label}, lowest first`]),
    ];
    const options = (pairs) => pairs.map(([value, text]) => el("option", { value }, text));
    const text = el("input", {
      type: "search", id: "text", placeholder: "Question", autocomplete: "off", spellcheck: "false", "aria-label": "Text in the question",
    });
    const kind = el("select", { id: "kind" }, options([["", "any kind"], ...kinds.map((name) => [name, words(name)])]));
    const policy = el("select", { id: "policy" }, options([["", "any policy"], ...policies.map((name) => [name, name])]));
    const sort = el("select", { id: "sort" }, options(sorts));
    const shows = Object.entries(SHOWS)
      .filter(([name]) => name !== "differ" || policies.length > 1)
      .map(([name, { label }]) => {
        const radio = el("input", { type: "radio", name: "show", value: name, id: `show-${name}` });
        const number = el("span", { class: "n" });
        return { name, radio, number, label: el("label", { class: "chip" }, radio, el("span", {}, label, " ", number)) };
      });
    const form = el("form", { class: "filters", role: "search", "aria-label": "Filter the questions", submit: (event) => event.preventDefault() },
      el("fieldset", { class: "chips" }, el("legend", { class: "sr" }, "Show"), shows.map(({ label }) => label)),
      el("div", { class: "fields" },
        el("label", { class: "field grow" }, el("span", { class: "sr" }, "Text"), text),
        kinds.length > 0 && el("label", { class: "field" }, el("span", { class: "sr" }, "Kind"), kind),
        policies.length > 1 && el("label", { class: "field" }, el("span", { class: "sr" }, "Policy"), policy),
        el("label", { class: "field" }, el("span", {}, "Sort by "), sort)));
    const questions = el("h2", { tabindex: "-1" }, "Questions");
    const status = el("p", { class: "count", role: "status" });
    const body = el("tbody");
    const element = el("div", { class: "list" },
      el("h1", { tabindex: "-1" }, overview.title),
      el("p", { class: "lead" },
        el("button", { type: "button", class: "quiet", click: () => reach(questions) }, count(overview.questions.length, "question")),
        ` · ${policies.join(" · ")}`),
      plots(measured),
      overview.note && el("p", { class: "note" }, overview.note),
      measured.length > 0 && el("details", { class: "facts" }, el("summary", {}, "All figures as a table"), figuresTable(measured)),
      facts("Configuration", overview.facts),
      questions, form, status,
      el("table", { class: "questions" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col", class: "number" }, "#"), el("th", { scope: "col" }, "Question"),
          kinds.length > 0 && el("th", { scope: "col", class: "kind" }, "Kind"),
          policies.map((name) => el("th", { scope: "col", class: "outcome" }, name)))),
        body));

    const trs = overview.questions.map((question, index) => row(question, index, kinds.length > 0));
    const change = () => {
      const state = new URLSearchParams();
      const show = shows.find(({ radio }) => radio.checked)?.name ?? "all";
      for (const [name, value] of Object.entries({
        show: show === "all" ? "" : show, text: text.value, kind: kind.value, policy: policy.value, sort: sort.value,
      })) if (value) state.set(name, value);
      location.replace(`#${state.size ? `?${state}` : ""}`);
    };
    form.addEventListener("input", change);

    function update(state) {
      const show = SHOWS[state.get("show")] ? state.get("show") : "all";
      for (const { name, radio } of shows) radio.checked = name === show;
      if (text.value !== (state.get("text") ?? "")) text.value = state.get("text") ?? "";
      for (const select of [kind, policy, sort]) {
        select.value = state.get(select.id) ?? "";
        if (select.selectedIndex < 0) select.selectedIndex = 0;
      }
      const wanted = text.value.trim().toLowerCase().split(/\s+/);
      const only = policies.indexOf(policy.value);
      const episodesOf = (question) => (only < 0 ? question.episodes : [question.episodes[only]]).filter(Boolean);
      const within = overview.questions.map((question, index) => ({ question, index, episodes: episodesOf(question) }))
        .filter(({ question }) => (!kind.value || question.kind === kind.value)
          && wanted.every((word) => question.text.toLowerCase().includes(word) || question.id.toLowerCase() === word));
      for (const { name, number } of shows) {
        const found = within.filter(({ question, episodes }) => SHOWS[name].test(name === "differ" ? question.episodes.filter(Boolean) : episodes)).length;
        number.textContent = found.toLocaleString("en");
        number.closest(".chip").classList.toggle("dim", found === 0);
      }
      const matching = within.filter(({ question, episodes }) => SHOWS[show].test(show === "differ" ? question.episodes.filter(Boolean) : episodes));
      arrange(matching, sort.value);
      rows = matching.map(({ question }) => question);
      listHash = location.hash || "#";
      body.replaceChildren(...matching.map(({ index }) => trs[index].element));
      for (const { index } of matching) trs[index].note(sort.value);
      status.textContent = matching.length === overview.questions.length
        ? "" : `${matching.length.toLocaleString("en")} of ${count(overview.questions.length, "question")}`;
      if (!matching.length) body.append(el("tr", {}, el("td", { class: "empty", colspan: 3 + policies.length }, "No question matches these filters.")));
    }

    return { element, update, focusFilter: () => { text.focus(); text.select(); } };
  }

  const metricIndex = (sort) => overview.metrics.findIndex(({ name }) => sort === `metric:${name}`);

  function arrange(matching, sort) {
    const metric = metricIndex(sort);
    const most = (value) => ({ episodes }) => -Math.max(...episodes.map(value), -1);
    const keys = {
      text: ({ question }) => question.text.toLowerCase(),
      kind: ({ question }) => question.kind ?? "\uffff",
      verdict: most(({ verdict }) => VERDICTS[verdict].rank),
      steps: most(({ steps }) => steps),
      seconds: most((episode) => episode.seconds),
    };
    const least = ({ episodes }) => Math.min(...episodes.map(({ numbers }) => numbers[metric] ?? Infinity), Infinity);
    const key = metric < 0 ? keys[sort] : least;
    if (!key) return;
    const keyed = new Map(matching.map((item) => [item, key(item)]));
    matching.sort((a, b) => (keyed.get(a) < keyed.get(b) ? -1 : keyed.get(a) > keyed.get(b) ? 1 : a.index - b.index));
  }

  function row(question, index, hasKinds) {
    const first = question.episodes.findIndex(Boolean);
    const places = (...policies) => episodeHash(question.id, policies.map((policy) => ({ policy: overview.policies[policy], place: 1 })));
    const notes = [];
    const element = el("tr", {},
      el("td", { class: "number" }, String(index + 1)),
      el("th", { scope: "row", class: "question" }, first < 0
        ? el("span", { class: "dim" }, question.text)
        : el("a", { href: places(first), "data-question": true }, question.text)),
      hasKinds && el("td", { class: "kind" }, words(question.kind ?? "")),
      question.episodes.map((episode, policy) => {
        if (!episode) return el("td", { class: "outcome dim" }, "–");
        const note = el("span", { class: "n" });
        notes.push([episode, note]);
        return el("td", { class: "outcome" }, el("a", {
          href: places(policy), class: `verdict ${episode.verdict.replace(" ", "-")}`,
          title: [episode.verdict, ...episode.flags.filter((flag) => flag !== episode.verdict)].join(", "),
        }, el("span", { class: "sr" }, `${overview.policies[policy]}: `),
        el("span", { "aria-hidden": "true" }, VERDICTS[episode.verdict].glyph), " ", el("span", { class: "word" }, episode.verdict),
        episode.flags.includes("unsupported") && el("span", { class: "flag" }, "unsupported"),
        episode.flags.includes("budget") && el("span", { class: "flag" }, "budget")), note);
      }));
    const note = (sort) => {
      for (const [episode, span] of notes) {
        const metric = metricIndex(sort);
        const number = episode.numbers[metric];
        span.textContent = sort === "steps" ? count(episode.steps, "step")
          : sort === "seconds" ? seconds(episode.seconds)
            : number === null || number === undefined ? "" : shown(overview.metrics[metric], number);
      }
    };
    return { element, note };
  }

  // ---- An episode -------------------------------------------------------------------------------------------------

  /** What quoting compares: characters without white space and link markers, and where each stands. */
  function squeezed(text) {
    const kept = [];
    const offsets = [];
    let last = 0;
    const keep = (end) => {
      for (let index = last; index < end; index += 1) {
        kept.push(text[index].toLowerCase()[0]);
        offsets.push(index);
      }
    };
    for (const skipped of text.matchAll(/\s+|【\d+†|(?:†[^\s【】†]*)?】/g)) {
      keep(skipped.index);
      last = skipped.index + skipped[0].length;
    }
    keep(text.length);
    return { text: kept.join(""), offsets };
  }

  /** Where a page's own text stands in an observation; if not whole, each of its lines that is there. */
  function occurrences(extract, seen, from) {
    const find = (text) => {
      const needle = squeezed(text).text;
      const at = needle.length < 4 ? -1 : seen.text.indexOf(needle, from);
      return at < 0 ? [] : [{ start: seen.offsets[at], end: seen.offsets[at + needle.length - 1] + 1 }];
    };
    const whole = find(extract);
    return whole.length ? whole : extract.split("\n").filter((line) => line.trim().length >= 12).flatMap(find);
  }

  function observationParts(text, references, own) {
    const view = text.lastIndexOf("\n♦Text\n");
    const stretches = [
      ...[...text.matchAll(/^♦.*$|◼/gm)].map((match) => ({ start: match.index, end: match.index + match[0].length, kind: "section" })),
      ...[...text.matchAll(/【\d+†[^【】]*】/g)].map((match) => ({ start: match.index, end: match.index + match[0].length, kind: "link" })),
    ];
    const seen = squeezed(text);
    const from = Math.max(0, seen.offsets.findIndex((offset) => offset >= view));
    references.forEach((reference, index) => {
      for (const stretch of occurrences(reference.extract, seen, from)) {
        stretches.push({ ...stretch, kind: index === own ? "quoted own" : "quoted" });
      }
    });
    return decorated(text, stretches);
  }

  function makePane(pane, question, number, others, navigate) {
    const policy = overview.policies.indexOf(pane.policy);
    const row = question.episodes[policy];
    const element = el("section", { class: "pane", "aria-label": `Episode of ${pane.policy}` });
    const head = el("header", { class: "pane-head" },
      el("h2", {}, others.length > 1
        ? el("select", { "aria-label": "Policy", change: (event) => navigate({ policy: event.target.value, place: 1 }) },
          others.map((name) => el("option", { value: name, selected: name === pane.policy }, name)))
        : pane.policy),
      row ? badges(row) : null);
    element.append(head);
    const made = { element, pane, show: () => {}, move: () => {}, ready: Promise.resolve() };
    if (!row) {
      element.append(el("p", { class: "notice" }, policy < 0
        ? `There is no policy ${pane.policy} here.` : `${pane.policy} has not been run on this question.`));
      return made;
    }
    const waiting = el("p", { class: "dim" }, "Loading…");
    element.append(waiting);
    made.ready = load(episodeFile(number, pane.policy)).then((episode) => {
      waiting.remove();
      fillPane(made, head, episode, row, navigate);
    }, (error) => {
      waiting.replaceWith(el("p", { class: "notice", role: "alert" }, error.message));
    });
    return made;
  }

  function fillPane(made, head, episode, row, navigate) {
    const { element, pane } = made;
    const at = (place) => navigate.hash({ policy: pane.policy, place });
    head.append(el("p", { class: "meta" }, [
      count(episode.steps.length, "step"), seconds(row.seconds), ENDINGS[episode.ending] ?? "did not end",
      count(episode.references.length, "reference"), episode.seed === null ? null : `seed ${episode.seed}`,
    ].filter(Boolean).join(" · ")));
    const references = episode.references.map((reference, index) => makeReference(reference, index, episode, at));
    const observation = el("div", { class: "observation" });
    const commands = episode.steps.map((step, index) => el("a", { href: at(index + 1), class: step.problem ? "invalid" : null },
      el("span", { class: "number" }, String(index + 1)),
      el("span", { class: "command" }, step.phase === "answering" ? "answer" : step.command.split("\n", 1)[0] || "(nothing)"),
      el("span", { class: "seconds" }, seconds(step.seconds)),
      step.problem && el("span", { class: "problem" }, step.problem)));
    const steps = el("ol", { class: "steps" }, commands.map((link) => el("li", {}, link)));
    const numbers = row.numbers.flatMap((value, index) => value === null ? [] : [[overview.metrics[index].label, shown(overview.metrics[index], value)]]);
    element.append(el("div", { class: "pane-body" },
      el("div", { class: "outcome-column" },
        episode.failure && el("p", { class: "notice failed" }, el("strong", {}, "Failed. "), episode.failure),
        el("h3", { tabindex: "-1", class: "answer-title" }, "Answer"), answerPart(episode, references, at),
        references.length > 0 && [el("h3", {}, "References"), el("ol", { class: "references" }, references.map((reference) => reference.element))],
        facts("Figures of this episode", numbers),
        facts("Record", [["id", episode.id], ["actor", episode.actor], ["web", episode.backend], ["data set", episode.dataset]])),
      el("nav", { class: "steps-column", "aria-label": `Steps of ${pane.policy}` }, el("h3", {}, "Steps"),
        commands.length ? steps : el("p", { class: "dim" }, "No steps.")),
      el("div", { class: "observation-column" }, observation)));

    let current = 0;
    made.show = (place, { isFirst }) => {
      const reference = /^ref-(\d+)$/.exec(place);
      const own = reference ? Number(reference[1]) - 1 : -1;
      const chosen = references[own];
      current = chosen ? (episode.references[own].step ?? current)
        : place === "answer" ? episode.steps.length - 1 : (Number.parseInt(place, 10) || 1) - 1;
      current = clip(current, 0, Math.max(0, episode.steps.length - 1));
      commands.forEach((link, index) => {
        if (index === current) link.setAttribute("aria-current", "step");
        else link.removeAttribute("aria-current");
      });
      if (steps.contains(document.activeElement)) commands[current]?.focus({ preventScroll: true });
      keepInView(steps, commands[current]);
      observation.replaceChildren(...observationView(episode, current, own, at).filter(Boolean));
      for (const other of references) other.element.classList.toggle("chosen", other === chosen);
      if (chosen) chosen.reach();
      else if (place === "answer") reach(element.querySelector(".answer-title"));
      else if (!isFirst) reachStep(observation);
    };
    made.move = (by) => {
      const next = clip(current + by, 0, commands.length - 1);
      if (commands.length) navigate({ policy: pane.policy, place: next + 1 });
    };
  }

  /** Scroll a list by itself, so that its item is in view and the page stays where it is. */
  function keepInView(box, item) {
    if (!item) return;
    const [outer, inner] = [box.getBoundingClientRect(), item.getBoundingClientRect()];
    if (inner.top < outer.top) box.scrollTop += inner.top - outer.top;
    if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom;
  }

  function reachStep(observation) {
    const top = observation.getBoundingClientRect().top;
    if (top > 0.75 * innerHeight || top < -60) observation.scrollIntoView({ block: "start" });
  }

  function reach(element) {
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: element.matches("h2") ? "start" : "nearest" });
  }

  function answerPart(episode, references, at) {
    if (!episode.segments.length) return el("p", { class: "notice" }, "There is no answer.");
    const text = el("div", { class: "answer" }, episode.segments.map((segment) => {
      const isSentence = segment.support !== null;
      const kind = !isSentence ? null : !segment.is_cited ? "sentence uncited" : segment.support < overview.low_support ? "sentence weak" : "sentence";
      const title = !isSentence ? null : !segment.is_cited ? "This sentence cites no reference."
        : `${Math.round(100 * segment.support)} % of its words are in the references that it cites.`;
      return el("span", { class: kind, title: kind === "sentence" ? null : title }, segment.parts.map((part) =>
        part.citations.length ? citation(part, references, at, title) : part.text));
    }));
    return [
      !episode.is_supported && el("p", { class: "notice unsupported" },
        el("strong", {}, "Unsupported. "), "No sentence cites a reference. Treat it as a guess."),
      text,
    ];
  }

  /** The brackets of a citation, each number a link to its reference. */
  function citation(part, references, at, support) {
    const numbers = [...part.text.matchAll(/\d+/g)];
    const isKnown = part.citations.some((number) => references[number - 1]);
    let last = 0;
    const pieces = [];
    for (const match of numbers) {
      const number = Number(match[0]);
      const reference = references[number - 1];
      pieces.push(part.text.slice(last, match.index), reference
        ? el("a", { href: at(`ref-${number}`), "aria-label": `Reference ${number}`, ...cardOf(reference, support) }, match[0])
        : el("span", { class: "unknown", title: "There is no such reference." }, match[0]));
      last = match.index + match[0].length;
    }
    return el("span", { class: isKnown ? "citation" : "citation none" }, pieces, part.text.slice(last));
  }

  function makeReference(reference, index, episode, at) {
    const quote = el("blockquote", {}, reference.extract);
    const place = el("div", { class: "page", hidden: true });
    const hasPage = overview.pages.includes(reference.page);
    const toggle = hasPage && el("button", { type: "button", class: "quiet", "aria-expanded": "false", click: () => open(place.hidden) },
      "Show it in the page");
    const element = el("li", { class: "reference", tabindex: "-1" },
      el("p", { class: "title" }, el("span", { class: "number" }, `[${index + 1}]`), " ", outward(reference.title || reference.url, reference.url)),
      el("p", { class: "meta url" }, reference.url),
      quote, place,
      el("p", { class: "meta" }, reference.step !== null && el("a", { href: at(reference.step + 1) }, `Quoted in step ${reference.step + 1}`),
        toggle && [reference.step !== null && " · ", toggle]));

    async function open(isOpen) {
      toggle.setAttribute("aria-expanded", String(isOpen));
      toggle.textContent = isOpen ? "Show only the quote" : "Show it in the page";
      place.hidden = !isOpen;
      quote.hidden = isOpen;
      if (!isOpen || place.hasChildNodes()) return;
      try {
        const page = await load(`pages/${reference.page}`);
        place.append(...pageView(page, episode.references.filter((other) => other.page === reference.page), reference));
      } catch (error) {
        place.append(el("p", { class: "notice", role: "alert" }, error.message));
      }
      const box = place.querySelector("pre");
      const mark = place.querySelector("mark.own");
      if (mark) box.scrollTop += mark.getBoundingClientRect().top - box.getBoundingClientRect().top - 60;
    }

    return { element, reference, number: index + 1, reach: () => reach(element) };
  }

  /** A page's text with what was quoted marked. Offsets count code points. */
  function pageView(page, references, own) {
    const cut = page.parts.length !== 1 || page.parts[0].start > 0 || page.parts[0].text.length < page.length;
    return [
      el("p", { class: "meta" }, cut
        ? `Text around the quotes; the page has ${count(page.length, "character")}` : `Full page, ${count(page.length, "character")}`),
      el("pre", { tabindex: "0", role: "region", "aria-label": `Text of ${page.title}` }, page.parts.map((part, index) => {
        const characters = Array.from(part.text);
        const unit = characters.length === part.text.length ? (offset) => offset
          : (offset) => characters.slice(0, offset).join("").length;
        const stretches = references.map((reference) => ({
          start: unit(clip(reference.start - part.start, 0, characters.length)),
          end: unit(clip(reference.end - part.start, 0, characters.length)),
          kind: reference === own ? "quoted own" : "quoted",
        }));
        return [part.start > 0 && el("span", { class: "gap" }, index ? "\n\n⋯\n\n" : "⋯\n\n"), decorated(part.text, stretches)];
      })),
    ];
  }

  function observationView(episode, current, own, at) {
    const step = episode.steps[current];
    if (!step) return [el("p", { class: "dim" }, "This episode has no steps.")];
    const turn = (by, text, label) => {
      const to = current + by;
      return to < 0 || to >= episode.steps.length ? el("span", { class: "turn dim", "aria-hidden": "true" }, text)
        : el("a", { class: "turn", href: at(to + 1), "aria-label": label }, text);
    };
    return [
      el("div", { class: "observation-head" },
        el("h3", { "aria-live": "polite" }, `Step ${current + 1} of ${episode.steps.length}`),
        el("span", { class: "meta" }, [step.phase, seconds(step.seconds), step.tokens === null ? null : count(step.tokens, "token")].filter(Boolean).join(" · ")),
        turn(-1, "‹", "Previous step"), turn(1, "›", "Next step")),
      el("pre", { class: step.phase, tabindex: "0", role: "region", "aria-label": `Observation in step ${current + 1}` },
        observationParts(step.observation, episode.references, own),
        el("span", { class: step.problem ? "given invalid" : "given" }, step.command || "(nothing)")),
      step.problem && el("p", { class: "notice invalid" }, el("strong", {}, "Invalid. "), step.problem),
      step.completion !== null && el("details", { class: "facts" }, el("summary", {}, "Full output of the policy"), el("pre", {}, step.completion)),
    ];
  }

  // ---- The card that shows a quote --------------------------------------------------------------------------------

  let cardTimer = 0;

  function cardOf(reference, support) {
    const show = (event) => {
      clearTimeout(cardTimer);
      const anchor = event.currentTarget;
      card.replaceChildren(
        el("p", { class: "title" }, el("span", { class: "number" }, `[${reference.number}]`), ` ${reference.reference.title}`),
        el("blockquote", {}, reference.reference.extract), el("p", { class: "meta" }, support ?? ""));
      card.hidden = false;
      anchor.setAttribute("aria-describedby", "card");
      const [box, size] = [anchor.getBoundingClientRect(), card.getBoundingClientRect()];
      const isBelow = box.bottom + size.height + 12 < innerHeight || box.top < size.height + 12;
      card.style.left = `${clip(box.left - 24, 8, Math.max(8, document.documentElement.clientWidth - size.width - 8)) + scrollX}px`;
      card.style.top = `${(isBelow ? box.bottom + 6 : box.top - size.height - 6) + scrollY}px`;
    };
    return { mouseenter: show, focus: show, mouseleave: hideCardSoon, blur: hideCardSoon };
  }

  function hideCardSoon() {
    cardTimer = setTimeout(hideCard, 120); // long enough for the pointer to reach the card
  }

  function hideCard() {
    clearTimeout(cardTimer);
    card.hidden = true;
    document.querySelector("[aria-describedby=card]")?.removeAttribute("aria-describedby");
  }

  card.addEventListener("mouseenter", () => clearTimeout(cardTimer));
  card.addEventListener("mouseleave", hideCardSoon);

  // ---- The page of a question -------------------------------------------------------------------------------------

  function makePage(question, panes) {
    const number = overview.questions.indexOf(question);
    const policies = overview.policies.filter((_, index) => question.episodes[index]);
    const state = panes.map((pane) => ({ ...pane }));
    const hashWith = (index) => (pane) => episodeHash(question.id, state.map((own, other) => (other === index ? pane : own)));
    const made = state.map((pane, index) => {
      const navigate = (to) => location.replace(hashWith(index)(to));
      navigate.hash = hashWith(index);
      return makePane(pane, question, number, state.length > 1 && overview.policies.length > 2 ? policies : [], navigate);
    });
    const place = (policy) => ({ policy, place: state.find((pane) => pane.policy === policy)?.place ?? 1 });
    const single = () => [state[0]];
    const pair = () => (state.length > 1 ? state : [state[0], place(policies.find((name) => name !== state[0].policy))]);
    const tabs = policies.length < 2 ? [] : [
      ...policies.map((name) => ({ text: name, to: () => [place(name)], isCurrent: state.length === 1 && name === state[0].policy })),
      { text: "side by side", to: pair, isCurrent: state.length > 1 },
    ].map((tab) => ({ ...tab, link: el("a", { "aria-current": tab.isCurrent ? "page" : null }, tab.text) }));
    const position = rows.indexOf(question);
    const neighbour = (by) => {
      const next = position < 0 ? null : rows[position + by];
      if (!next) return null;
      const known = state.filter(({ policy }) => next.episodes[overview.policies.indexOf(policy)]);
      const first = overview.policies[next.episodes.findIndex(Boolean)];
      const to = known.length ? known : [{ policy: first }];
      return first === undefined ? null : episodeHash(next.id, to.map(({ policy }) => ({ policy, place: 1 })));
    };
    const step = (by, text, label) => {
      const to = neighbour(by);
      return to ? el("a", { href: to, class: "turn", "aria-label": label }, text) : el("span", { class: "turn dim", "aria-hidden": "true" }, text);
    };
    const known = el("div");
    const title = el("h1", { tabindex: "-1", class: "question-title" }, question.text);
    const element = el("article", { class: state.length > 1 ? "episode both" : "episode" },
      el("nav", { class: "crumbs", "aria-label": "Questions" },
        el("a", { href: listHash, "data-back": true }, "← All questions"),
        position >= 0 && el("span", { class: "meta" }, `${(position + 1).toLocaleString("en")} of ${rows.length.toLocaleString("en")}`),
        step(-1, "‹", "Previous question"), step(1, "›", "Next question")),
      title,
      el("p", { class: "meta" }, [question.kind && words(question.kind), question.id].filter(Boolean).join(" · ")),
      known,
      tabs.length > 0 && el("nav", { class: "tabs", "aria-label": "Policies" }, tabs.map(({ link }) => link)),
      el("div", { class: "panes" }, made.map((pane) => pane.element)));

    const run = policies.includes(state[0].policy) ? state[0].policy : policies[0];
    if (run !== undefined) load(episodeFile(number, run)).then((episode) => {
      title.textContent = episode.question; // the list has long ones cut
      known.replaceChildren(...[knownAnswers(episode)].filter(Boolean));
    }, () => {});

    return {
      element, question, neighbour,
      key: pageKey(question.id, state),
      toggle: () => (tabs.length ? episodeHash(question.id, state.length > 1 ? single() : pair()) : null),
      focus: () => title.focus({ preventScroll: true }),
      async show(next, isFirst) {
        next.forEach((pane, index) => { state[index].place = pane.place; });
        refreshLinks();
        for (const [index, pane] of made.entries()) {
          const isMoved = pane.shown !== next[index].place;
          pane.shown = next[index].place;
          await pane.ready;
          if (isMoved && pane.shown === next[index].place) pane.show(pane.shown, { isFirst });
        }
        refreshLinks();
      },
      move(by) {
        const active = made.find((pane) => pane.element.contains(document.activeElement)) ?? made[0];
        active.move(by);
      },
    };

    /** Links name the places that are shown: those of the tabs their own, side by side those of one pane the other's too. */
    function refreshLinks() {
      for (const { link, to } of tabs) link.setAttribute("href", episodeHash(question.id, to()));
      if (state.length < 2) return;
      made.forEach((pane, index) => {
        for (const link of pane.element.querySelectorAll('a[href^="#"]')) {
          const parts = link.getAttribute("href").slice(1).split("/").map(decodeURIComponent);
          link.setAttribute("href", hashWith(index)({ policy: parts[1 + 2 * index], place: parts[2 + 2 * index] }));
        }
      });
    }
  }

  function pageKey(question, panes) {
    return JSON.stringify([question, ...panes.map(({ policy }) => policy)]);
  }

  function knownAnswers(episode) {
    const answers = [...new Set([episode.reference_answer, ...episode.answers].filter(Boolean))];
    if (!answers.length && !episode.evidence.length && !episode.incorrect_answers.length) return null;
    const texts = (title, values) => values.length > 0 && el("div", {}, el("dt", {}, title), values.map((value) => el("dd", {}, value)));
    return el("details", { class: "facts" }, el("summary", {}, "Known answers and evidence"),
      el("dl", {}, texts("Right", answers), texts("Wrong", episode.incorrect_answers),
        episode.evidence.map(({ url, sentences }) => el("div", {}, el("dt", {}, "Evidence from ", outward(url, url)),
          sentences.map((sentence) => el("dd", {}, sentence))))));
  }

  // ---- What is shown, and keys ------------------------------------------------------------------------------------

  let routed = null;

  function route() {
    routed = location.hash;
    hideCard();
    const to = readHash();
    if (to.list) {
      const leaving = page?.question;
      list ??= makeList();
      list.update(to.list);
      document.title = overview.title;
      if (!list.element.isConnected) {
        main.replaceChildren(list.element);
        const link = leaving && list.element.querySelectorAll("[data-question]")[rows.filter((row) => row.episodes.some(Boolean)).indexOf(leaving)];
        if (link) reach(link);
        else scrollTo(0, 0);
      }
      page = null;
      return;
    }
    const question = overview.questions.find(({ id }) => id === to.question);
    if (!question || to.problem) {
      page = null;
      main.replaceChildren(el("p", { class: "notice" }, to.problem ?? `There is no question ${to.question} here.`), el("p", {}, el("a", { href: "#" }, "All questions")));
      return;
    }
    const first = overview.policies[Math.max(0, question.episodes.findIndex(Boolean))];
    const panes = to.panes.length ? to.panes : [{ policy: first, place: "1" }];
    document.title = `${question.text} – ${overview.title}`;
    const isFirst = page?.key !== pageKey(question.id, panes);
    if (isFirst) {
      page = makePage(question, panes);
      main.replaceChildren(page.element);
      scrollTo(0, 0);
      page.focus();
    }
    page.show(panes, isFirst);
  }

  function moveRow(by) {
    const links = [...main.querySelectorAll("[data-question]")];
    const current = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
    const next = links[current < 0 ? 0 : clip(current + by, 0, links.length - 1)];
    if (next) reach(next);
  }

  // At once: a key that is pressed before the browser tells of the new address is meant for what stands there.
  const go = (hash) => {
    if (!hash) return;
    location.hash = hash;
    route();
  };
  const KEYS = {
    j: () => (page ? page.move(1) : moveRow(1)),
    k: () => (page ? page.move(-1) : moveRow(-1)),
    ArrowRight: () => page && page.move(1),
    ArrowLeft: () => page && page.move(-1),
    n: () => page && go(page.neighbour(1)),
    p: () => page && go(page.neighbour(-1)),
    c: () => page && go(page.toggle()),
    u: () => page && go(listHash),
    "/": () => {
      if (page) go(listHash);
      setTimeout(() => list?.focusFilter(), page ? 50 : 0);
    },
    "?": () => help.showModal(),
  };
  const ON_FOCUS = { ArrowDown: 1, ArrowUp: -1 };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open || !overview) return;
    if (event.key === "Escape") {
      hideCard();
      if (event.target.matches("input, select")) event.target.blur();
      return;
    }
    if (event.target.matches("input, select, textarea")) return;
    const by = ON_FOCUS[event.key];
    if (by && event.target.closest("tbody, .steps")) page ? page.move(by) : moveRow(by);
    else if (KEYS[event.key] && !(event.key.startsWith("Arrow") && event.target.closest(".scroll"))) KEYS[event.key]();
    else return;
    event.preventDefault();
  });
  document.querySelector("[data-help]").addEventListener("click", () => help.showModal());
  document.querySelector("[data-skip]").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });

  load("overview").then((value) => {
    overview = value;
    document.querySelector(".home").textContent = value.title;
    list = makeList();
    list.update(readHash().list ?? new URLSearchParams());
    listHash = readHash().list ? location.hash || "#" : "#";
    addEventListener("hashchange", () => { if (location.hash !== routed) route(); });
    route();
  }, (error) => main.replaceChildren(el("p", { class: "notice", role: "alert" }, error.message)));
})();
