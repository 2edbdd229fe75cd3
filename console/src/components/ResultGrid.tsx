// A result table: virtualized, sorted, filtered and resized by AG Grid; JSON cells open in a panel.
import { makeStyles, tokens } from '@fluentui/react-components';
import type { CellClickedEvent, CellKeyDownEvent, ColDef, FullWidthCellKeyDownEvent } from 'ag-grid-community';
import { AgGridReact } from 'ag-grid-react';
import { useMemo } from 'react';
import type { Cell, Column, Table } from '../api/logs';
import { formatCell } from './format';
import { useGridTheme } from './gridTheme';

const useStyles = makeStyles({
  grid: { height: '100%', width: '100%', '& .wk-json': { color: tokens.colorBrandForeground1, cursor: 'pointer' }, '& .wk-number': { fontVariantNumeric: 'tabular-nums', textAlign: 'right' } },
});

interface ResultGridProps {
  table: Table;
  label: string;
  /** Opens a cell that holds JSON or long text. */
  onOpenCell?: (column: string, value: Cell) => void;
}

export default function ResultGrid({ table, label, onOpenCell }: ResultGridProps) {
  const styles = useStyles();
  const theme = useGridTheme();
  const columns = useMemo(() => ownColumnsFirst(table.columns).map(([column, index]) => columnOf(column, index)), [table]);
  const open = (event: CellClickedEvent<Cell[]> | CellKeyDownEvent<Cell[]>) => {
    const column = table.columns[Number(event.column.getColId())];
    const value = event.value as Cell;
    if (column && opens(column, value)) onOpenCell?.(column.name, value);
  };
  return (
    <div className={styles.grid} data-testid="result-grid" data-rows={table.rows.length} aria-label={label} role="region">
      <AgGridReact<Cell[]>
        theme={theme}
        rowData={table.rows}
        columnDefs={columns}
        enableCellTextSelection
        suppressDragLeaveHidesColumns
        onCellClicked={open}
        onCellKeyDown={(event: CellKeyDownEvent<Cell[]> | FullWidthCellKeyDownEvent<Cell[]>) => {
          if ('column' in event && (event.event as KeyboardEvent | null)?.key === 'Enter') open(event);
        }}
      />
    </div>
  );
}

const numeric = new Set(['int', 'long', 'real', 'decimal']);

function opens(column: Column, value: Cell): boolean {
  if (value === null || value === '') return false;
  return column.type === 'dynamic' || (typeof value === 'string' && value.length > 120);
}

function columnOf(column: Column, index: number): ColDef<Cell[]> {
  const isNumber = numeric.has(column.type);
  return {
    colId: String(index),
    headerName: column.name,
    headerTooltip: `${column.name}: ${column.type}`,
    valueGetter: ({ data }) => sortable(data?.[index] ?? null, isNumber),
    valueFormatter: ({ value }) => formatCell(value as Cell, column.type),
    filter: isNumber ? 'agNumberColumnFilter' : 'agTextColumnFilter',
    sortable: true,
    resizable: true,
    minWidth: 80,
    width: Math.max(110, Math.min(320, column.name.length * 9 + 60, 320), column.type === 'datetime' ? 190 : column.type === 'string' ? 180 : 110),
    cellClass: column.type === 'dynamic' ? 'wk-json' : isNumber ? 'wk-number' : '',
  };
}

// The columns that every table has, in the order that a table without `project` answers them.
const everyTable = ['TimeGenerated', 'TenantId', 'Type', '_ResourceId', '_ItemId', '_IngestionTime'];

/** The columns with their places in a row; those that every table has come last, unless the query arranged its own. */
function ownColumnsFirst(columns: Column[]): [Column, number][] {
  const placed = columns.map((column, index): [Column, number] => [column, index]);
  if (!everyTable.every((name, i) => columns[i]?.name === name)) return placed;
  return [...placed.slice(0, 1), ...placed.slice(everyTable.length), ...placed.slice(1, everyTable.length)];
}

/** Decimals come as text; they sort and filter as numbers. */
function sortable(cell: Cell, isNumber: boolean): Cell {
  if (!isNumber || typeof cell !== 'string') return typeof cell === 'object' && cell !== null ? JSON.stringify(cell) : cell;
  const number = Number(cell);
  return Number.isNaN(number) ? cell : number;
}
