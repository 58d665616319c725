// Moves the point of a plane to where the plane is pressed, drags it on, and tells Python where it is while it moves. The
// plane fills Plotly's drag area, and both of its axes run from 0 to 1, so the area's own frame on the screen is all that
// must be known of Plotly.

const REACH = 24; // pixels around the point's centre in which a finger takes it; elsewhere a finger scrolls the page, or taps
const BREATH = 40; // milliseconds from an answer to the next question
const PATIENCE = 2000; // milliseconds after which an answer is no longer waited for
const STEP = 200; // places along a side, as the sliders have

const planes = new WeakMap();

// Called again with new data after every run of the page's program; the listeners stay.
export default function ({ data, setStateValue, parentElement }) {
  if (!planes.has(parentElement)) planes.set(parentElement, attach(parentElement));
  const plane = planes.get(parentElement);
  plane.data = data;
  plane.tell = (place) => setStateValue("place", place);
  plane.answered();
  return plane.detach;
}

function attach(parent) {
  const plane = { data: null, tell: null, answered: null, detach: null };
  let held = false, tapped = null, place = null, told = null, waiting = null, last = null;

  const ring = document.createElement("div");
  ring.className = "ring";
  parent.appendChild(ring);

  const chart = () => document.querySelector(`.st-key-${plane.data.figure} .stPlotlyChart`);

  // Where the plane is on the screen. While Plotly draws anew it has no size for a moment, and is where it was.
  const frame = () => {
    const now = chart()?.querySelector(".nsewdrag")?.getBoundingClientRect();
    if (now?.width) last = now;
    return last;
  };

  const finger = (event) => event.touches?.[0] ?? event.changedTouches?.[0] ?? event;

  const onPlane = (event) => {
    const box = chart()?.contains(event.target) && !event.target.closest(".modebar, .legend") && frame();
    if (!box) return false;
    const { clientX, clientY } = finger(event);
    return clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom;
  };

  const near = (event) => {
    const box = frame();
    const { clientX, clientY } = finger(event);
    const right = clientX - box.left - plane.data.x * box.width;
    const down = clientY - box.bottom + plane.data.y * box.height;
    return Math.hypot(right, down) <= REACH;
  };

  const follow = (event) => {
    const box = frame();
    const { clientX, clientY } = finger(event);
    const within = (share) => Math.round(Math.min(Math.max(share, 0), 1) * STEP) / STEP;
    place = { x: within((clientX - box.left) / box.width), y: within((box.bottom - clientY) / box.height) };
    ring.style.left = `${box.left + place.x * box.width}px`;
    ring.style.top = `${box.bottom - place.y * box.height}px`;
  };

  const same = (one, other) => one?.x === other?.x && one?.y === other?.y;

  // One question at a time: places told while the page is still answering would be mixed up there.
  const tell = () => {
    if (told || !place || same(place, plane.data)) return;
    told = place;
    plane.tell(place);
    waiting = setTimeout(answeredIn, PATIENCE, 0);
  };

  const answeredIn = (milliseconds) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { told = null; tell(); }, milliseconds);
  };

  plane.answered = () => {
    if (told && same(told, plane.data)) answeredIn(BREATH);
  };

  const take = (event) => {
    if ((event.button ?? 0) !== 0 || !onPlane(event)) return;
    // A touch speaks to the element it began on, which Plotly takes out of the page when it draws anew.
    if (event.touches) listen(event.target, TOUCHED);
    if (event.touches && !near(event)) {
      tapped = event.touches.length === 1 ? finger(event) : null;
      return;
    }
    event.preventDefault(); // no text is marked, and the page does not scroll under the finger
    event.stopPropagation(); // Plotly need not know
    held = true;
    follow(event);
    ring.style.display = "block";
    if (!event.touches) tell(); // a finger does not move the point by taking it
  };

  const move = (event) => {
    if (!held) return;
    event.preventDefault();
    follow(event);
    tell();
  };

  const release = (event) => {
    if (tapped && event.type === "touchend" && finger(event).identifier === tapped.identifier) {
      const { clientX, clientY } = finger(event);
      if (Math.hypot(clientX - tapped.clientX, clientY - tapped.clientY) < 8) {
        event.preventDefault(); // no mouse event follows
        follow(event);
        tell();
      }
    }
    tapped = null;
    if (!held) return;
    held = false;
    ring.style.display = "none";
    tell();
  };

  const TOUCHED = { touchmove: move, touchend: release, touchcancel: release };
  const HEARD = { mousedown: take, touchstart: take, mousemove: move, mouseup: release, blur: release };
  const how = { capture: true, passive: false };
  const listen = (target, listeners) => {
    for (const [name, listener] of Object.entries(listeners)) target.addEventListener(name, listener, how);
  };
  listen(window, HEARD);
  plane.detach = () => {
    for (const [name, listener] of Object.entries(HEARD)) window.removeEventListener(name, listener, how);
    clearTimeout(waiting);
    ring.remove();
    planes.delete(parent);
  };
  return plane;
}
