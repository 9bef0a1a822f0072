/** The plots of Dask's dashboard that make sense alone; Dask itself says which there are. */

/** One plot: its page below the dashboard's address, and its title. */
export interface IPlot {
  page: string;
  title: string;
}

/** The layout that one command opens, from top to bottom. */
export const LAYOUT: readonly IPlot[] = [
  { page: 'individual-task-stream', title: 'Task Stream' },
  { page: 'individual-progress', title: 'Progress' },
  { page: 'individual-workers-memory', title: 'Workers Memory' }
];

/** The plots in what Dask lists, title → page, by title: those of the layout first. */
export function plotsOf(listed: Readonly<Record<string, string>>): IPlot[] {
  const plots = Object.entries(listed).map(([title, page]) => ({
    page: page.replace(/^\/+/, ''),
    title: title.replace(/^Individual\s+/i, '')
  }));
  const rank = ({ page }: IPlot): number => {
    const index = LAYOUT.findIndex(plot => plot.page === page);
    return index < 0 ? LAYOUT.length : index;
  };
  return plots.sort((a, b) => rank(a) - rank(b) || a.title.localeCompare(b.title));
}
