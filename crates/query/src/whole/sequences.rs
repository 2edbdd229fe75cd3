//! Plugins about states that follow one another: `sequence_detect`, `funnel_sequence_completion`, `funnel_sequence`.
//! Reference: the pages of these plugins.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringViewArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use arrow::record_batch::RecordBatch;
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;

use super::{Room, Work, column, from_scalars, is_true, key_of};

/// Rows that one call of `sequence_detect` gives at most: occurrences are all combinations of its steps.
const MOST_OCCURRENCES: usize = 1_000_000;
/// Windows that an analysis may have.
const MOST_WINDOWS: i64 = 100_000;
/// Ids that a row of `funnel_sequence` names at most.
const MOST_SAMPLES: usize = 128;

/// Every way in which rows of the same dimensions fulfil the steps one after the other, each step later than the one
/// before it. Times at which several rows fulfil a step count once.
#[derive(Debug)]
pub struct SequenceDetect {
    pub timeline: String,
    /// Columns that say which rows fulfil a step.
    pub steps: Vec<String>,
    pub dimensions: Vec<String>,
    /// From one step to the next at most, in the unit of the timeline.
    pub max_step: i64,
    /// From the first step to the last at most.
    pub max_span: i64,
}

impl Work for SequenceDetect {
    fn name(&self) -> &'static str {
        "sequence_detect"
    }

    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        let input = &inputs[0];
        let timeline = column(input, &self.timeline)?;
        let times = cast(timeline, &DataType::Int64)?;
        let times = times.as_primitive::<Int64Type>();
        let steps = self.steps.iter().map(|name| column(input, name)).collect::<Result<Vec<_>>>()?;
        let dimensions = self.dimensions.iter().map(|name| column(input, name).cloned()).collect::<Result<Vec<_>>>()?;
        room.grow(input.num_rows() * 16)?;

        let mut groups: Vec<(Vec<ScalarValue>, Vec<BTreeSet<i64>>)> = Vec::new();
        let mut known: HashMap<Vec<ScalarValue>, usize> = HashMap::new();
        for row in (0..input.num_rows()).filter(|row| times.is_valid(*row)) {
            let fulfilled: Vec<usize> = (0..steps.len()).filter(|step| is_true(steps[*step], row)).collect();
            if fulfilled.is_empty() {
                continue;
            }
            let key = key_of(&dimensions, row)?;
            let at = *known.entry(key.clone()).or_insert_with(|| {
                groups.push((key, vec![BTreeSet::new(); steps.len()]));
                groups.len() - 1
            });
            for step in fulfilled {
                groups[at].1[step].insert(times.value(row));
            }
        }
        let mut found: Vec<(usize, Vec<i64>)> = Vec::new();
        for (at, (_, steps)) in groups.iter().enumerate() {
            let Some((first, further)) = steps.split_first() else { continue };
            for begin in first {
                room.check()?;
                self.follow(&mut vec![*begin], further, &mut |times| {
                    if found.len() == MOST_OCCURRENCES {
                        return exec_err!(
                            "sequence_detect finds more than {MOST_OCCURRENCES} occurrences: make its steps or windows \
                             narrower"
                        );
                    }
                    room.grow(8 * times.len())?;
                    found.push((at, times.to_vec()));
                    Ok(())
                })?;
            }
        }
        let mut arrays = Vec::new();
        for (at, dimension) in dimensions.iter().enumerate() {
            let values = found.iter().map(|(group, _)| groups[*group].0[at].clone()).collect();
            arrays.push(from_scalars(values, dimension.data_type())?);
        }
        for step in 0..self.steps.len() {
            let values = found.iter().map(|(_, times)| ScalarValue::Int64(Some(times[step])));
            let values = values.map(|value| value.cast_to(timeline.data_type())).collect::<Result<Vec<_>>>()?;
            arrays.push(from_scalars(values, timeline.data_type())?);
        }
        let spans = found.iter().map(|(_, times)| times[times.len() - 1] - times[0]);
        arrays.push(Arc::new(Int64Array::from_iter_values(spans)));
        Ok(arrays)
    }
}

impl SequenceDetect {
    /// Tells `each` about every continuation of the times so far through the further steps.
    fn follow(
        &self,
        times: &mut Vec<i64>,
        further: &[BTreeSet<i64>],
        each: &mut dyn FnMut(&[i64]) -> Result<()>,
    ) -> Result<()> {
        let Some((step, further)) = further.split_first() else { return each(times) };
        let (first, last) = (times[0], times[times.len() - 1]);
        let end = last.saturating_add(self.max_step).min(first.saturating_add(self.max_span));
        if end <= last {
            return Ok(());
        }
        for time in step.range(last + 1..=end) {
            times.push(*time);
            self.follow(times, further, each)?;
            times.pop();
        }
        Ok(())
    }
}

/// What of a funnel is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// How many got to each state within each of these times since the first (`funnel_sequence_completion`).
    Completion { periods: Vec<i64> },
    /// What came before and after the whole sequence, its steps at most so long apart (`funnel_sequence`).
    Neighbours { max_step: i64, previous: bool, next: bool },
}

/// Ids that pass through a sequence of states.
#[derive(Debug)]
pub struct Funnel {
    pub question: Question,
    pub id: String,
    /// The id as JSON within an array, for the samples.
    pub id_json: String,
    pub timeline: String,
    pub state: String,
    /// The state as text, as the sequence has it.
    pub state_text: String,
    pub from: i64,
    pub to: i64,
    /// The length of a window of the analysis.
    pub step: i64,
    pub sequence: Vec<String>,
}

/// The states of one id in one window, in order: time, number of the state.
type Path = Vec<(i64, usize)>;

impl Work for Funnel {
    fn name(&self) -> &'static str {
        match self.question {
            Question::Completion { .. } => "funnel_sequence_completion",
            Question::Neighbours { .. } => "funnel_sequence",
        }
    }

    fn run(&self, inputs: &[RecordBatch], room: &Room) -> Result<Vec<ArrayRef>> {
        let name = self.name();
        if self.step <= 0 || self.sequence.is_empty() {
            return exec_err!("{name} needs a step that is greater than zero, and at least one state");
        }
        if self.to.saturating_sub(self.from) / self.step > MOST_WINDOWS {
            return exec_err!(
                "{name} has more than {MOST_WINDOWS} windows between its start and its end: make them longer"
            );
        }
        let input = &inputs[0];
        let timeline = column(input, &self.timeline)?;
        let times = cast(timeline, &DataType::Int64)?;
        let times = times.as_primitive::<Int64Type>();
        let ids = column(input, &self.id)?;
        let states = column(input, &self.state)?;
        let texts = cast(column(input, &self.state_text)?, &DataType::Utf8View)?;
        let texts = texts.as_string_view();
        room.grow(input.num_rows() * 48)?;

        // states by number: those of the sequence first, then others as they come
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        for state in &self.sequence {
            let next = numbers.len();
            numbers.entry(state).or_insert(next);
        }
        let sequence: Vec<usize> = self.sequence.iter().map(|state| numbers[state.as_str()]).collect();
        let mut values: Vec<Option<ScalarValue>> = vec![None; numbers.len()];
        let mut people: HashMap<ScalarValue, usize> = HashMap::new();
        let mut first_row: Vec<usize> = Vec::new();
        let mut paths: BTreeMap<(i64, usize), Path> = BTreeMap::new();
        for row in (0..input.num_rows()).filter(|row| times.is_valid(*row) && texts.is_valid(*row)) {
            let time = times.value(row);
            if !(self.from..=self.to).contains(&time) {
                continue;
            }
            let next = numbers.len();
            let state = *numbers.entry(texts.value(row)).or_insert(next);
            values.resize(numbers.len(), None);
            if values[state].is_none() {
                values[state] = Some(ScalarValue::try_from_array(states, row)?);
            }
            let next = people.len();
            let person = *people.entry(ScalarValue::try_from_array(ids, row)?).or_insert(next);
            if person == first_row.len() {
                first_row.push(row);
            }
            let window = self.from + (time - self.from).div_euclid(self.step) * self.step;
            paths.entry((window, person)).or_default().push((time, state));
        }
        paths.values_mut().for_each(|path| path.sort_unstable());
        let time_array = |windows: Vec<i64>| -> Result<ArrayRef> {
            let values = windows.into_iter().map(|at| ScalarValue::Int64(Some(at)).cast_to(timeline.data_type()));
            from_scalars(values.collect::<Result<Vec<_>>>()?, timeline.data_type())
        };
        match &self.question {
            Question::Completion { periods } => {
                // a state that nobody was in has no value of its own: its text is one where the column is of text
                let value_of = |at: usize| match &values[sequence[at]] {
                    Some(value) => Ok(value.clone()),
                    None => ScalarValue::Utf8View(Some(self.sequence[at].clone())).cast_to(states.data_type()),
                };
                let (mut windows, mut named, mut lengths, mut counts) = (vec![], vec![], vec![], vec![]);
                for (window, reached) in completed(&paths, &sequence, periods, room)? {
                    for (period, reached) in periods.iter().zip(reached) {
                        for (at, count) in reached.into_iter().enumerate() {
                            windows.push(window);
                            named.push(value_of(at)?);
                            lengths.push(*period);
                            counts.push(count);
                        }
                    }
                }
                Ok(vec![
                    time_array(windows)?,
                    from_scalars(named, states.data_type())?,
                    Arc::new(Int64Array::from(lengths)),
                    Arc::new(Int64Array::from(counts)),
                ])
            }
            Question::Neighbours { max_step, previous, next } => {
                let none = match states.data_type() {
                    DataType::Utf8View => ScalarValue::Utf8View(Some(String::new())),
                    other => ScalarValue::try_new_null(other)?,
                };
                let value_of = |state: Option<usize>| {
                    state.and_then(|state| values[state].clone()).unwrap_or_else(|| none.clone())
                };
                let json = column(input, &self.id_json)?.as_string_view();
                let mut found: BTreeMap<(i64, Option<usize>, Option<usize>), BTreeSet<usize>> = BTreeMap::new();
                for ((window, person), path) in &paths {
                    room.check()?;
                    for (before, after) in neighbours(path, &sequence, *max_step) {
                        let key = (*window, before.filter(|_| *previous), after.filter(|_| *next));
                        found.entry(key).or_default().insert(*person);
                    }
                }
                let mut rows: Vec<_> = found.into_iter().collect();
                rows.sort_by_key(|((window, ..), people)| (*window, std::cmp::Reverse(people.len())));
                let mut arrays = vec![time_array(rows.iter().map(|((window, ..), _)| *window).collect())?];
                if *previous {
                    let values = rows.iter().map(|((_, before, _), _)| value_of(*before)).collect();
                    arrays.push(from_scalars(values, states.data_type())?);
                }
                if *next {
                    let values = rows.iter().map(|((_, _, after), _)| value_of(*after)).collect();
                    arrays.push(from_scalars(values, states.data_type())?);
                }
                arrays.push(Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, ids)| ids.len() as i64))));
                let samples = rows.iter().map(|(_, people)| {
                    // an array of one id each: what is within its brackets
                    let inner =
                        |text: &'_ str| text.len().checked_sub(1).and_then(|end| text.get(1..end)).map(str::to_owned);
                    let ids = people.iter().take(MOST_SAMPLES).map(|person| json.value(first_row[*person]));
                    let ids: Vec<String> = ids.filter_map(inner).collect();
                    format!("[{}]", ids.join(","))
                });
                arrays.push(Arc::new(StringViewArray::from_iter_values(samples)));
                Ok(arrays)
            }
        }
    }
}

/// For each window and period, how many ids got to each state of the sequence within the period since its first.
fn completed(
    paths: &BTreeMap<(i64, usize), Path>,
    sequence: &[usize],
    periods: &[i64],
    room: &Room,
) -> Result<BTreeMap<i64, Vec<Vec<i64>>>> {
    let mut windows: BTreeMap<i64, Vec<Vec<i64>>> = BTreeMap::new();
    for ((window, _), path) in paths {
        room.check()?;
        let counts = windows.entry(*window).or_insert_with(|| vec![vec![0; sequence.len()]; periods.len()]);
        for (counts, period) in counts.iter_mut().zip(periods) {
            for count in &mut counts[..reached(path, sequence, *period)] {
                *count += 1;
            }
        }
    }
    Ok(windows)
}

/// How many states of the sequence a path gets to, the last of them within the period since the first. For each state
/// the latest beginning that leads to it is kept: what it does not lead to in time, no earlier one does.
fn reached(path: &Path, sequence: &[usize], period: i64) -> usize {
    let mut begun: Vec<Option<i64>> = vec![None; sequence.len()];
    for moment in path.chunk_by(|a, b| a.0 == b.0) {
        let time = moment[0].0;
        // backwards, so that a state follows only what was there before this moment
        for at in (0..sequence.len()).rev() {
            if moment.iter().all(|(_, state)| *state != sequence[at]) {
                continue;
            }
            let begin = if at == 0 { Some(time) } else { begun[at - 1] };
            if let Some(begin) = begin.filter(|begin| time - begin <= period) {
                begun[at] = begun[at].max(Some(begin));
            }
        }
    }
    begun.iter().take_while(|begin| begin.is_some()).count()
}

/// The states before and after each place where a path goes through the whole sequence without another state between,
/// each step at most so long after the one before it. A state that comes again at once is one step.
fn neighbours(path: &Path, sequence: &[usize], max_step: i64) -> Vec<(Option<usize>, Option<usize>)> {
    // state, first time, last time
    let mut steps: Vec<(usize, i64, i64)> = Vec::new();
    for (time, state) in path {
        match steps.last_mut() {
            Some(last) if last.0 == *state => last.2 = *time,
            _ => steps.push((*state, *time, *time)),
        }
    }
    let near = |at: usize| steps[at + 1].1 - steps[at].2 <= max_step;
    let places = (0..steps.len().saturating_sub(sequence.len() - 1)).filter(|begin| {
        let end = begin + sequence.len() - 1;
        (*begin..=end).zip(sequence).all(|(at, state)| steps[at].0 == *state) && (*begin..end).all(near)
    });
    places
        .map(|begin| {
            let end = begin + sequence.len() - 1;
            let before = (begin > 0 && near(begin - 1)).then(|| steps[begin - 1].0);
            let after = (end + 1 < steps.len() && near(end)).then(|| steps[end + 1].0);
            (before, after)
        })
        .collect()
}
