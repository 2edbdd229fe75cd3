//! Arrays, bags and sets (reference: "Dynamic/array functions").

pub(super) const TABLE: &str = "
treepath(object: dynamic) -> dynamic as prefix tree
repeat(value: any, count: long) -> dynamic as prefix repeat
array_length|arraylength(array: dynamic) -> long
array_reverse(array: dynamic) -> dynamic
range(start: summable, stop: summable, step?: summable) -> dynamic
array_concat(array...: dynamic) -> dynamic
array_iff|array_iif(condition: dynamic, if_true: any, if_false: any) -> dynamic
array_index_of(array: dynamic, value: any, start?: integer, length?: integer, occurrence?: integer) -> long
set_has_element(set: dynamic, value: any) -> bool
array_slice(array: dynamic, start: integer, end: integer) -> dynamic
array_split(array: dynamic, index: integer|dynamic) -> dynamic
array_shift_left(array: dynamic, shift_count: integer, default_value?: any) -> dynamic
array_shift_right(array: dynamic, shift_count: integer, default_value?: any) -> dynamic
array_rotate_left(array: dynamic, rotate_count: integer) -> dynamic
array_rotate_right(array: dynamic, rotate_count: integer) -> dynamic
array_sort_asc(array1: dynamic, array2?...: dynamic|bool) -> dynamic
array_sort_desc(array1: dynamic, array2?...: dynamic|bool) -> dynamic
array_sum(array: dynamic) -> real
bag_keys(object: dynamic) -> dynamic
zip(array1: dynamic, array2...: dynamic) -> dynamic
bag_pack|pack|pack_dictionary(key_value?...: any) -> dynamic
bag_pack_columns(column...: any) -> dynamic
pack_all(ignore_null_empty?: bool) -> dynamic
pack_array(value?...: any) -> dynamic
set_union(set1: dynamic, set2...: dynamic) -> dynamic
set_intersect(set1: dynamic, set2...: dynamic) -> dynamic
set_difference(set1: dynamic, set2...: dynamic) -> dynamic
set_equals(set1: dynamic, set2: dynamic) -> bool
jaccard_index(set1: dynamic, set2: dynamic) -> real
bag_merge(bag1: dynamic, bag2...: dynamic) -> dynamic
bag_remove_keys(bag: dynamic, keys: dynamic) -> dynamic
bag_zip(keys: dynamic, values: dynamic) -> dynamic
bag_has_key(bag: dynamic, key: string) -> bool
bag_set_key(bag: dynamic, key: string, value: any) -> dynamic
";
