// CSV export (RFC 4180), with cells guarded against being read as formulas by spreadsheets.
import type { Cell, Table } from '../../api/logs';

export function toCsv(table: Table): string {
  const lines = [table.columns.map((column) => field(column.name)).join(',')];
  for (const row of table.rows) lines.push(row.map((cell) => field(cellText(cell), typeof cell === 'number')).join(','));
  return lines.join('\r\n') + '\r\n';
}

/** How a cell reads as text. */
export function cellText(cell: Cell | undefined): string {
  if (cell === null || cell === undefined) return '';
  return typeof cell === 'object' ? JSON.stringify(cell) : String(cell);
}

function field(text: string, isNumber = false): string {
  const guarded = !isNumber && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded;
}

export function downloadCsv(table: Table, name: string): void {
  const url = URL.createObjectURL(new Blob(['\ufeff', toCsv(table)], { type: 'text/csv;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 0);
}
