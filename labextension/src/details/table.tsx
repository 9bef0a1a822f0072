import React, { useEffect, useMemo, useRef, useState } from 'react';

/** Pixels of a row: fixed, so that which rows are in sight is a division. */
const ROW = 24;
/** Rows drawn above and below the ones in sight. */
const MARGIN = 8;

/** A column of a table. */
export interface IColumn<T> {
  id: string;
  label: string;
  /** What a row shows. */
  show: (row: T) => React.ReactNode;
  /** What rows are ordered by. */
  by: (row: T) => number | string;
  /** Numbers stand at the right. */
  numeric?: boolean;
  /** The column's share of the width, as in CSS grids. */
  width: string;
  /** For text that nobody wants cut: its share of the width beyond that of the longest `by`, instead of `width`. */
  share?: number;
  /** Characters that it has room for, where that was measured. */
  characters?: number;
  /** Left out where no row has anything in it: its room is for the others. */
  optional?: boolean;
}

interface ITableProps<T> {
  label: string;
  rows: readonly T[];
  columns: readonly IColumn<T>[];
  name: (row: T) => string;
  /** What it is ordered by at first; the first column, upwards, unless it is said. */
  first?: { id: string; down: boolean };
  /** How wide it is at least, where that is not as columns were measured. */
  minWidth?: string;
}

const collator = new Intl.Collator(undefined, { numeric: true });

/** A table that draws only the rows in sight: as quick with 5,000 rows as with 5. */
export function Table<T>(props: ITableProps<T>): JSX.Element {
  const { rows, name } = props;
  const columns = useColumns(rows, props.columns);
  const [order, setOrder] = useState(props.first ?? { id: columns[0].id, down: false });
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const element = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setHeight(entry.contentRect.height));
    watch.observe(element.current!);
    return () => watch.disconnect();
  }, []);
  const sorted = useMemo(() => {
    const column = columns.find(column => column.id === order.id) ?? columns[0];
    return sort(rows, column, order.down, name);
    // Names are the same for the life of a table.
    // eslint-disable-next-line react-hooks/exhaustive-deps -- see above
  }, [rows, order, columns]);

  const first = Math.max(0, Math.floor(top / ROW) - MARGIN);
  const last = Math.min(sorted.length, Math.ceil((top + height) / ROW) + MARGIN);
  const template = columns.map(column => column.width).join(' ');
  const characters = columns.reduce((sum, column) => sum + (column.characters ?? 0), 0);
  const minWidth = props.minWidth ?? `max(970px, 760px + ${characters}ch)`;
  const sortBy = (id: string): void =>
    setOrder({ id, down: order.id === id ? !order.down : false });
  return (
    <div
      className="jp-mlops-table"
      role="table"
      aria-label={props.label}
      aria-rowcount={sorted.length + 1}
      data-mlops="table"
    >
      <div
        className="jp-mlops-table-head"
        role="row"
        style={{ gridTemplateColumns: template, minWidth }}
      >
        {columns.map(column => (
          <div
            key={column.id}
            role="columnheader"
            aria-sort={order.id !== column.id ? 'none' : order.down ? 'descending' : 'ascending'}
            className={column.numeric ? 'jp-mod-numeric' : undefined}
          >
            <button
              type="button"
              onClick={() => sortBy(column.id)}
              data-mlops={`sort-${column.id}`}
            >
              {column.label}
              <span aria-hidden="true">
                {order.id === column.id ? (order.down ? ' ▾' : ' ▴') : ''}
              </span>
            </button>
          </div>
        ))}
      </div>
      <div
        ref={element}
        className="jp-mlops-table-body"
        style={{ minWidth }}
        role="rowgroup"
        tabIndex={0}
        onScroll={event => setTop(event.currentTarget.scrollTop)}
      >
        <div style={{ height: sorted.length * ROW, position: 'relative' }} role="presentation">
          {sorted.slice(first, last).map((row, index) => (
            <TableRow
              key={name(row)}
              row={row}
              name={name(row)}
              index={first + index}
              columns={columns}
              template={template}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

/** Characters up to which a column is as wide as its longest text. */
const LONGEST = 36;

/** The columns that have something to show, each as wide as that needs; the same objects while these stay the same. */
function useColumns<T>(rows: readonly T[], all: readonly IColumn<T>[]): readonly IColumn<T>[] {
  const needs = all
    .map(column => (column.share || column.optional ? longest(rows, column) : ''))
    .join();
  // `needs` is all of the rows that matters here.
  // eslint-disable-next-line react-hooks/exhaustive-deps -- see above
  return useMemo(() => fitted(rows, all), [all, needs]);
}

/** The columns as `rows` need them. */
export function fitted<T>(rows: readonly T[], all: readonly IColumn<T>[]): IColumn<T>[] {
  return all
    .filter(column => !column.optional || longest(rows, column) > 0)
    .map(column => {
      const characters = Math.min(LONGEST, longest(rows, column)) + 2;
      return column.share
        ? { ...column, width: `minmax(${characters}ch, ${column.share}fr)`, characters }
        : column;
    });
}

function longest<T>(rows: readonly T[], column: IColumn<T>): number {
  return rows.reduce((most, row) => Math.max(most, String(column.by(row)).length), 0);
}

interface IRowProps<T> {
  row: T;
  name: string;
  index: number;
  columns: readonly IColumn<T>[];
  template: string;
}

/** Drawn again only when its data or its place changes. */
const TableRow = React.memo(function TableRow<T>(props: IRowProps<T>): JSX.Element {
  const { row, index, columns, template } = props;
  return (
    <div
      className="jp-mlops-table-row"
      role="row"
      aria-rowindex={index + 2}
      style={{ gridTemplateColumns: template, transform: `translateY(${index * ROW}px)` }}
      data-mlops="table-row"
      data-name={props.name}
    >
      {columns.map(column => (
        <div
          key={column.id}
          role="cell"
          className={column.numeric ? 'jp-mod-numeric' : undefined}
          data-column={column.id}
        >
          {column.show(row)}
        </div>
      ))}
    </div>
  );
}) as <T>(props: IRowProps<T>) => JSX.Element;

/** The rows in the column's order; equals by name, so that an order is always the same. */
export function sort<T>(
  rows: readonly T[],
  column: IColumn<T>,
  down: boolean,
  name: (row: T) => string
): T[] {
  const keyed = rows.map(row => ({ row, key: column.by(row), name: name(row) }));
  const sign = down ? -1 : 1;
  keyed.sort((a, b) => {
    const order =
      typeof a.key === 'number' && typeof b.key === 'number'
        ? a.key - b.key
        : collator.compare(String(a.key), String(b.key));
    return sign * order || collator.compare(a.name, b.name);
  });
  return keyed.map(({ row }) => row);
}
