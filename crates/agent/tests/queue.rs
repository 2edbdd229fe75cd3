//! The disk queue against a model, with crashes that tear the ends of files.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::Path;

use proptest::prelude::*;
use watchkeeper_agent::queue::{Class, Lane, Queue, QueueError, QueueLimits};
use watchkeeper_wire::MAX_MESSAGE_BYTES;

const LIMITS: QueueLimits = QueueLimits { max_bytes: 1 << 20, segment_bytes: 300 };

#[derive(Debug, Clone)]
enum Step {
    Append(usize, usize),
    Read(usize),
    Acknowledge(bool, f64),
    /// The process dies in the middle of writing a record: some bytes of it are at the end of a file.
    Crash(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5_usize, 1..120_usize).prop_map(|(class, size)| Step::Append(class, size)),
        2 => (1..6_usize).prop_map(Step::Read),
        2 => (any::<bool>(), 0.0..1.0).prop_map(|(urgent, part)| Step::Acknowledge(urgent, part)),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Crash),
    ]
}

fn tear(folder: &Path, garbage: &[u8]) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "segment") {
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            std::io::Write::write_all(&mut file, garbage).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn what_was_appended_is_given_out_in_order_until_acknowledged(steps in prop::collection::vec(step(), 1..60)) {
        let folder = tempfile::tempdir().unwrap();
        let mut queue = Queue::open(folder.path(), LIMITS).unwrap();
        let mut models: [BTreeMap<u64, Vec<u8>>; 2] = Default::default();
        let mut last = 0;
        let mut position = 0_u64;
        for step in steps {
            match step {
                Step::Append(class, size) => {
                    position += 1;
                    let payload = vec![u8::try_from(position % 251).unwrap(); size];
                    let positions = [("k".to_owned(), position.to_le_bytes().to_vec())];
                    let sequence = queue.append(Class::ALL[class], 1, 0, payload.clone(), &positions).unwrap();
                    prop_assert!(last < sequence);
                    last = sequence;
                    let lane = Lane::of(Class::ALL[class]);
                    prop_assert!(sequence > queue.acknowledged(lane));
                    models[lane as usize].insert(sequence, payload);
                }
                Step::Read(count) => {
                    for lane in Lane::ALL {
                        queue.rewind(lane);
                        for (sequence, payload) in models[lane as usize].iter().take(count) {
                            let next = queue.read_next(lane).unwrap().unwrap();
                            prop_assert_eq!(next.sequence, *sequence);
                            prop_assert_eq!(&next.payload, payload);
                        }
                    }
                }
                Step::Acknowledge(urgent, part) => {
                    let lane = if urgent { Lane::Urgent } else { Lane::Bulk };
                    let model = &mut models[lane as usize];
                    let index = (part * model.len() as f64) as usize;
                    if let Some(sequence) = model.keys().nth(index).copied() {
                        queue.acknowledge(lane, sequence).unwrap();
                        *model = model.split_off(&(sequence + 1));
                    }
                }
                Step::Crash(garbage) => {
                    let id = Lane::ALL.map(|lane| queue.id(lane));
                    drop(queue);
                    tear(folder.path(), &garbage);
                    queue = Queue::open(folder.path(), LIMITS).unwrap();
                    prop_assert_eq!(Lane::ALL.map(|lane| queue.id(lane)), id);
                }
            }
            prop_assert_eq!(queue.waiting() as usize, models.iter().map(BTreeMap::len).sum::<usize>());
            let kept = queue.positions().get("k").map_or(0, |bytes| u64::from_le_bytes(bytes.try_into().unwrap()));
            prop_assert_eq!(kept, position);
        }
    }
}

#[test]
fn a_record_that_is_cut_anywhere_is_gone_together_with_its_position_and_the_others_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = Queue::open(folder.path(), LIMITS).unwrap();
    for number in [1_u8, 2] {
        queue.append(Class::Event, 1, 0, vec![number; 20], &[("k".to_owned(), vec![number])]).unwrap();
    }
    drop(queue);
    let path = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "segment"))
        .unwrap();
    let whole = fs::read(&path).unwrap();
    let record = whole.len() - whole.windows(20).rposition(|window| window == [2; 20]).unwrap();
    for cut in 1..=record {
        fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let mut queue = Queue::open(folder.path(), LIMITS).unwrap();
        assert_eq!(queue.positions().get("k"), Some([1].as_slice()), "cut {cut}");
        assert_eq!(queue.read_next(Lane::Bulk).unwrap().unwrap().payload, [1; 20]);
        assert_eq!(queue.read_next(Lane::Bulk).unwrap(), None);
    }
}

#[test]
fn what_no_message_can_carry_is_refused_and_the_queue_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let limits = QueueLimits { max_bytes: 64 << 20, segment_bytes: 4 << 20 };
    let mut queue = Queue::open(folder.path(), limits).unwrap();
    let refused = queue.append(Class::Event, 1, 0, vec![0; MAX_MESSAGE_BYTES], &[("k".to_owned(), vec![1])]);
    assert!(matches!(refused, Err(QueueError::TooLarge { bytes: MAX_MESSAGE_BYTES, .. })), "{refused:?}");
    assert_eq!(queue.positions().get("k"), None, "what was not taken counts as not read");
    // the largest that fits goes over a restart and comes out whole
    let most = MAX_MESSAGE_BYTES - 64 * 1024;
    queue.append(Class::Event, 1, 0, vec![7; most], &[]).unwrap();
    queue.append(Class::Event, 1, 0, vec![8; 10], &[]).unwrap();
    drop(queue);
    let mut queue = Queue::open(folder.path(), limits).unwrap();
    assert_eq!(queue.read_next(Lane::Bulk).unwrap().unwrap().payload, vec![7; most]);
    assert_eq!(queue.read_next(Lane::Bulk).unwrap().unwrap().payload, [8; 10]);
}

#[test]
fn a_full_queue_drops_the_lowest_class_first_and_counts_it() {
    let folder = tempfile::tempdir().unwrap();
    let limits = QueueLimits { max_bytes: 8_000, segment_bytes: 1_000 };
    let mut queue = Queue::open(folder.path(), limits).unwrap();
    let alert = queue.append(Class::Alert, 1, 0, vec![9; 100], &[]).unwrap();
    for _ in 0..40 {
        queue.append(Class::Performance, 2, 0, vec![1; 300], &[]).unwrap();
        queue.append(Class::Event, 1, 0, vec![2; 100], &[]).unwrap();
    }
    assert!(queue.bytes() <= limits.max_bytes + 1_000, "{}", queue.bytes());
    let dropped = queue.take_dropped();
    assert_eq!(dropped[0].0, Class::Performance);
    assert_eq!(dropped[0].1.rows, dropped[0].1.batches * 2);
    assert_eq!(queue.read_next(Lane::Urgent).unwrap().unwrap().sequence, alert);
    let total: u64 = dropped.iter().map(|(_, dropped)| dropped.batches).sum();
    assert_eq!(queue.waiting() + total, 81);
}
