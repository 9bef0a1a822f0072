/** What the test environment lacks of a browser. */

/** Sizes are never known here, so nobody is ever told of one. */
class Observer {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

globalThis.ResizeObserver ??= Observer as never;
Object.defineProperty(navigator, 'clipboard', { configurable: true, value: {} });
// No canvas, and no complaint about it: colours stay what they are.
HTMLCanvasElement.prototype.getContext = () => null;
