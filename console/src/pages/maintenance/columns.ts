// How the lists of maintenance write times.
import { formatCell } from '../../components/format';

/** A time to the minute; nothing where there is none. */
export const minute = ({ value }: { value?: unknown }) => (value ? formatCell(String(value), 'datetime').slice(0, 16) : '');
