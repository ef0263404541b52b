/** Small pictures for buttons, drawn on a field of 24 by 24. */

const PATHS = {
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  menu: "M4 7h16M4 12h16M4 17h10",
  save: "M12 4v11M7.5 11L12 15.5 16.5 11M5 19.5h14",
  sliders: "M4 8h9M17 8h3M4 16h3M11 16h9M15 5.5v5M9 13.5v5",
  help: "M9.2 9a2.9 2.9 0 1 1 4.3 2.6c-1 .6-1.5 1.2-1.5 2.4M12 17.6v.1M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",
  down: "M12 5v14M6 13l6 6 6-6",
  picture: "M4 5h16v14H4zM4 16l4.5-4.5L13 16l3-3 4 4M15.5 9.2v.1",
  stop: "M6.5 6.5h11v11h-11z",
  send: "M12 19V5M6 11l6-6 6 6",
  copy: "M9 9h10v11H9zM15 9V5H5v11h4",
  again: "M20 11a8 8 0 1 0-2.3 6M20 5v6h-6",
  rename: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  remove: "M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5",
  done: "M5 12.5l5 5L19.5 7.5",
  clock: "M12 7v5l3.5 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",
  warning: "M12 9v5M12 17v.1M12 3.5l9.5 17h-19z",
  topic: "M4 12h5M15 12h5M12 8v8",
};
const SVG = "http://www.w3.org/2000/svg";

/** The picture of this name. */
export function icon(name) {
  const picture = document.createElementNS(SVG, "svg");
  picture.setAttribute("viewBox", "0 0 24 24");
  picture.setAttribute("class", "icon");
  picture.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  picture.append(path);
  return picture;
}
