import type uPlot from 'uplot';

/** The colours that charts share with bars and words. */
export interface IPalette {
  busy: string;
  running: string;
  pending: string;
  wanted: string;
  text: string;
  grid: string;
}

/** Lab's colours of the theme in use, as a canvas needs them: resolved. */
export function palette(element: Element): IPalette {
  const style = getComputedStyle(element);
  const color = (name: string) => style.getPropertyValue(name).trim() || 'gray';
  return {
    busy: color('--jp-brand-color1'),
    running: color('--jp-mlops-idle'),
    pending: color('--jp-border-color0'),
    wanted: color('--jp-ui-font-color2'),
    text: color('--jp-ui-font-color2'),
    grid: color('--jp-border-color2')
  };
}

/** `color` with an opacity, for areas below lines; canvas knows no `color-mix`. */
export function faded(color: string, opacity: number): string {
  const context = document.createElement('canvas').getContext('2d');
  if (!context) {
    return color;
  }
  context.fillStyle = color;
  const hex = context.fillStyle;
  const alpha = Math.round(opacity * 255)
    .toString(16)
    .padStart(2, '0');
  const known = /^rgba\((.*), ([\d.]+)\)$/.exec(hex); // one that lets something through already
  if (known) {
    return `rgba(${known[1]}, ${Number(known[2]) * opacity})`;
  }
  return hex.startsWith('#') ? hex.slice(0, 7) + alpha : color;
}

/** Makes a chart in `element`. Loaded when the first chart is seen. */
export type Plotter = (element: HTMLElement, colors: IPalette, library: typeof uPlot) => uPlot;

/**
 * A chart that lives in an element: made when its library is there, as wide as the element, and made again in the new
 * colours when the theme changes.
 */
export class Plot {
  constructor(
    private readonly element: HTMLElement,
    private readonly make: Plotter
  ) {
    this._theme.observe(document.body, { attributeFilter: ['data-jp-theme-name'] });
    this._width.observe(element);
    void import('uplot').then(module => {
      this._library = module.default;
      this._draw();
    });
  }

  /** Show `data`: times in seconds, then a row per line. */
  set(data: uPlot.AlignedData): void {
    this._data = data;
    this._plot?.setData(data);
  }

  dispose(): void {
    this._theme.disconnect();
    this._width.disconnect();
    this._plot?.destroy();
    this._library = null;
  }

  private _draw(): void {
    if (this._library) {
      this._plot?.destroy();
      this._plot = this.make(this.element, palette(this.element), this._library);
      this._fit();
      if (this._data) {
        this._plot.setData(this._data);
      }
    }
  }

  /** As wide as the element was when it was last laid out: while a theme changes it has no width. */
  private _fit(): void {
    if (this._plot && this._room > 0 && this._room !== this._plot.width) {
      this._plot.setSize({ width: this._room, height: this._plot.height });
    }
  }

  private readonly _theme = new MutationObserver(() => this._draw());
  private readonly _width = new ResizeObserver(([entry]) => {
    this._room = Math.floor(entry.contentRect.width);
    this._fit();
  });
  private _room = 0;
  private _library: typeof uPlot | null = null;
  private _plot: uPlot | null = null;
  private _data: uPlot.AlignedData | null = null;
}
