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
}

interface ITableProps<T> {
  label: string;
  rows: readonly T[];
  columns: readonly IColumn<T>[];
  name: (row: T) => string;
}

const collator = new Intl.Collator(undefined, { numeric: true });

/** A table that draws only the rows in sight: as quick with 5,000 rows as with 5. */
export function Table<T>(props: ITableProps<T>): JSX.Element {
  const { rows, columns, name } = props;
  const [order, setOrder] = useState({ id: columns[0].id, down: false });
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
    // Columns and names are the same for the life of a table.
    // eslint-disable-next-line react-hooks/exhaustive-deps -- see above
  }, [rows, order]);

  const first = Math.max(0, Math.floor(top / ROW) - MARGIN);
  const last = Math.min(sorted.length, Math.ceil((top + height) / ROW) + MARGIN);
  const template = columns.map(column => column.width).join(' ');
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
      <div className="jp-mlops-table-head" role="row" style={{ gridTemplateColumns: template }}>
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
