// The time range of a query: a known one, or from–to.
import { Button, Field, Input, makeStyles, Popover, PopoverSurface, PopoverTrigger, Radio, RadioGroup, Subtitle2 } from '@fluentui/react-components';
import { ClockRegular } from '@fluentui/react-icons';
import { useState } from 'react';
import { customTimespan, describeTimespan, localInput, ranges, type Range } from './timespan';

const useStyles = makeStyles({
  surface: { display: 'flex', gap: '24px', flexWrap: 'wrap' },
  custom: { display: 'flex', flexDirection: 'column', gap: '12px', minWidth: '220px' },
});

interface TimePickerProps {
  timespan: string;
  onChange: (timespan: string) => void;
  /** The known ranges. */
  known?: readonly Range[];
}

export function TimePicker({ timespan, onChange, known = ranges }: TimePickerProps) {
  const styles = useStyles();
  const [open, setOpen] = useState(false);
  const [from, setFrom] = useState(() => localInput(new Date(Date.now() - 3_600_000)));
  const [to, setTo] = useState(() => localInput(new Date()));
  const custom = customTimespan(from, to);
  const choose = (next: string) => {
    onChange(next);
    setOpen(false);
  };
  return (
    <Popover open={open} onOpenChange={(_event, data) => setOpen(data.open)} trapFocus>
      <PopoverTrigger disableButtonEnhancement>
        <Button icon={<ClockRegular />} size="small" aria-label={`Time range: ${describeTimespan(timespan)}`}>
          {describeTimespan(timespan)}
        </Button>
      </PopoverTrigger>
      <PopoverSurface className={styles.surface} aria-label="Time range">
        <RadioGroup aria-label="Known ranges" value={timespan} onChange={(_event, data) => choose(data.value)}>
          {known.map((range) => (
            <Radio key={range.timespan} value={range.timespan} label={range.label} />
          ))}
        </RadioGroup>
        <div className={styles.custom}>
          <Subtitle2>Custom range</Subtitle2>
          <Field label="From (local time)">
            <Input type="datetime-local" value={from} onChange={(_event, data) => setFrom(data.value)} />
          </Field>
          <Field label="To (local time)" {...(custom ? {} : { validationMessage: 'The end must be later than the start.' })}>
            <Input type="datetime-local" value={to} onChange={(_event, data) => setTo(data.value)} />
          </Field>
          <Button appearance="primary" disabled={!custom} onClick={() => custom && choose(custom)}>Apply</Button>
        </div>
      </PopoverSurface>
    </Popover>
  );
}
