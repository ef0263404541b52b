/** Work that is done once a frame, however often it is asked for. */

/** A function that has `act` called in the next frame. In a page that isn't shown there are none: then soon. */
export function everyFrame(act) {
  let asked = false;
  const now = () => {
    asked = false;
    act();
  };
  return () => {
    if (asked) return;
    asked = true;
    if (document.hidden) setTimeout(now, 100);
    else requestAnimationFrame(now);
  };
}
