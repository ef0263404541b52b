/** The reader's place: at the end as long as the reader is there, else left alone. */

const NEAR = 48;

export class Scroll {
  #box;
  #button;
  #stuck = true;
  #top = 0;

  /** `box` scrolls `content`, which grows; `button` leads to its end. */
  constructor(box, content, button) {
    this.#box = box;
    this.#button = button;
    box.addEventListener("scroll", () => this.#look(), { passive: true });
    // The reader scrolls before the page has reported it: from then on nothing scrolls back.
    box.addEventListener("wheel", ({ deltaY }) => deltaY < 0 && this.#free(), { passive: true });
    button.addEventListener("click", () => this.latest());
    const watch = new ResizeObserver(() => this.#grown());
    watch.observe(box);
    watch.observe(content);
  }

  /** Follow, if the reader is at the end. */
  #grown() {
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
    // The page may have grown since it was scrolled to its end: only who goes up has left it.
    if (scrollHeight - scrollTop - clientHeight < NEAR) this.#stuck = true;
    else if (scrollTop < this.#top) this.#stuck = false;
    this.#top = scrollTop;
    this.#button.hidden = this.#stuck;
  }
}
