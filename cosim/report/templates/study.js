"use strict";
// Draws every panel of a study.
(() => {
  const charts = JSON.parse(document.getElementById("chart-data").textContent);
  const touch = window.matchMedia("(hover: none)").matches;
  const config = { responsive: true, displaylogo: false, displayModeBar: false };
  const plots = [...document.querySelectorAll(".plot")].map((plot) => {
    const figure = charts[plot.dataset.chart];
    figure.layout.dragmode = false;
    if (touch) figure.layout.hovermode = "closest";
    return Plotly.newPlot(plot, figure.data, figure.layout, config);
  });
  Promise.all(plots).then(() => { document.body.dataset.ready = "true"; });
})();
