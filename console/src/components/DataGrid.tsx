// A list of things: sorted, filtered, resized, chosen by mouse and keyboard. Enter or a click opens a row, Space selects it.
import { makeStyles } from '@fluentui/react-components';
import type { CellClickedEvent, CellKeyDownEvent, ColDef, FullWidthCellKeyDownEvent, GridApi, RowClassRules } from 'ag-grid-community';
import { AgGridReact } from 'ag-grid-react';
import { useRef } from 'react';
import { useGridTheme } from './gridTheme';

const useStyles = makeStyles({
  grid: { height: '100%', width: '100%', '& .wk-open': { fontWeight: 600 }, '& .ag-row': { cursor: 'default' } },
});

interface DataGridProps<T> {
  label: string;
  rows: T[];
  columns: ColDef<T>[];
  rowId: (row: T) => string;
  onOpen?: (row: T) => void;
  /** With it, rows have boxes; called with what is selected. */
  onSelect?: (rows: T[]) => void;
  /** Only rows that contain this text are shown. */
  quickFilter?: string;
  /** The row whose details are open. */
  openId?: string | undefined;
}

export function DataGrid<T>({ label, rows, columns, rowId, onOpen, onSelect, quickFilter, openId }: DataGridProps<T>) {
  const styles = useStyles();
  const theme = useGridTheme();
  const api = useRef<GridApi<T> | null>(null);
  const open = (event: CellClickedEvent<T> | CellKeyDownEvent<T>) => {
    if (event.data && event.column.getColId() !== 'ag-Grid-SelectionColumn') onOpen?.(event.data);
  };
  const marked: RowClassRules<T> = { 'wk-open': ({ data }) => data !== undefined && rowId(data) === openId };
  return (
    <div className={styles.grid} role="region" aria-label={label} data-testid="data-grid" data-rows={rows.length}>
      <AgGridReact<T>
        theme={theme}
        rowData={rows}
        columnDefs={columns}
        defaultColDef={{ sortable: true, resizable: true, filter: 'agTextColumnFilter', minWidth: 70 }}
        getRowId={({ data }) => rowId(data)}
        rowClassRules={marked}
        {...(onSelect ? { rowSelection: { mode: 'multiRow', enableClickSelection: false, selectAll: 'filtered' }, selectionColumnDef: { width: 44, resizable: false } } : {})}
        quickFilterText={quickFilter ?? ''}
        suppressDragLeaveHidesColumns
        enableCellTextSelection
        tooltipShowDelay={600}
        onGridReady={(event) => { api.current = event.api; }}
        onSelectionChanged={(event) => onSelect?.(event.api.getSelectedRows())}
        onRowDataUpdated={(event) => onSelect?.(event.api.getSelectedRows())}
        onCellClicked={open}
        onCellKeyDown={(event: CellKeyDownEvent<T> | FullWidthCellKeyDownEvent<T>) => {
          if ('column' in event && (event.event as KeyboardEvent | null)?.key === 'Enter') open(event);
        }}
      />
    </div>
  );
}
