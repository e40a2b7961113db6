"use strict";
// Two drawings of the grid that share one time. Colours: Cynthia Brewer's purple-orange and purples,
// told apart with every kind of colour vision; a violated limit is shown by an outline as well.
const GridMap = (() => {
  const NS = "http://www.w3.org/2000/svg";
  const NO_VALUE = 65535;
  const VOLTAGE = ["#2d3a8c", "#6b8fd6", "#c3d3ef", "#f1f1ef", "#f9cf9c", "#e58a2b", "#8f4205"];
  const LOADING = ["#c9ced6", "#b3b1d4", "#8f83c0", "#6d4fa3", "#4a1486", "#240046"];
  const STAGES = ["before", "after"];

  function unpack(text, bytes) {
    const raw = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    if (bytes === 1) return raw;
    const view = new DataView(raw.buffer);
    return Uint16Array.from({ length: raw.length / 2 }, (_, i) => view.getUint16(2 * i, true));
  }

  function mix(colours, share) {
    const at = Math.min(Math.max(share, 0), 1) * (colours.length - 1);
    const low = Math.min(Math.floor(at), colours.length - 2);
    const part = (colour) => [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16));
    const one = part(colours[low]);
    const two = part(colours[low + 1]);
    return "#" + one.map((v, i) => Math.round(v + (two[i] - v) * (at - low)).toString(16).padStart(2, "0")).join("");
  }

  function make(parent, name, attributes, text) {
    const node = document.createElementNS(NS, name);
    for (const key in attributes) node.setAttribute(key, attributes[key]);
    if (text !== undefined) node.textContent = text;
    parent.appendChild(node);
    return node;
  }

  class State {
    constructor(data, stage) {
      this.steps = { bus: data.vm_steps_per_pu, line: data.loading_steps_per_percent, trafo: data.loading_steps_per_percent };
      this.counts = { bus: data.geometry.bus.length, line: data.geometry.line.length, trafo: data.geometry.trafo.length };
      this.values = {};
      this.flags = {};
      for (const kind of ["bus", "line", "trafo"]) {
        this.values[kind] = unpack(data.stages[stage][kind], 2);
        this.flags[kind] = unpack(data.stages[stage][kind + "_violated"], 1);
      }
    }
    value(kind, position, time) {
      const found = this.values[kind][time * this.counts[kind] + position];
      return found === NO_VALUE ? null : found / this.steps[kind];
    }
    violated(kind, position, time) {
      return this.flags[kind][time * this.counts[kind] + position] === 1;
    }
  }

  function shown(kind, value) {
    if (value === null) return "no value";
    return kind === "bus" ? value.toFixed(4) + "\u00a0pu" : value.toFixed(1) + "\u00a0%";
  }

  class Drawing {
    constructor(data, stage, figure) {
      this.data = data;
      this.figure = figure;
      this.state = new State(data, stage);
      this.nodes = { bus: [], line: [], trafo: [] };
      const g = data.geometry;
      const svg = make(figure.querySelector(".drawing"), "svg", {
        viewBox: g.view.join(" "), role: "img",
        "aria-label": figure.querySelector("h3").textContent + ": map of the grid",
      });
      const few = g.bus.length <= 30;
      this.radius = few ? 13 : g.bus.length <= 200 ? 8.5 : 5;
      this.lineWidth = few ? 5 : 3.5;
      for (const points of g.switches) make(svg, "polyline", { points: points.join(" "), class: "switch", "stroke-width": 2 });
      const halos = make(svg, "g", {});
      const lines = make(svg, "g", {});
      const symbols = make(svg, "g", {});
      const hits = make(svg, "g", {});
      g.line.forEach((line, i) => {
        const points = line.points.join(" ");
        const halo = make(halos, "polyline", { points, class: "halo", visibility: "hidden" });
        const body = make(lines, "polyline", { points, class: "line" });
        this.add("line", i, line, body, halo, make(hits, "polyline", { points, class: "hit", fill: "none", "stroke-width": 18 }));
      });
      g.trafo.forEach((trafo, i) => this.transformer(trafo, i, halos, symbols, hits));
      g.bus.forEach((bus, i) => {
        const at = { cx: bus.x, cy: bus.y };
        const halo = make(halos, "circle", { ...at, r: this.radius + 6, class: "halo", "stroke-width": 5, visibility: "hidden" });
        const body = make(symbols, "circle", { ...at, r: this.radius, class: "bus", "stroke-width": few ? 1.6 : 1.1 });
        this.add("bus", i, bus, body, halo, make(hits, "circle", { ...at, r: Math.max(this.radius + 3, 11), class: "hit" }));
      });
      this.focus = make(svg, "circle", { class: "focus", r: this.radius + 10, visibility: "hidden" });
    }

    transformer(trafo, i, halos, symbols, hits) {
      const [[x1, y1], [x2, y2]] = trafo.points;
      const length = Math.hypot(x2 - x1, y2 - y1) || 1;
      const [ux, uy] = [(x2 - x1) / length, (y2 - y1) / length];
      const [cx, cy] = [(x1 + x2) / 2, (y1 + y2) / 2];
      const r = Math.max(this.radius * 1.15, 13);
      const centres = [-0.6, 0.6].map((s) => [cx + s * r * ux, cy + s * r * uy]);
      make(symbols, "polyline", { points: trafo.points.join(" "), class: "lead", "stroke-width": 2.5 });
      const halo = make(halos, "line", {
        x1: centres[0][0], y1: centres[0][1], x2: centres[1][0], y2: centres[1][1],
        class: "halo", "stroke-width": 2 * r + 18, visibility: "hidden",
      });
      const body = make(symbols, "g", { class: "trafo", fill: "none", "stroke-width": r * 0.42 });
      for (const [x, y] of centres) make(body, "circle", { cx: x, cy: y, r, class: "trafo-ring" });
      make(body, "circle", { cx: centres[0][0], cy: centres[0][1], r, fill: "none" });
      const label = make(symbols, "text", { class: "trafo-value" });
      const [viewLeft, , viewWidth] = this.data.geometry.view;
      const left = cx > viewLeft + 0.8 * viewWidth;
      label.setAttribute("x", cx + (left ? -1 : 1) * (r * 2 + 14));
      label.setAttribute("y", cy + 7);
      label.setAttribute("text-anchor", left ? "end" : "start");
      this.add("trafo", i, { ...trafo, x: cx, y: cy, label }, body, halo, make(hits, "circle", { cx, cy, r: r * 2, class: "hit" }));
    }

    add(kind, position, element, body, halo, hit) {
      body.setAttribute("data-kind", kind);
      body.setAttribute("data-idx", element.idx);
      hit.addEventListener("pointerenter", (event) => Tooltip.show(kind, position, event));
      hit.addEventListener("pointermove", (event) => Tooltip.place(event));
      hit.addEventListener("pointerleave", () => Tooltip.hide());
      this.nodes[kind].push({ element, body, halo });
    }

    draw(time) {
      for (const kind of ["bus", "line", "trafo"]) {
        this.nodes[kind].forEach((node, i) => {
          const value = this.state.value(kind, i, time);
          const violated = this.state.violated(kind, i, time);
          node.halo.setAttribute("visibility", violated ? "visible" : "hidden");
          node.body.setAttribute("data-value", value === null ? "" : value);
          node.body.setAttribute("data-violated", violated);
          this[kind](node, value);
        });
      }
      this.describe(time);
    }

    bus(node, value) {
      node.body.setAttribute("fill", value === null ? "#ffffff" : colours.bus(this.data, value));
      node.body.setAttribute("stroke-dasharray", value === null ? "3 2" : "none");
    }

    line(node, value) {
      const share = value === null ? 0 : Math.min(value / this.data.limits.line_loading_percent, 1.3);
      const width = this.lineWidth * (0.7 + 1.1 * share);
      node.body.setAttribute("stroke", value === null ? "#7b8794" : colours.line(this.data, value));
      node.body.setAttribute("stroke-dasharray", value === null ? "5 5" : "none");
      node.body.setAttribute("stroke-width", width.toFixed(1));
      node.halo.setAttribute("stroke-width", (width + 11).toFixed(1));
    }

    trafo(node, value) {
      node.body.setAttribute("stroke", value === null ? "#7b8794" : colours.trafo(this.data, value));
      node.body.setAttribute("stroke-dasharray", value === null ? "5 5" : "none");
      node.element.label.textContent = value === null ? "no value" : value.toFixed(0) + "\u00a0%";
    }

    describe(time) {
      const all = (kind) => this.nodes[kind].map((_, i) => this.state.value(kind, i, time)).filter((v) => v !== null);
      const [vm, lines, trafos] = [all("bus"), all("line"), all("trafo")];
      const parts = [];
      if (vm.length) parts.push(`voltage ${Math.min(...vm).toFixed(4)} to ${Math.max(...vm).toFixed(4)}\u00a0pu`);
      if (trafos.length) parts.push(`transformer\u00a0${Math.max(...trafos).toFixed(1)}\u00a0%`);
      if (lines.length) parts.push(`worst line\u00a0${Math.max(...lines).toFixed(1)}\u00a0%`);
      this.figure.querySelector(".state").textContent = parts.join(" · ") || "The power flow has no solution in this interval.";
      const found = [];
      for (const kind of ["trafo", "line", "bus"]) {
        this.nodes[kind].forEach((node, i) => {
          if (this.state.violated(kind, i, time)) found.push(`${node.element.name} ${shown(kind, this.state.value(kind, i, time))}`);
        });
      }
      const text = this.figure.querySelector(".violated");
      text.className = "violated " + (found.length ? "some" : "none");
      const more = found.length > 4 ? ` and ${found.length - 4} more` : "";
      text.textContent = found.length ? `${found.length} violated: ${found.slice(0, 4).join(", ")}${more}` : "No limit violated.";
    }

    point(kind, position) {
      const node = kind === null ? null : this.nodes[kind][position];
      this.focus.setAttribute("visibility", node ? "visible" : "hidden");
      if (!node) return;
      let { x, y } = node.element;
      if (kind === "line") {
        const middle = node.body.getPointAtLength(node.body.getTotalLength() / 2);
        [x, y] = [middle.x, middle.y];
      }
      this.focus.setAttribute("cx", x);
      this.focus.setAttribute("cy", y);
    }
  }

  const colours = {
    bus: (data, value) => mix(VOLTAGE, (value - data.scale.vm_pu[0]) / (data.scale.vm_pu[1] - data.scale.vm_pu[0])),
    line: (data, value) => mix(LOADING, value / data.scale.loading_percent[1]),
    trafo: (data, value) => mix(LOADING, value / data.scale.loading_percent[1]),
  };

  const Tooltip = {
    node: null,
    subject: null,
    show(kind, position, event) {
      this.subject = [kind, position];
      this.fill();
      this.node.hidden = false;
      this.place(event);
      for (const map of maps) map.point(kind, position);
    },
    fill() {
      if (!this.subject) return;
      const [kind, position] = this.subject;
      this.node.replaceChildren();
      const title = document.createElement("b");
      title.textContent = maps[0].nodes[kind][position].element.name;
      const table = document.createElement("table");
      maps.forEach((map, i) => {
        const row = table.insertRow();
        row.insertCell().textContent = maps[0].data.stage_labels[i];
        const cell = row.insertCell();
        cell.textContent = shown(kind, map.state.value(kind, position, now));
        if (map.state.violated(kind, position, now)) {
          cell.className = "bad";
          cell.textContent += " (limit violated)";
        }
      });
      const limits = maps[0].data.limits;
      const row = table.insertRow();
      row.insertCell().textContent = kind === "bus" ? "limits" : "limit";
      row.insertCell().textContent = kind === "bus"
        ? `${limits.vm_min_pu} to ${limits.vm_max_pu} pu` : `${limits[kind + "_loading_percent"]} %`;
      this.node.append(title, table);
    },
    place(event) {
      const box = this.node.getBoundingClientRect();
      const x = Math.min(event.clientX + 16, window.innerWidth - box.width - 8);
      const below = event.clientY + 18 + box.height < window.innerHeight;
      this.node.style.left = Math.max(8, x) + "px";
      this.node.style.top = (below ? event.clientY + 18 : event.clientY - box.height - 14) + "px";
    },
    hide() {
      this.subject = null;
      this.node.hidden = true;
      for (const map of maps) map.point(null);
    },
  };

  function scale(holder, title, from, to, ticks, limits, colour, unit) {
    const [left, bar] = [16, 428];
    const svg = make(holder, "svg", { viewBox: "0 0 460 78", role: "img", "aria-label": `${title}, from ${from} to ${to} ${unit}` });
    make(svg, "text", { x: left, y: 13, style: "font-weight:600" }, `${title} [${unit}]`);
    const x = (value) => left + (bar * (value - from)) / (to - from);
    const gradient = make(make(svg, "defs", {}), "linearGradient", { id: holder.id + "-gradient" });
    for (let i = 0; i <= 60; i += 1) {
      make(gradient, "stop", { offset: i / 60, "stop-color": colour(from + ((to - from) * i) / 60) });
    }
    make(svg, "rect", { x: left, y: 34, width: bar, height: 15, fill: `url(#${holder.id}-gradient)` });
    for (const tick of ticks) {
      make(svg, "line", { x1: x(tick), x2: x(tick), y1: 49, y2: 54, stroke: "#52606d" });
      make(svg, "text", { x: x(tick), y: 68, "text-anchor": "middle" }, String(tick));
    }
    for (const limit of limits) {
      make(svg, "line", { x1: x(limit), x2: x(limit), y1: 31, y2: 52, stroke: "#c2005f", "stroke-width": 2.5 });
      make(svg, "text", { x: x(limit), y: 28, "text-anchor": "middle", style: "fill:#c2005f" }, `limit ${limit}`);
    }
  }

  let maps = [];
  let now = 0;

  function start(data) {
    Tooltip.node = document.getElementById("tooltip");
    for (const id of ["scale-voltage", "scale-loading"]) document.getElementById(id).replaceChildren();
    for (const stage of STAGES) document.querySelector(`#map-${stage} .drawing`).replaceChildren();
    maps = STAGES.map((stage) => new Drawing(data, stage, document.getElementById("map-" + stage)));
    const limits = data.limits;
    const [low, high] = data.scale.vm_pu;
    scale(document.getElementById("scale-voltage"), "Voltage of buses", low, high, data.scale.vm_ticks,
      [limits.vm_min_pu, limits.vm_max_pu], (v) => colours.bus(data, v), "pu");
    const most = data.scale.loading_percent[1];
    scale(document.getElementById("scale-loading"), "Loading of lines and transformers", 0, most, data.scale.loading_ticks,
      [...new Set([limits.line_loading_percent, limits.trafo_loading_percent])], (v) => colours.line(data, v), "%");
  }

  function draw(time) {
    now = time;
    for (const map of maps) map.draw(time);
    Tooltip.fill();
  }

  return { start, draw };
})();
