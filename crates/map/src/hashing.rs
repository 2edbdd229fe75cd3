//! Maps of a join: hundred thousands of names and addresses are looked up in one, with a seed for each process.

pub(crate) type FastMap<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
