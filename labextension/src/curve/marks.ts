import type uPlot from 'uplot';

import { IPalette } from '../cluster/plot';

/** A place on the x axis that means something: an attempt begins there, a version was deployed. */
export interface IMark {
  step: number;
  words: string;
}

/** Draw marks as dashed lines, with their words above where there is room. */
export function drawMarks(
  chart: uPlot,
  marks: readonly IMark[],
  colors: IPalette,
  small: boolean
): void {
  const { ctx, bbox, scales } = chart;
  const { min = 0, max = 0 } = scales.x;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colors.text;
  ctx.font = `${10 * ratio}px sans-serif`;
  ctx.setLineDash([3 * ratio, 3 * ratio]);
  let free = -Infinity;
  for (const { step, words } of [...marks].sort((a, b) => a.step - b.step)) {
    if (step < min || step > max) {
      continue;
    }
    const x = chart.valToPos(step, 'x', true);
    ctx.globalAlpha = small ? 0.35 : 0.6;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.globalAlpha = 1;
    const width = ctx.measureText(words).width;
    const from = Math.max(bbox.left, Math.min(x - width / 2, bbox.left + bbox.width - width));
    if (!small && from > free) {
      ctx.fillText(words, from, bbox.top - 3 * ratio);
      free = from + width + 6 * ratio;
    }
  }
  ctx.restore();
}
