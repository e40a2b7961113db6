"use strict";
// The time of the page: slider, play button, and a cursor in every chart over time. A short run has one
// stretch of time; a long one shows the day that is opened.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const common = read("map-data");
  const charts = read("chart-data");
  const days = [...document.querySelectorAll("button.day")];
  const slider = document.getElementById("time");
  const label = document.getElementById("time-label");
  const play = document.getElementById("play");
  let data = null;
  let start = 0;
  let cursors = [];
  let timer = null;

  const two = (number) => String(number).padStart(2, "0");
  const clock = (date) => two(date.getUTCHours()) + ":" + two(date.getUTCMinutes());

  function timeText(interval) {
    const from = new Date(start + interval * data.step_s * 1000);
    const to = new Date(start + (interval + 1) * data.step_s * 1000);
    const day = from.toLocaleDateString("en-GB", { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
    return `${day}, ${clock(from)}–${clock(to)} (interval ${interval + (data.first || 0)})`;
  }

  function update() {
    const shown = Number(slider.value);
    const interval = data.intervals[shown];
    label.textContent = timeText(interval);
    slider.setAttribute("aria-valuetext", label.textContent);
    document.body.dataset.interval = interval;
    GridMap.draw(shown);
    for (const place of cursors) place(interval);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "▶";
    play.setAttribute("aria-label", "Play");
  }

  play.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (Number(slider.value) >= Number(slider.max)) slider.value = 0;
    play.textContent = "❚❚";
    play.setAttribute("aria-label", "Pause");
    timer = setInterval(() => {
      if (Number(slider.value) >= Number(slider.max)) return stop();
      slider.value = Number(slider.value) + 1;
      update();
    }, 220);
  });
  slider.addEventListener("input", () => { stop(); update(); });
  document.getElementById("worst").addEventListener("click", () => { stop(); slider.value = data.worst; update(); });

  function nearest(interval) {
    let best = 0;
    data.intervals.forEach((value, i) => {
      if (Math.abs(value - interval) < Math.abs(data.intervals[best] - interval)) best = i;
    });
    return best;
  }

  function addCursor(plot) {
    const cursor = document.createElement("div");
    cursor.className = "cursor";
    plot.appendChild(cursor);
    let at = 0;
    const place = (interval) => {
      at = interval;
      const axis = plot._fullLayout.xaxis;
      const size = plot._fullLayout._size;
      const x = axis.d2p(start + (interval + 0.5) * data.step_s * 1000);
      cursor.hidden = !(x >= 0 && x <= axis._length);
      cursor.style.left = size.l + x + "px";
      cursor.style.top = size.t + "px";
      cursor.style.height = size.h + "px";
    };
    plot.on("plotly_afterplot", () => place(at));
    plot.on("plotly_click", (event) => {
      const when = Date.parse(String(event.points[0].x).replace(" ", "T").replace(/(T\d\d:\d\d)$/, "$1:00") + "Z");
      const interval = Math.floor((when - start) / (data.step_s * 1000));
      if (Number.isFinite(interval)) {
        stop();
        slider.value = nearest(interval);
        update();
      }
    });
    cursors.push(place);
    place(data.intervals[Number(slider.value)]);
  }

  const touch = window.matchMedia("(hover: none)").matches;
  const config = { responsive: true, displaylogo: false, displayModeBar: touch ? false : "hover", modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };

  function show(shown) {
    stop();
    data = shown;
    start = Date.parse(data.start + "Z");
    cursors = [];
    slider.max = data.intervals.length - 1;
    GridMap.start(data);
    slider.value = data.worst;
    update();
  }

  function draw(plot, figure) {
    const narrow = plot.clientWidth < 480;
    if (narrow) figure.layout.margin = { ...figure.layout.margin, l: 50, r: 6 };
    if (narrow) figure.layout.font.size = 11;
    if (touch) figure.layout.dragmode = false;
    return Plotly.newPlot(plot, figure.data, figure.layout, config).then(() => {
      if (plot.dataset.time) addCursor(plot);
    });
  }

  function make(parent, name, text, className) {
    const node = document.createElement(name);
    if (text) node.textContent = text;
    if (className) node.className = className;
    parent.appendChild(node);
    return node;
  }

  function open(k) {
    document.body.removeAttribute("data-ready");
    const day = read("day-" + k);
    const place = document.getElementById("day-charts");
    for (const plot of place.querySelectorAll(".plot")) Plotly.purge(plot);
    place.replaceChildren();
    days.forEach((button, i) => button.setAttribute("aria-pressed", i === k));
    document.getElementById("day-name").textContent = days[k].textContent;
    show({ ...common, ...day.map });
    const drawn = day.charts.map((chart) => {
      const figure = make(place, "figure", "", "chart" + (chart.wide ? " wide" : ""));
      figure.id = "day-chart-" + chart.key;
      const caption = make(figure, "figcaption");
      make(caption, "h3", chart.title);
      make(caption, "p", chart.caption, "caption");
      if (chart.figure === null) return make(figure, "p", chart.empty, "empty");
      const plot = make(figure, "div", "", "plot");
      plot.style.height = chart.height + "px";
      plot.dataset.time = "1";
      return draw(plot, chart.figure);
    });
    return Promise.all(drawn).then(() => { document.body.dataset.ready = "true"; });
  }

  if (common.intervals) show(common);
  const plots = [...document.querySelectorAll(".plot")].map((plot) => draw(plot, charts[plot.dataset.chart]));
  days.forEach((button, k) => button.addEventListener("click", () => {
    open(k);
    document.getElementById("maps").scrollIntoView({ behavior: "smooth" });
  }));
  Promise.all(plots).then(() => (days.length ? open(0) : null)).then(() => { document.body.dataset.ready = "true"; });
})();
