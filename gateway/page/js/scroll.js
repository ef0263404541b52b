/** The reader's place: at the end as long as the reader is there, else left alone. */

const NEAR = 48;

export class Scroll {
  #box;
  #button;
  #stuck = true;

  /** `box` scrolls, and `button` leads to its end. */
  constructor(box, button) {
    this.#box = box;
    this.#button = button;
    box.addEventListener("scroll", () => this.#look(), { passive: true });
    // The reader moves before the page has told: from then on nothing pulls back.
    box.addEventListener("wheel", ({ deltaY }) => deltaY < 0 && this.#free(), { passive: true });
    button.addEventListener("click", () => this.latest());
    new ResizeObserver(() => this.grown()).observe(box);
  }

  /** The page has grown: follow, if the reader is at its end. */
  grown() {
    if (this.#stuck) this.#box.scrollTop = this.#box.scrollHeight;
    else this.#look();
  }

  /** Go to the end, and stay there. */
  latest() {
    this.#stuck = true;
    this.#button.hidden = true;
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  #free() {
    if (this.#box.scrollHeight > this.#box.clientHeight) this.#stuck = false;
  }

  #look() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    this.#stuck = scrollHeight - scrollTop - clientHeight < NEAR;
    this.#button.hidden = this.#stuck;
  }
}
